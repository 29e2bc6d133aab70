"""Every stage through the command of dvc.yaml, twice, on real digits made small."""

import errno
import importlib
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
import yaml
from PIL import Image
from typer.testing import CliRunner

import stages
from latentlab.bundle.storage import load_bundle
from latentlab.data.processed import read_about, read_split
from latentlab.errors import LatentlabError
from latentlab.training.workers import ALONE
from tests.conftest import ROOT, change

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
MODELS = ("fcn_autoencoder", "conv_autoencoder", "vae", "conv_vae")
SMALL = {
    "image_size": 8,
    "epochs": 2,
    "latent_dim": 3,
    "threads": 1,
    "gmm.n_init": 1,
    "gmm.n_components_grid": [2, 3],
    "reference.steps": 5,
    "evaluate.n_samples": 20,
    "evaluate.importance_samples": 3,
    "evaluate.n_resamples": 100,
    "plot.examples": 3,
    "models.conv_autoencoder.filters": [4, 6],
    "models.vae.hidden": [16],
    "models.conv_vae.filters": [4],
    "models.conv_vae.hidden": 16,
}


def arguments(stage, model="vae", **changes):
    """What dvc.yaml passes to the stage, with some options changed."""
    words = shlex.split(STAGES[stage]["cmd"].replace("${item}", f"--model {model}"))[3:]
    options = dict(zip(words[::2], words[1::2], strict=True))
    options |= {f"--{name}": str(value) for name, value in changes.items()}
    return [word for pair in options.items() for word in pair]


def invoke(stage, model="vae", **changes):
    app = importlib.import_module(f"stages.{stage}").app
    return CliRunner().invoke(app, arguments(stage, model, **changes))


def run(stage, model="vae", **changes):
    result = invoke(stage, model, **changes)
    assert result.exit_code == 0, (result.output, result.exception)


def bytes_of(root):
    return {
        path.relative_to(root): path.read_bytes()
        for folder in ("data", "models", "metrics", "plots", "bundles")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }


