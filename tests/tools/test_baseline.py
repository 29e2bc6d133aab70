"""Whether a run made the committed baseline again, in repositories whose truth is planted."""

import json
import shutil
import subprocess

import pytest

from latentlab.errors import LatentlabError
from latentlab.machine import describe_machine, read_machine
from latentlab.params import load_params
from tests.checkout import commit, write_committed
from tests.conftest import ROOT
from tools.baseline import verdict

SCORES = """model,group,metric,value,low,high
vae,reconstruction,mse,0.005,0.004,0.006
vae,clustering,accuracy,0.9,0.8,
vae,latent,active_units,7,,
"""
LOCK = """schema: '2.0'
stages:
  train@vae:
    cmd: python
    outs:
    - path: models/vae/weights.safetensors
      md5: 11
  plot:
    cmd: python
    outs:
    - path: plots
      md5: 22.dir
"""


@pytest.fixture
def repository(tmp_path):
    """A committed baseline of three metrics, two of them headlines, and two outputs."""
    folder = tmp_path / "a repository"
    (folder / "src").mkdir(parents=True)
    (folder / "metrics").mkdir()
    (folder / "plots").mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "src/code.py").write_text("1\n")
    (folder / "plots/scores.csv").write_text(SCORES)
    (folder / "dvc.lock").write_text(LOCK)
    (folder / "metrics/vae.json").write_text(
        json.dumps({"reconstruction": {"mse": 0.005}, "clustering": {"accuracy": 0.9}})
    )
    (folder / "baseline.json").write_text(
        json.dumps(describe_machine("portable") | {"threads": 2})
    )
    subprocess.run(["git", "init", "-q", folder], check=True)
    commit(folder, "Baseline")
    return folder


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_equal_results_are_a_reproduction(repository):
    assert verdict(repository) == (
        "reproduced the committed baseline: 3 of 3 metrics and 2 of 2 outputs, to the last bit"
    )


def test_a_last_digit_is_counted_and_named(repository):
    edit(repository / "plots/scores.csv", "0.005,", "0.00500001,")
    edit(repository / "dvc.lock", "11", "12")
    line = verdict(repository)
    assert line.startswith(
        "did not reproduce the committed baseline: 1 of 3 metrics differ, at most vae "
        "reconstruction mse: 0.00500001 instead of 0.005; all headline metrics are within the "
        "tolerance of another architecture; 1 of 2 outputs have other bytes; "
    )


def test_an_interval_counts_too(repository):
    edit(repository / "plots/scores.csv", "0.004", "0.003")
    assert "1 of 3 metrics differ" in verdict(repository)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.005,", "0.006,"),  # a fifth more, where a twentieth is allowed
        ("vae,reconstruction,mse,0.005,0.004,0.006\n", ""),
    ],
)
def test_what_no_architecture_explains_is_named(old, new, repository):
    edit(repository / "plots/scores.csv", old, new)
    line = verdict(repository)
    assert "outside the tolerance of another architecture: vae reconstruction mse" in line


def test_a_metric_too_many_is_a_difference(repository):
    path = repository / "plots/scores.csv"
    path.write_text(SCORES + "vae,latent,aggregate_kl,3,,\n")
    assert "vae latent aggregate_kl: 3.0 instead of None" in verdict(repository)


def test_outputs_alone_may_differ(repository):
    edit(repository / "dvc.lock", "22.dir", "23.dir")
    assert verdict(repository).startswith(
        "did not reproduce the committed baseline: 1 of 2 outputs have other bytes; "
    )


def test_it_says_what_differs_of_the_machine(repository):
    record = json.loads((repository / "baseline.json").read_text())
    record["packages"]["numpy"] = "1.0"
    (repository / "baseline.json").write_text(json.dumps(record))
    commit(repository, "A baseline of another version")
    edit(repository / "dvc.lock", "11", "12")
    assert "instead of 1.0" in verdict(repository)


def test_a_changed_param_or_code_makes_another_run(repository):
    edit(repository / "params.yaml", "latent_dim: 16", "latent_dim: 48")
    assert verdict(repository).startswith(
        "another run than the committed baseline's: it changes latent_dim; "
    )
    edit(repository / "src/code.py", "1", "2")
    assert "it changes latent_dim, src/code.py; " in verdict(repository)


@pytest.mark.parametrize("path", ["plots/scores.csv", "dvc.lock"])
def test_damaged_or_missing_results_are_named(path, repository):
    (repository / path).write_text("damaged")
    with pytest.raises(LatentlabError, match=path):
        verdict(repository)
    (repository / path).unlink()
    with pytest.raises(LatentlabError, match=path):
        verdict(repository)


def test_without_a_commit_there_is_nothing_to_compare(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    with pytest.raises(LatentlabError, match="git"):
        verdict(tmp_path)


def test_the_committed_record_is_of_the_committed_params_and_versions(tmp_path):
    write_committed(tmp_path, "baseline.json", "params.yaml", "requirements.lock")
    record = read_machine(tmp_path / "baseline.json")
    settings = load_params(tmp_path / "params.yaml")
    assert (record["arithmetic"], record["threads"]) == (settings.arithmetic, settings.threads)
    lines = (tmp_path / "requirements.lock").read_text().splitlines()
    locked = dict(line.split("==") for line in lines if "==" in line and line[0] != "#")
    locked = {name.lower().replace("_", "-"): version for name, version in locked.items()}
    for name, found in record["packages"].items():
        # A build for one kind of device has a suffix: 2.13.0+cpu.
        assert found.partition("+")[0] == locked[name.lower()].partition(" ")[0], name
