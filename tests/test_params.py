import io

import pytest
from ruamel.yaml import YAML

from latentlab.errors import LatentlabError
from latentlab.params import RENAMED, Params, load_params
from tests.conftest import ROOT

REFUSALS = {
    "unknown key": (
        {"latent_dims": 3},
        "unknown key 'latent_dims'; known: dataset, run_models, latent_dim, .*"
        "did you mean 'latent_dim'",
    ),
    "unknown key of a section": (
        {"gmm.start": 3},
        "gmm: unknown key 'start'; known: space",
    ),
    "labels for clusters without labels": (
        {"gmm.space": "manifold", "gmm.init": "labeled"},
        r"gmm\.init: found 'labeled' with gmm\.space 'manifold', .*; allowed: kmeans",
    ),
    "clusters of faces without a number": (
        {"dataset": "faces", "gmm.n_components": 5, "train.self_training.rounds": 1},
        r"train\.self_training\.n_clusters: empty means one per class, but dataset 'faces' has",
    ),
    "workers without images": (
        {"train.workers": 65},
        r"train\.workers: found 65 with batch_size 64, of which each takes a part; allowed: 1 to",
    ),
    "a share of votes that decides nothing": (
        {"train.self_training.agreement": 0.5},
        r"train\.self_training\.agreement: found 0\.5; input should be greater than 0\.5",
    ),
    "unknown key of a model": (
        {"models.vae.bta": 3},
        "models.vae: unknown key 'bta'; known: kind, loss, .*; did you mean 'beta'",
    ),
    "zero latents": ({"latent_dim": 0}, "latent_dim: found 0; input should be greater than or eq"),
    "negative latents": ({"latent_dim": -3}, "latent_dim: found -3; input should be greater than"),
    "text": (
        {"latent_dim": "forty"},
        "latent_dim: found 'forty'; input should be a valid integer",
    ),
    "number as text": ({"epochs": "10"}, "epochs: found '10'; input should be a valid integer"),
    "fraction of a number": (
        {"epochs": 1.5},
        "epochs: found 1.5; input should be a valid integer",
    ),
    "boolean for a number": ({"seed": True}, "seed: found True; input should be a valid integer"),
    "no epochs": ({"epochs": 0}, "epochs: found 0; input should be greater than or equal to 1"),
    "zero learning rate": (
        {"learning_rate": 0.0},
        "learning_rate: found 0.0; input should be greater than",
    ),
    "not a number": (
        {"learning_rate": float("nan")},
        "learning_rate: found nan; input should be",
    ),
    "data set": ({"dataset": "mnst"}, "dataset: found 'mnst'; input should be"),
    "loss": (
        {"models.vae.loss": "l2"},
        "models.vae.loss: found 'l2'; input should be 'mse', 'gaussian' or 'bernoulli'",
    ),
    "kind": ({"models.vae.kind": "gan"}, "models.vae.kind: found 'gan'; known: conv_autoenco"),
    "model without kind": ({"models.vae": {}}, "models.vae.kind: found None; known"),
    "unknown model": (
        {"run_models": ["vea"]},
        "run_models: unknown model 'vea'; known: fcn_autoencoder, .*; did you mean 'vae'",
    ),
    "model twice": ({"run_models": ["vae", "vae"]}, "run_models: 'vae' is listed twice"),
    "no model": ({"run_models": []}, r"run_models: found \[\]; list should have at least 1"),
    "bare model": (
        {"run_models": "vae"},
        "run_models: found 'vae'; input should be a valid list",
    ),
    "range and loss": (
        {"pixel_range": "symmetric"},
        r"models.vae.loss: found 'bernoulli' with pixel_range 'symmetric'; a Bernoulli needs "
        r"pixels in \[0, 1\]: set pixel_range to unit, or the loss to mse or gaussian",
    ),
    "small image": ({"image_size": 7}, "image_size: found 7; input should be greater than or eq"),
    "two channels": ({"channels": 2}, "channels: found 2; input should be 1 or 3"),
    "fraction": (
        {"data.test_fraction": 1.0},
        "data.test_fraction: found 1.0; input should be less",
    ),
    "width": ({"models.vae.hidden": [0]}, "models.vae.hidden.0: found 0; input should be greater"),
    "filters": ({"models.conv_vae.filters": []}, r"models.conv_vae.filters: found \[\]; list"),
    "model with a command for a name": (
        {"run_models": ["$(touch pwned)"]},
        r"run_models\.0: found '\$\(touch pwned\)'; a model's name consists of lowercase let",
    ),
    "name with a dot": ({"run_models": ["a.b"]}, r"run_models\.0: found 'a\.b'; a model's name"),
    "huge": (
        {"threads": 10**20},
        "threads: found 1000.*; input should be less than or equal to 64",
    ),
    "boolean for a channel": ({"channels": True}, "channels: found True; input should be 1 or 3"),
    "too many filters": (
        {"image_size": 8, "models.conv_vae.filters": [4, 4, 4, 4]},
        r"models\.conv_vae\.filters: found 4 convolutions, .* image of 8 pixels.* at most 3",
    ),
    "no folder": ({"dataset": "folder"}, r"data\.folder: empty with dataset 'folder'; name the"),
    "faces without components": (
        {"dataset": "faces"},
        r"gmm\.n_components: empty means one a class, but dataset 'faces' has no classes; give",
    ),
    "itself for anomalies": (
        {"data.anomalies": "digits"},
        r"data\.anomalies: found 'digits', which is the data set itself; name another",
    ),
    "unknown anomalies": (
        {"data.anomalies": "mnst"},
        r"data\.anomalies: found 'mnst', neither a data set nor a path; known: digits, mnist, .*"
        r"did you mean 'mnist'\?; write \./mnst for a folder",
    ),
    "blank folder": (
        {"dataset": "folder", "data.folder": " "},
        r"data\.folder: empty with dataset 'folder'; name the",
    ),
    "anomalies of another form": (
        {"data.anomalies": [3]},
        r"data\.anomalies: found \[3\]; input should be a data set, a folder, or \{classes: \[",
    ),
    "device": ({"device": "tpu"}, "device: found 'tpu'; input should be 'cpu', 'cuda' or 'auto'"),
}