def run_all():
    for stage in STAGES:
        for model in MODELS if "matrix" in STAGES[stage] else MODELS[:1]:
            run(stage, model)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which every stage has run once."""
    from ruamel.yaml import YAML

    folder = tmp_path_factory.mktemp("finished")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    change(values, SMALL)
    YAML().dump(values, folder / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_all()
    return folder


@pytest.fixture
def workspace(finished, tmp_path, monkeypatch):
    """A copy to spoil."""
    shutil.copytree(finished, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_a_second_run_writes_the_same_bytes(workspace):
    before = bytes_of(workspace)
    run_all()
    assert bytes_of(workspace) == before


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_writes_what_dvc_yaml_declares_and_nothing_else(stage, workspace):
    declared = [
        next(iter(out)) if isinstance(out, dict) else out
        for kind in ("outs", "metrics")
        for out in STAGES[stage].get(kind, [])
    ]
    outs = [workspace / out.replace("${item.model}", "vae") for out in declared]
    for out in outs:
        shutil.rmtree(out) if out.is_dir() else out.unlink()
    before = set(bytes_of(workspace))
    run(stage)
    new = {workspace / path for path in set(bytes_of(workspace)) - before}
    assert all(out.exists() for out in outs)
    assert [path for path in new if not any(path.is_relative_to(out) for out in outs)] == []
    assert not list(workspace.rglob("*.partial"))


# `download` waits for `check` and reads no file of the run.
INPUTS = [
    (stage, dep)
    for stage in STAGES
    for dep in STAGES[stage]["deps"]
    if dep.startswith(("data/", "models", "plots")) and stage != "download"
]


@pytest.mark.parametrize(("stage", "dep"), INPUTS)
def test_a_missing_input_stops_a_stage_by_name_and_leaves_the_rest(stage, dep, workspace):
    path = workspace / dep.replace("${item.model}", "vae")
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = bytes_of(workspace)
    result = invoke(stage)
    assert result.exit_code != 0
    # Typer names options in its output; an error of the library is printed by `run`.
    message = f"{result.output} {result.exception}"
    assert dep.replace("${item.model}", "vae") in "".join(message.split())
    assert bytes_of(workspace) == before


DAMAGED = [
    ("preprocess", "data/raw/digits/digits.csv.gz"),
    ("train", "data/processed/train/images.npy"),
    ("train", "data/processed/validation/labels.npy"),
    ("encode", "models/vae/weights.safetensors"),
    ("fit_gmm", "data/latents/vae/train/mean.npy"),
    ("fit_gmm", "data/processed/about.json"),
    ("evaluate", "models/vae/mixture.npz"),
    ("evaluate", "data/latents/vae/test/reconstructions.npy"),
    ("plot", "models/vae/history.csv"),
    ("plot", "data/evaluation/vae/scores.csv"),
    ("explore", "models/vae/weights.safetensors"),
    ("explore", "data/evaluation/vae/images.csv"),
    ("export", "data/evaluation/vae/images.csv"),
]


@pytest.mark.parametrize(("stage", "name"), DAMAGED)
def test_a_damaged_input_stops_a_stage_by_name_and_leaves_the_rest(stage, name, workspace):
    (workspace / name).write_bytes(b"")
    before = bytes_of(workspace)
    result = invoke(stage)
    assert isinstance(result.exception, LatentlabError), result.exception
    assert name in str(result.exception)
    assert "dvc" in str(result.exception)
    assert bytes_of(workspace) == before


SWAPPED = [
    ("evaluate", "data/latents/vae/test/mean.npy", np.zeros((3, 3), np.float32), "lengths"),
    ("evaluate", "data/latents/vae/test/mean.npy", np.zeros((360, 3), int), "expected float32"),
    ("evaluate", "data/latents/vae/test/kl.npy", np.zeros((), np.float32), "not an array of rows"),
    ("fit_gmm", "data/processed/train/labels.npy", np.zeros(1293), "expected int64"),
    ("fit_gmm", "data/processed/train/labels.npy", np.full(1293, -7), "-1 or more"),
    ("train", "data/processed/train/images.npy", np.zeros((1293, 1, 8, 9), np.uint8), "H, H"),
]


@pytest.mark.parametrize(("stage", "name", "array", "message"), SWAPPED)
def test_an_array_of_another_kind_stops_a_stage(stage, name, array, message, workspace):
    np.save(workspace / name, array)
    result = invoke(stage)
    assert isinstance(result.exception, LatentlabError), result.exception
    assert message in str(result.exception)


def test_latents_of_other_images_stop_a_stage(workspace):
    for path in (workspace / "data/latents/vae/test").iterdir():
        np.save(path, np.load(path)[:100])
    result = invoke("evaluate")
    assert "latents of 100 images, but the split has 360" in str(result.exception)


def test_a_mixture_cut_short_stops_a_stage(workspace):
    path = workspace / "models/vae/mixture.npz"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "mixture.npz: not a readable mixture" in str(invoke("plot").exception)


def test_a_table_without_its_columns_stops_a_stage(workspace):
    path = workspace / "models/vae/history.csv"
    path.write_text("epoch,train_total\n1,2.0\n")
    assert "history.csv: not a readable table (no column train_reconstruction)" in str(
        invoke("plot").exception
    )


def test_the_same_images_whatever_the_model(workspace):
    about = read_about(workspace / "data/processed/about.json")
    assert about.counts == {"train": 1293, "validation": 144, "test": 360, "anomalies": 360}
    assert about.inputs.image_size == 8
    assert read_split(workspace / "data/processed/test").images.shape == (360, 1, 8, 8)


def test_history_marks_one_epoch(workspace):
    history = pd.read_csv(workspace / "models/vae/history.csv")
    best = history.loc[history["is_best"] == 1]
    assert len(best) == 1
    assert best["validation_total"].item() == history["validation_total"].min()


def test_only_models_that_run_are_exported_and_drawn(workspace):
    text = (workspace / "params.yaml").read_text()
    params = yaml.safe_load(text) | {"run_models": ["vae"]}
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    run("export")
    run("plot")
    assert [path.name for path in (workspace / "data/predictions").iterdir()] == ["vae"]
    assert set(pd.read_csv(workspace / "plots/scores.csv")["model"]) == {"vae", "reference"}


def explored(workspace):
    """What the page of the run is given."""
    text = (workspace / "data/explorer.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="run">(.*?)</script>', text)[1])


def test_the_explorer_shows_the_images_that_its_params_allow(workspace):
    """Every image at first; the models in the order in which they run."""
    content = explored(workspace)
    assert [model["name"] for model in content["models"]] == list(MODELS)
    assert content["rows"]["label"]["shape"] == [720]
    assert (content["dataset"], content["image"]) == ("digits", {"channels": 1, "side": 8})
    changed(workspace, run_models=["vae"], explorer={"points": 50, "anomalies": 0})
    run("explore")
    (model,) = explored(workspace)["models"]
    assert model["latents"]["shape"] == [50, 3]
    assert [each["name"] for each in model["maps"]] == ["PCA", "discriminant", "t-SNE"]
    assert [each["name"] for each in model["values"]] == [
        *("anomaly_score", "reconstruction", "objective", "density"),
        *("mahalanobis", "neighbors", "combined"),
    ]


def test_bundles_say_what_the_export_says(workspace):
    """Of every test image and anomaly, by the folder alone."""
    for name in MODELS:
        bundle = load_bundle(workspace / "bundles" / name)
        images = [
            read_split(workspace / f"data/processed/{s}").images for s in ("test", "anomalies")
        ]
        found = bundle.predict(np.concatenate(images)[::-1], batch_size=11)[::-1]
        expected = pd.read_csv(
            workspace / f"data/predictions/{name}/prediction.csv", dtype={"predicted_label": str}
        )
        for column in ("predicted_label", "component", "is_anomaly"):
            assert found[column].tolist() == expected[column].tolist()
        for column in ("reconstruction_error", "anomaly_score"):
            texts = [f"{value:.6f}" for value in found[column]]
            assert texts == [f"{value:.6f}" for value in expected[column]]
        card = (workspace / "bundles" / name / "README.md").read_text()
        for picture in re.findall(r"\]\((\w+\.png)\)", card):
            original = workspace / "plots/images" / name / picture
            assert (workspace / "bundles" / name / picture).read_bytes() == original.read_bytes()
        assert "reconstructions.png" in card


def test_export_rows_limits_both_parts(workspace):
    changed(workspace, export={"rows": 5})
    run("export")
    frame = pd.read_csv(workspace / "data/predictions/vae/prediction.csv")
    assert frame["split"].tolist() == ["test"] * 5 + ["anomaly"] * 5


def test_pixels_that_would_take_too_much_are_left_out_and_a_line_says_so(workspace):
    whole = pd.read_csv(workspace / "data/predictions/vae/prediction.csv")
    # 720 images of 64 pixels, twice, with nine characters each, are 0.83 million bytes.
    changed(workspace, export={"max_megabytes": 0.5, "rows": None})
    result = invoke("export")
    assert result.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if "prediction.csv" in line]
    assert "1 MB of each model" in line
    assert "export.max_megabytes is 0.5" in line
    frame = pd.read_csv(workspace / "data/predictions/vae/prediction.csv")
    others = [column for column in whole if "_px" not in column]
    pd.testing.assert_frame_equal(frame, whole[others])
    for export, columns in (
        ({"rows": 100}, len(whole.columns)),  # 0.23 million bytes
        ({"rows": None, "pixels": "all"}, len(whole.columns)),
        ({"pixels": "none", "max_megabytes": 300}, len(others)),
    ):
        changed(workspace, run_models=["vae"], export=export)
        result = invoke("export")
        assert "export.max_megabytes" not in result.stderr
        frame = pd.read_csv(workspace / "data/predictions/vae/prediction.csv", nrows=1)
        assert len(frame.columns) == columns


def test_parquet_is_written_where_it_is_asked_for(workspace):
    folder = workspace / "data/predictions/vae"
    assert [path.name for path in folder.iterdir()] == ["prediction.csv"]
    changed(workspace, run_models=["vae"], export={"parquet": True})
    run("export")
    assert sorted(path.name for path in folder.iterdir()) == [
        "prediction.csv",
        "prediction.parquet",
    ]


def test_without_validation_everything_still_runs(workspace):
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["data"]["validation_fraction"] = 0
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    run_all()
    history = pd.read_csv(workspace / "models/vae/history.csv")
    assert history["is_best"].tolist() == [0, 1]


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_few_latent_dimensions_run_through(latent_dim, workspace):
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params |= {"latent_dim": latent_dim, "run_models": ["vae"]}
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    params["plot"]["scatter_points"] = 1
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    for stage in ("train", "encode", "fit_gmm", "evaluate", "plot", "explore", "export"):
        run(stage)


def test_color_and_symmetric_pixels_run_through(workspace):
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params |= {"channels": 3, "pixel_range": "symmetric", "run_models": ["vae"]}
    params["models"]["vae"] |= {"loss": "gaussian", "scale": None}
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    for stage in STAGES:
        run(stage)
    frame = pd.read_csv(workspace / "data/predictions/vae/prediction.csv")
    assert frame["orig_px191"].min() == -1


def test_a_conditional_model_draws_samples_of_each_class(workspace):
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params |= {"run_models": ["cvae"]}
    params["models"]["cvae"]["hidden"] = [16]
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    for stage in ("train", "encode", "fit_gmm", "evaluate", "plot", "explore"):
        run(stage, "cvae")
    assert (workspace / "plots/images/cvae/samples_class.png").exists()
    assert "class_agreement" in set(pd.read_csv(workspace / "plots/scores.csv")["metric"])
    (model,) = explored(workspace)["models"]
    assert (model["kind"], model["classes"]) == ("cvae", 10)
    assert model["decoder"][0]["weight"]["shape"] == [16, 13]


def test_a_model_with_a_pretraining_and_a_prior_of_its_own_goes_the_whole_way(workspace):
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params |= {"run_models": ["vade"]}
    params["models"]["vade"] |= {"hidden": [16], "pretraining_epochs": 3}
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    for stage in ("train", "encode", "fit_gmm", "evaluate", "plot", "explore", "export", "bundle"):
        run(stage, "vade")
    assert len(pd.read_csv(workspace / "models/vade/history.csv")) == params["epochs"]
    assert list((workspace / ".checkpoints").glob("*")) == []
    assert (workspace / "plots/images/vade/samples_prior.png").exists()
    assert (workspace / "plots/images/vade/traversal.png").exists()
    metrics = set(pd.read_csv(workspace / "plots/scores.csv")["metric"])
    assert {"kl", "objective", "active_units", "precision_prior"} <= metrics
    assert "aggregate_kl" not in metrics
    images = read_split(workspace / "data/processed/test").images
    assert len(load_bundle(workspace / "bundles/vade").predict(images)) == len(images)


def changed(workspace, **changes):
    """Edit the params of a workspace; a section is given as a mapping of what changes in it."""
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    for key, value in changes.items():
        params[key] = params[key] | value if isinstance(value, dict) else value
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))


def test_black_and_white_images_have_a_likelihood(workspace):
    changed(workspace, run_models=["vae"], data={"binarize": "stochastic"})
    for stage in STAGES:
        run(stage)
    for name in ("train", "validation", "test", "anomalies"):
        assert set(np.unique(read_split(workspace / f"data/processed/{name}").images)) == {0, 255}
    gray = np.load(workspace / "data/processed/train/intensities.npy")
    assert len(np.unique(gray)) > 10
    scores = pd.read_csv(workspace / "plots/scores.csv").set_index(["group", "metric"])["value"]
    elbo, iwae = scores["vae", "elbo"], scores["vae", "iwae"]
    assert elbo == pytest.approx(-scores["reconstruction", "nll"] - scores["vae", "kl"], rel=1e-4)
    assert iwae == pytest.approx(elbo, rel=0.05)
    assert scores["vae", "bits_per_dimension"] == pytest.approx(-iwae / 64 / np.log(2), rel=1e-4)
    assert ("vae", "objective") not in scores


def test_one_class_against_the_others(workspace):
    others = [0, 1, 2, 3, 4, 5, 6, 7, 9]
    changed(
        workspace,
        run_models=["vae"],
        data={"anomalies": {"classes": others}},
        gmm={"n_components": 2, "n_components_grid": None},
        evaluate={"anomaly_score": "neighbors"},
    )
    for stage in STAGES:
        run(stage)
    assert read_about(workspace / "data/processed/about.json").class_names == ("8",)
    scores = pd.read_csv(workspace / "plots/scores.csv").set_index(["group", "metric"])["value"]
    assert scores["anomaly", "auroc"] == scores["anomaly.neighbors", "auroc"]
    assert "generation" not in scores.index.get_level_values("group")
    # The verdicts of prediction.csv are those of the score that counts.
    frame = pd.read_csv(workspace / "data/predictions/vae/prediction.csv")
    called = frame.groupby("split")["is_anomaly"].mean()
    assert called["test"] == pytest.approx(scores["anomaly", "false_positive_rate"], rel=1e-5)
    assert called["anomaly"] == pytest.approx(scores["anomaly", "true_positive_rate"], rel=1e-5)


def test_a_mixture_may_start_from_labels(workspace):
    changed(workspace, gmm={"init": "labeled"}, evaluate={"transductive": False})
    for stage in ("fit_gmm", "evaluate"):
        run(stage)
    scores = pd.read_csv(workspace / "data/evaluation/vae/scores.csv")
    assert "accuracy_transductive" not in set(scores["metric"])
    assert "calibration_error" in set(scores["metric"])


def test_classes_held_out_become_the_anomalies(workspace):
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params |= {"run_models": ["vae"]}
    params["data"]["anomalies"] = {"classes": [3]}
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    for stage in STAGES:
        run(stage)
    about = read_about(workspace / "data/processed/about.json")
    assert about.class_names == tuple("012456789")
    assert about.counts["anomalies"] == 183


def test_a_folder_of_images_runs_through_without_classes(workspace, monkeypatch):
    """No class, no anomaly: nothing of labels or anomalies is measured or drawn."""
    rng = np.random.default_rng(0)
    (workspace / "photos").mkdir()
    for index in range(40):
        image = Image.fromarray(rng.integers(0, 255, (12, 12, 3)).astype(np.uint8))
        image.save(workspace / "photos" / f"{index:02}.png")
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params |= {"dataset": "folder", "run_models": ["vae"], "batch_size": 8, "image_size": None}
    params["data"]["folder"] = "photos"
    params["gmm"]["n_components"] = 2
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setenv("DVC_ROOT", str(workspace))
    for stage in STAGES:
        run(stage)
    about = read_about(workspace / "data/processed/about.json")
    assert (about.inputs.image_size, about.inputs.channels, about.class_names) == (12, 3, ())
    scores = pd.read_csv(workspace / "plots/scores.csv")
    assert set(scores["group"]) == {
        "reconstruction",
        "vae",
        "latent",
        "mixture",
        "clustering",
    }
    # The one metric of clusters that needs no label.
    assert set(scores.loc[scores["group"] == "clustering", "metric"]) == {"silhouette"}
    drawn = {path.stem for path in (workspace / "plots/images/vae").iterdir()}
    assert not drawn & {"confusion", "roc", "anomaly_scores", "misjudged", "arithmetic"}
    assert {"interpolation", "traversal", "latents"} <= drawn


def test_a_killed_preprocess_leaves_nothing_that_passes_for_whole(workspace, environment):
    """The process dies, without any clean-up, after it has written half of the test images."""
    good = bytes_of(workspace)
    shutil.rmtree(workspace / "data/processed")
    script = """
