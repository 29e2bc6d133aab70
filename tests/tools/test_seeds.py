"""Sweeps over a param, from what `dvc exp show --json` prints."""

import subprocess

import numpy as np
import pytest
from scipy.stats import t

from latentlab.errors import LatentlabError
from tests.checkout import commit
from tools.noise import RECORD, Noise, read_noise
from tools.report import figures, markdown, page
from tools.revision import Revision
from tools.seeds import experiments, over, over_seeds, summary, write_record


def shown(name, mse, state="success", **params):
    """One experiment in the form of DVC 3.67; one that failed shows its baseline's metrics."""
    revision = {
        "rev": "0123456789",
        "name": name,
        "data": {
            "params": {"params.yaml": {"data": params}},
            "metrics": {"metrics/vae.json": {"data": {"reconstruction": {"mse": mse}}}},
        },
    }
    executor = {"state": state, "name": "dvc-task"} if state else None
    return {"revs": [revision], "executor": executor, "name": name}


SHOWN = [
    {"rev": "workspace", "name": None, "data": {"metrics": {}}, "experiments": None},
    {
        "rev": "f" * 40,
        "name": "main",
        "data": {"metrics": {"metrics/vae.json": {"data": {"reconstruction": {"mse": 9.0}}}}},
        "experiments": [
            shown("a", 1.0, seed=0, latent_dim=2, data={"limit": None}),
            shown("b", 4.0, seed=1, latent_dim=2, data={"limit": None}),
            shown("c", 100.0, seed=0, latent_dim=8, data={"limit": None}),
            shown("in the workspace", 2.0, None, seed=7, latent_dim=3, data={"limit": None}),
            shown("failed", 9.0, "failed", seed=2, latent_dim=2, data={"limit": None}),
            shown("running", 9.0, "running", seed=3, latent_dim=2, data={"limit": None}),
            shown("a again", 1.0, seed=0, latent_dim=2, data={"limit": None}),
            {"revs": [{"rev": "0", "name": "queued", "data": None}], "name": "queued"},
        ],
    },
    {
        "rev": "e" * 40,
        "name": "older",
        "data": {"metrics": {}},
        "experiments": [
            shown("of other code", 1.0, seed=5, latent_dim=2, data={"limit": None}),
        ],
    },
]


def test_only_finished_experiments_count_and_no_baseline():
    found = experiments(SHOWN)
    names = ["a", "b", "c", "in the workspace", "a again", "of other code"]
    assert [each.name for each in found] == names
    assert found[0].params == {"seed": 0, "latent_dim": 2, "data.limit": None}
    assert found[0].metrics == {"vae reconstruction.mse": 1.0}


@pytest.mark.parametrize(
    ("key", "expected"), [("seed", [["a", "b"]]), ("latent_dim", [["a", "c"]]), ("data", [])]
)
def test_groups_differ_in_the_one_param_only(key, expected):
    groups = over(experiments(SHOWN), key)
    assert [[each.name for each in group] for group in groups] == expected


def test_the_deviation_is_that_of_a_sample():
    row = summary(over(experiments(SHOWN), "seed")[0]).loc["vae reconstruction.mse"]
    values = np.array([1.0, 4.0])
    assert row["mean"] == values.mean()
    assert row["std"] == pytest.approx(values.std(ddof=1))
    assert (row["min"], row["max"], row["count"]) == (1, 4, 2)


def head_of(*found, **params):
    """What DVC shows of a commit, with its own figures, and of experiments that began from it."""
    (committed,) = shown("main", 2.0, seed=0, **params)["revs"]
    return [SHOWN[0], committed | {"rev": "f" * 40, "experiments": list(found)}]


def test_the_baseline_and_what_differs_from_it_by_its_seed_only_are_over_seeds():
    found = over_seeds(
        head_of(
            shown("a", 1.0, seed=1, latent_dim=2),
            shown("b", 4.0, seed=2, latent_dim=2),
            shown("other", 9.0, seed=3, latent_dim=8),
            shown("failed", 2.0, "failed", seed=4, latent_dim=2),
            shown("again", 7.0, seed=0, latent_dim=2),
            latent_dim=2,
        )
    )
    assert [each.name for each in found] == ["main", "a", "b"]
    assert over_seeds([SHOWN[0]]) == []


SCORES = "model,group,metric,value,low,high\nvae,reconstruction,mse,{0},{1},{2}\n"