def test_the_shipped_file_is_valid():
    assert load_params(ROOT / "params.yaml").latent_dim == 16


@pytest.mark.parametrize(("changes", "message"), REFUSALS.values(), ids=REFUSALS)
def test_bad_params_are_refused_by_name(changes, message, write_params):
    with pytest.raises(LatentlabError, match=message):
        load_params(write_params(changes))


LONG = "x" * 20_000


@pytest.mark.parametrize(
    "changes",
    [
        *({key: LONG} for key in ("device", "latent_dim", "run_models", "models", "data", LONG)),
        {"run_models": [LONG]},
        {"latent_dim": [1] * 20_000},
        {"seed": 16**3000},
        {"data.anomalies": LONG},
        {"data.anomalies": {"classes": LONG}},
        {"data.anomalies": {LONG: 1}},
        {"models.vae": LONG},
        {"models.vae.kind": LONG},
        {f"models.{LONG}": {}},
        {f"models.vae.{LONG}": 1},
    ],
)
def test_a_long_value_or_key_is_cut_in_the_message(changes, write_params):
    with pytest.raises(LatentlabError) as refused:
        load_params(write_params(changes))
    assert max(map(len, str(refused.value).splitlines())) < 500


def test_a_model_that_is_no_mapping_is_told_the_kinds(write_params):
    message = r"models\.vae: found None; should be a mapping .* kind; known: conv_autoencoder, "
    with pytest.raises(LatentlabError, match=message):
        load_params(write_params({"models.vae": None}))


def test_a_missing_key_is_named(edit_params, tmp_path):
    values = edit_params({})
    del values["gmm"]["n_init"]
    path = tmp_path / "params.yaml"
    YAML().dump(values, path)
    with pytest.raises(
        LatentlabError, match=r"gmm\.n_init: missing; the file must contain every key"
    ):
        load_params(path)


def test_every_fault_is_reported_at_once(write_params):
    with pytest.raises(LatentlabError, match=r"epochs: .*\n.*threads: "):
        load_params(write_params({"threads": 0, "epochs": 0}))