import os, signal
import stages.preprocess as stage
from latentlab.files import ArrayWriter
write = ArrayWriter.write
def dying(self, batch):
    if "test" in str(self.path):
        self.file.write(batch.tobytes()[: batch.nbytes // 2]); self.file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, batch)
ArrayWriter.write = dying
stage.app()
"""
    command = [sys.executable, "-c", script, *arguments("preprocess")]
    env = environment | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=workspace, env=env, capture_output=True, check=False)
    assert result.returncode == -9, result.stderr
    assert len(list(workspace.glob("data/processed/.test.*.partial"))) == 1
    assert not (workspace / "data/processed/test").exists()
    assert not (workspace / "data/processed/about.json").exists()
    run("preprocess")
    # With nothing left of the one that was killed.
    assert bytes_of(workspace) == good


def test_a_killed_download_leaves_nothing_that_passes_for_whole(workspace, environment):
    good = bytes_of(workspace)
    shutil.rmtree(workspace / "data/raw")
    script = """
import os, pathlib, signal
import stages.download as stage
write = pathlib.Path.write_bytes
def dying(self, content):
    write(self, content[: len(content) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path.write_bytes = dying
stage.app()
"""
    command = [sys.executable, "-c", script, *arguments("download")]
    env = environment | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=workspace, env=env, capture_output=True, check=False)
    assert result.returncode == -9, result.stderr
    assert not (workspace / "data/raw").exists()
    run("download")
    assert bytes_of(workspace) == good


def test_check_leaves_its_file_when_it_refuses(workspace):
    (workspace / "params.yaml").write_text("latent_dim: 0\n")
    before = bytes_of(workspace)
    assert isinstance(invoke("check").exception, LatentlabError)
    assert bytes_of(workspace) == before


def test_a_fault_of_the_input_is_a_message_and_no_traceback(workspace, environment):
    (workspace / "params.yaml").write_text("- not a mapping\n")
    shutil.copytree(ROOT / "stages", workspace / "stages")
    (workspace / "src").symlink_to(ROOT / "src")
    command = [sys.executable, "-m", "stages.check", *arguments("check")]
    result = subprocess.run(
        command, cwd=workspace, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: params.yaml: found ['not a mapping'] where a mapping")
    assert "Traceback" not in result.stderr


def test_stages_take_the_library_of_their_own_checkout(tmp_path, environment):
    """In a queued experiment an editable install points at another checkout."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    shutil.copytree(ROOT / "src", tmp_path / "src")
    command = [sys.executable, "-c", "import stages.check, latentlab; print(latentlab.__file__)"]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == str(tmp_path / "src/latentlab/__init__.py")


# Disks and folders that do not take what a stage writes


def outputs_of(stage):
    """Options of a stage whose help says that they are written."""
    command = typer.main.get_command(importlib.import_module(f"stages.{stage}").app)
    return [option.name for option in command.params if option.help.startswith("Written:")]


OUTPUTS = [(stage, name) for stage in STAGES for name in outputs_of(stage)]


def refusal(stage, capsys, monkeypatch, **changes):
    """The line that a stage leaves on the command line when it fails."""
    app = importlib.import_module(f"stages.{stage}").app
    monkeypatch.setattr(sys, "argv", [stage, *arguments(stage, **changes)])
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as end:
            stages.run(app)
    finally:
        signal.signal(signal.SIGINT, before)
    assert isinstance(end.value.code, str), (end.value.code, capsys.readouterr())
    assert end.value.code.startswith("error: ")
    assert "\n" not in end.value.code
    assert "then run the command again" in end.value.code
    return end.value.code


@pytest.mark.parametrize(("stage", "name"), OUTPUTS)
def test_an_output_below_a_file_is_refused_by_name(stage, name, workspace, capsys, monkeypatch):
    (workspace / "taken").write_text("not a folder")
    before = bytes_of(workspace)
    line = refusal(stage, capsys, monkeypatch, **{name: "taken/output"})
    assert line.startswith("error: taken")
    assert "Not a directory" in line or "File exists" in line
    assert "move it away" in line
    # Outputs of the stage that come before this one may be new.
    assert bytes_of(workspace).keys() >= before.keys()
    assert not list(workspace.rglob("*.partial"))


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_told_with_the_output(stage, workspace, capsys, monkeypatch):
    """No file may be longer than ten bytes, which holds for root too."""
    before = bytes_of(workspace)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        line = refusal(stage, capsys, monkeypatch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    outputs = [value for key, value in options_of(stage).items() if key in outputs_of(stage)]
    assert line.startswith(tuple(f"error: {output}" for output in outputs)), line
    assert "File too large; raise the limit" in line
    assert bytes_of(workspace) == before
    assert not list(workspace.rglob("*.partial"))


def options_of(stage):
    words = arguments(stage)
    return {key.removeprefix("--"): word for key, word in pairwise(words) if key[:2] == "--"}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EROFS, "mount it writable"),
        (errno.EACCES, "give this user the permission"),
    ],
)
def test_what_the_system_refuses_is_told_with_the_output(
    stage, number, remedy, workspace, capsys, monkeypatch
):
    """Played, because a test can neither fill a disk nor take permissions from root."""

    def refused(path, *_, **__):
        raise OSError(number, os.strerror(number), str(path))

    before = bytes_of(workspace)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refused)
        line = refusal(stage, capsys, patch)
    outputs = [value for key, value in options_of(stage).items() if key in outputs_of(stage)]
    assert line.startswith(tuple(f"error: {output}" for output in outputs)), line
    assert f"{os.strerror(number)}; {remedy}" in line
    assert ".partial" not in line
    # A folder is taken away before the new one takes its place.
    assert bytes_of(workspace).items() <= before.items()
    assert not list(workspace.rglob("*.partial"))


@pytest.mark.parametrize(("stage", "name"), OUTPUTS)
def test_a_folder_without_permission_is_told(stage, name, workspace, capsys, monkeypatch):
    (workspace / "closed").mkdir(mode=0o500)
    if os.access(workspace / "closed", os.W_OK):
        pytest.skip("this user, such as root, may write everywhere")
    line = refusal(stage, capsys, monkeypatch, **{name: "closed/output"})
    assert line.startswith("error: closed/output")
    assert "Permission denied; give this user the permission" in line


COUNTED = """
import runpy
from latentlab.training import loop

epochs = []
train = loop._train_epoch

def counted(state, *given):
    epochs.append(len(state.rows) + 1)
    return train(state, *given)

loop._train_epoch = counted
try:
    runpy.run_module("stages.train", run_name="__main__", alter_sys=True)
finally:
    print(epochs[0], epochs[-1], len(epochs))
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_where_it_was(workspace, environment):
    """With the bytes of one that was not killed, and by the steps of the epochs that were left."""
    changed(workspace, epochs=400)
    env = environment | {"PYTHONPATH": str(ROOT)}

    def start():
        return subprocess.Popen(
            [sys.executable, "-c", COUNTED, *arguments("train")],
            cwd=workspace,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(process):
        printed, errors = process.communicate()
        assert process.returncode == 0, errors
        return printed.split(), errors

    assert finish(start()) == (["1", "400", "400"], "")
    undisturbed = bytes_of(workspace)
    assert list((workspace / ".checkpoints").iterdir()) == []
    shutil.rmtree(workspace / "models/vae")
    process = start()
    while not list((workspace / ".checkpoints").glob("*.checkpoint")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not (workspace / "models/vae").exists()
    printed, errors = finish(start())
    (line,) = errors.splitlines()
    epoch = int(re.fullmatch(r"vae: resumes after epoch (\d+) of 400", line).group(1))
    assert 0 < epoch < 400
    assert printed == [str(epoch + 1), "400", str(400 - epoch)]
    again = bytes_of(workspace)
    for name in ("weights.safetensors", "history.csv"):
        path = Path("models/vae") / name
        assert again[path] == undisturbed[path]
    assert list((workspace / ".checkpoints").iterdir()) == []


def test_train_shows_what_it_learns_outside_of_every_output(workspace):
    changed(workspace, epochs=30)
    run("train")
    history = (workspace / "models/vae/history.csv").read_bytes()
    pictures = workspace / ".live/vae/reconstructions"
    epochs = sorted(int(path.stem) for path in pictures.iterdir())
    assert (epochs[0], epochs[-1], len(epochs)) == (1, 30, 20)
    shutil.rmtree(workspace / ".live")
    before = bytes_of(workspace)
    # What cannot be shown changes no output.
    (workspace / ".live").write_text("in the way")
    result = invoke("train")
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("vae: ")
    assert "curves and reconstructions end here" in line
    assert bytes_of(workspace) == before
    assert (workspace / "models/vae/history.csv").read_bytes() == history


KEYED = [
    {"seed": 1},
    {"latent_dim": 4},
    {"epochs": 3},
    {"batch_size": 32},
    {"learning_rate": 0.001},
    {"pixel_range": "symmetric"},
    {"threads": 2},
    {"arithmetic": "native"},
    {"train": {"optimizer": "adamw"}},
    {"train": {"scheduler": "cosine"}},
    {"train": {"initialization": "glorot"}},
    {"train": {"precision": "bfloat16"}},
    {"train": {"workers": 2}},
    {"models": {"beta": 2.0}},
]


def test_every_param_of_train_is_part_of_the_key_of_its_checkpoints(workspace, monkeypatch):
    """All that dvc.yaml declares, but the device, of which a test has one only."""
    declared = {name.partition(".")[0] for name in STAGES["train"]["params"]} - {"device"}
    assert {name for change in KEYED for name in change} == declared
    text = (workspace / "params.yaml").read_text()
    keys = []

    def stopped(*given):
        keys.append(given[-2].key)
        raise LatentlabError("stopped before the first step")

    stage = importlib.import_module("stages.train")
    monkeypatch.setattr(stage, "fit", stopped)
    # No other process is started.
    monkeypatch.setattr(stage, "workers_of", lambda *_: nullcontext(ALONE))
    for changed in ({}, {}, *KEYED):
        params = yaml.safe_load(text)
        # A loss that takes both pixel ranges.
        params["models"]["vae"] |= {"loss": "mse"} | changed.get("models", {})
        for key, value in changed.items():
            if key == "train":
                params["train"] |= value
            elif key != "models":
                params[key] = value
        params["run_models"] = ["vae"]
        (workspace / "params.yaml").write_text(yaml.safe_dump(params))
        assert "stopped" in str(invoke("train").exception)
    assert keys[0] == keys[1]
    assert len(set(keys)) == 1 + len(KEYED)