@pytest.fixture
def repository(tmp_path):
    """A baseline of seed 0 with its figures over three seeds: 2, 1 and 4, of deviation 1.53."""
    folder = tmp_path / "a folder"
    (folder / "metrics").mkdir(parents=True)
    (folder / "plots").mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    (folder / "params.yaml").write_text("seed: 0\nlatent_dim: 2\n")
    (folder / "metrics/vae.json").write_text('{"reconstruction": {"mse": 2.0}}')
    (folder / "plots/scores.csv").write_text(SCORES.format(2.0, 1.99, 2.01))
    write_record(
        folder / RECORD,
        over_seeds(
            head_of(
                shown("b", 4.0, seed=2, latent_dim=2),
                shown("a", 1.0, seed=1, latent_dim=2),
                latent_dim=2,
            )
        ),
    )
    commit(folder, "Begin")
    return folder


def noise_of(folder):
    return read_noise(Revision(folder, "workspace"))


def test_the_file_gives_mean_deviation_and_the_difference_of_two_seeds(repository):
    noise = noise_of(repository)
    assert noise.seeds == (0, 1, 2)
    assert noise.text("vae", "reconstruction.mse") == "2.3333 ± 1.5275"
    expected = t.ppf(0.975, 2) * np.sqrt(2) * np.std([1, 2, 4], ddof=1)
    assert noise.margin("vae", "reconstruction.mse") == pytest.approx(expected)
    assert noise.margin("vae", "anomaly.auroc") is None
    assert noise.text("gone", "reconstruction.mse") == ""
    assert noise.stale == ()


def test_two_seeds_differ_by_less_than_the_margin_in_95_percent_of_cases():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(2000):
        *values, before, after = rng.normal(2, 0.3, 7)
        noise = Noise((0, 1, 2, 3, 4), {"vae": {"reconstruction.mse": tuple(values)}}, ())
        inside.append(abs(after - before) <= noise.margin("vae", "reconstruction.mse"))
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("params.yaml", "seed: 7\n"),
        ("metrics/vae.json", '{"reconstruction": {"mse": 2.5}}'),
        ("metrics/vae.json", '{"reconstruction": {"mse": 2.0, "ssim": 1.0}}'),
        ("metrics/vae.json", "{"),
        ("metrics/vae.json", None),
    ],
)
def test_figures_that_are_not_those_of_the_revision_are_stale(path, content, repository):
    if content is None:
        (repository / path).unlink()
    else:
        (repository / path).write_text(content)
    noise = noise_of(repository)
    assert noise.stale == ("vae",)
    assert noise.margin("vae", "reconstruction.mse") is None


def report_of(repository, value):
    """Figures, comment and page of a change of the one figure, to a narrow interval."""
    ends = value, value - 0.01, value + 0.01
    (repository / "plots/scores.csv").write_text(SCORES.format(*ends))
    revisions = Revision(repository, "HEAD"), Revision(repository, "workspace")
    mark = figures(*revisions).loc["reconstruction.mse", "vae"].mark
    return mark, markdown(*revisions, None), page(*revisions)


@pytest.mark.parametrize(("value", "mark"), [(2.5, "≈s"), (1.0, "≈s"), (30.0, "▼")])
def test_a_change_within_the_noise_of_seeds_is_called_that(value, mark, repository):
    found, comment, html = report_of(repository, value)
    assert found == mark
    for text in (comment, html):
        assert "within the noise of 3 seeds" in text
        assert "2.3333 ± 1.5275" in text
        assert "not known of" not in text


def test_the_report_says_which_models_the_file_is_too_old_for(repository):
    (repository / "metrics/vae.json").write_text('{"reconstruction": {"mse": 2.5}}')
    commit(repository, "Change code")
    mark, comment, html = report_of(repository, 2.5)
    assert mark == "▼"
    for text in (comment, html):
        assert "not known of 1 of 1 models, of which seeds.json holds other figures" in text
        assert "±" not in text.replace("Mean ± standard deviation", "")


def test_without_the_file_the_report_marks_by_intervals_alone(repository):
    (repository / RECORD).unlink()
    commit(repository, "Remove it")
    mark, comment, html = report_of(repository, 2.5)
    assert mark == "▼"
    assert not [text for text in (comment, html) if "noise of" in text or "±" in text]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "3",
        '{"seeds": [0, 1]}',
        '{"seeds": [0], "models": {}}',
        '{"seeds": [0, 1], "models": {"vae": {"m": [1]}}}',
        '{"seeds": [0, 1], "models": {"vae": {"m": ["x", "y"]}}}',
        '{"seeds": [0, 1], "models": []}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_named(content, repository):
    (repository / RECORD).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LatentlabError, match=r"seeds\.json of workspace: damaged; restore"):
        noise_of(repository)