@pytest.mark.parametrize("text", ["", "- a\n", "a: [", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(text, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(LatentlabError, match=r"params\.yaml"):
        load_params(path)


@pytest.mark.parametrize(
    "value", ["2001-02-30 99:99:99", "!!int abc", "1" + "0" * 5000, "[" * 3000 + "]" * 3000]
)
def test_a_value_that_the_parser_stumbles_over_is_refused(value, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text().replace("seed: 0", f"seed: {value}"))
    with pytest.raises(LatentlabError, match=r"params\.yaml: not valid YAML"):
        load_params(path)


def test_a_scientific_number_is_a_number_as_it_is_for_dvc(tmp_path):
    path = tmp_path / "params.yaml"
    text = (ROOT / "params.yaml").read_text()
    path.write_text(text.replace("learning_rate: 0.002", "learning_rate: 5e-4"))
    assert load_params(path).learning_rate == 0.0005


def test_a_model_that_does_not_run_may_not_fit_the_pixel_range(edit_params):
    changes = {"pixel_range": "symmetric", "run_models": ["fcn_autoencoder"]}
    assert Params.model_validate(edit_params(changes)).pixel_range == "symmetric"


def test_params_are_frozen(params):
    with pytest.raises(ValueError, match="frozen"):
        params.epochs = 3


def test_settings_of_an_unknown_model_are_refused(params):
    with pytest.raises(LatentlabError, match=r"unknown model 'va'.*did you mean 'vae'"):
        params.model("va")


def test_keys_of_an_older_version_are_refused_with_their_new_names(edit_params, tmp_path):
    values = edit_params({})
    values["gmm"]["starts"] = values["gmm"].pop("n_init")
    values["plot"]["colour_map"] = values["plot"].pop("colormap")
    YAML().dump(values, tmp_path / "params.yaml")
    with pytest.raises(LatentlabError) as caught:
        load_params(tmp_path / "params.yaml")
    assert str(caught.value).splitlines()[1:] == [
        "  gmm.starts: renamed to gmm.n_init",
        "  plot.colour_map: renamed to plot.colormap",
    ]


def test_every_renamed_key_is_gone_and_its_new_name_is_there(edit_params):
    def has(key):
        section, name = key.split(".")
        return name in edit_params({})[section]

    assert all(has(new) and not has(old) for old, new in RENAMED.items())


def test_an_experiment_changes_one_line_of_the_file():
    """DVC writes the file with ruamel's round trip; any reformatting would spoil the diff."""
    text = (ROOT / "params.yaml").read_text()
    yaml = YAML()
    yaml.preserve_quotes = True
    values = yaml.load(text)
    values["latent_dim"] = 48
    stream = io.StringIO()
    yaml.dump(values, stream)
    before, after = text.splitlines(), stream.getvalue().splitlines()
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert [pair[1].split()[:2] for pair in changed] == [["latent_dim:", "48"]]


def test_every_key_has_a_comment_where_it_first_stands():
    lines = (ROOT / "params.yaml").read_text().splitlines()
    first, uncommented = set(), []
    for line in lines:
        key = line.split(":")[0].strip()
        if ":" in line and not line.lstrip().startswith("#") and key not in first:
            first.add(key)
            section = line.rstrip().endswith(":") and "#" not in line
            if "#" not in line and not section and key not in SELF_EVIDENT:
                uncommented.append(line)
    assert uncommented == []


SELF_EVIDENT = {
    "kind",
    "hidden_activation",
    "latent_activation",
    "decoder_activation",
}


def test_a_model_whose_name_is_a_path_is_refused(edit_params, tmp_path):
    values = edit_params({})
    values["models"]["../x"] = values["models"]["vae"]
    YAML().dump(values, tmp_path / "params.yaml")
    with pytest.raises(
        LatentlabError, match=r"models\.\.\./x: found '\.\./x'; a model's name consists"
    ):
        load_params(tmp_path / "params.yaml")


def test_a_faulty_entry_is_reported_once(write_params):
    with pytest.raises(LatentlabError) as caught:
        load_params(write_params({"run_models": [1]}))
    assert str(caught.value).splitlines()[1:] == [
        "  run_models.0: found 1; input should be a valid string"
    ]


def test_a_fault_of_anomalies_is_reported_once(write_params):
    with pytest.raises(LatentlabError) as caught:
        load_params(write_params({"data.anomalies": {"class": [3]}}))
    assert str(caught.value).splitlines()[1:] == [
        "  data.anomalies: unknown key 'class'; known: classes; did you mean 'classes'?"
    ]


def test_anomalies_may_be_a_set_a_path_or_classes(edit_params):
    for value in ("mnist", "cifar10", "./photos", "/srv/photos", {"classes": [3, "four"]}):
        Params.model_validate(edit_params({"data.anomalies": value}))


def test_an_anomaly_score_that_a_model_does_not_have_is_refused(edit_params):
    with pytest.raises(ValueError, match="'fcn_autoencoder' is no variational model"):
        Params.model_validate(edit_params({"evaluate.anomaly_score": "objective"}))
    changes = {"evaluate.anomaly_score": "objective", "run_models": ["vae", "conv_vae"]}
    Params.model_validate(edit_params(changes))


def test_faces_have_no_labels_to_start_from(edit_params):
    changes = {"dataset": "faces", "gmm.n_components": 5, "gmm.init": "labeled"}
    with pytest.raises(ValueError, match=r"gmm\.init: found 'labeled' with dataset 'faces'"):
        Params.model_validate(edit_params(changes))


def test_no_model_takes_the_name_of_the_reference(edit_params, tmp_path):
    values = edit_params({})
    values["models"]["reference"] = values["models"]["vae"]
    YAML().dump(values, tmp_path / "params.yaml")
    with pytest.raises(LatentlabError, match="cannot be called 'reference'"):
        load_params(tmp_path / "params.yaml")
