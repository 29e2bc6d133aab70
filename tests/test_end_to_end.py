"""The real pipeline through DVC, in a repository of its own."""

import hashlib
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import torch

import latentlab
from latentlab.errors import LatentlabError
from latentlab.machine import other_bytes
from tests.conftest import ROOT
from tools.baseline import TOLERANCE
from tools.browser import opened, settle
from tools.explorers import make as make_explorer

pytestmark = pytest.mark.slow

MODELS = ("fcn_autoencoder", "conv_autoencoder", "vae", "conv_vae")


@pytest.fixture(scope="module")
def shell(environment):
    def run(*command, cwd, fails=False):
        result = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
        assert (result.returncode != 0) == fails, result.stdout + result.stderr
        return result.stdout + result.stderr

    return run


def copy_of_the_checkout(folder, shell):
    """This working tree, as it is now, committed in a repository without any data."""
    listed = shell("git", "ls-files", "-z", "-co", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    shell("git", "init", "-q", cwd=folder)
    shell("git", "config", "user.name", "Test", cwd=folder)
    shell("git", "config", "user.email", "test@example.com", cwd=folder)
    shell("git", "add", "-A", cwd=folder)
    shell("git", "commit", "-qm", "Copy", cwd=folder)


@pytest.fixture(scope="module")
def repository(tmp_path_factory, shell):
    """A repository in which the default has been run for real."""
    folder = tmp_path_factory.mktemp("clone")
    copy_of_the_checkout(folder, shell)
    shell("dvc", "repro", cwd=folder)
    return folder


DECODE = """async ([model, latents]) => {
  const images = await explorer.decode(model, latents.map((z) => Float32Array.from(z)));
  return images.map((pixels) => Array.from(pixels));
}"""


def test_the_explorer_of_a_real_run_decodes_as_the_library_does(repository, browser):
    path = repository / "data/explorer.html"
    assert path.stat().st_size < 5_000_000
    rng = np.random.default_rng(0)
    with opened(browser, path) as page:
        settle(page)
        for name in MODELS:
            model = latentlab.load(repository / "bundles" / name)
            # Half of them are of test images, half are drawn as far apart.
            means = np.load(repository / f"data/latents/{name}/test/mean.npy")
            drawn = means.mean(axis=0) + means.std(axis=0) * rng.normal(size=(50, means.shape[1]))
            latents = np.concatenate([means[:50], drawn]).astype(np.float32)
            found = np.array(page.evaluate(DECODE, [name, latents.tolist()]))
            expected = model.decode(latents).reshape(100, -1)
            assert np.abs(found - expected).max() < 1 / 255, name


def test_a_reviewer_gets_the_explorer_of_a_revision(
    repository, shell, environment, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", environment["PATH"])
    page = repository / "data/explorer.html"
    shell(
        "git", "commit", "-qam", "Keep what the run has changed", "--allow-empty", cwd=repository
    )
    assert make_explorer(repository, "HEAD", tmp_path / "after.html")
    assert (tmp_path / "after.html").read_bytes() == page.read_bytes()
    assert shell("git", "worktree", "list", cwd=repository).count("\n") == 1
    with pytest.raises(LatentlabError, match="'--output=x' is no revision"):
        make_explorer(repository, "--output=x", tmp_path / "none.html")


def contents(folder):
    """Digest of every file that a run makes."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for name in ("data", "models", "metrics", "plots", "bundles")
        for path in (folder / name).rglob("*")
        if path.is_file()
    }


def metrics(folder):
    return {name: json.loads((folder / f"metrics/{name}.json").read_text()) for name in MODELS}


def test_the_baseline_is_what_the_code_makes(repository, shell):
    """Figures within a tolerance, everywhere."""
    committed = {
        name: json.loads(shell("git", "show", f"HEAD:metrics/{name}.json", cwd=repository))
        for name in MODELS
    }
    for name, groups in metrics(repository).items():
        assert groups.keys() == committed[name].keys()
        for group, values in groups.items():
            expected = committed[name][group]
            assert values == pytest.approx(expected, **TOLERANCE[group]), (name, group)


def test_the_baseline_is_made_again_to_the_byte(repository, shell):
    """On every CPU that computes the same bits from fixed numbers."""
    torch.set_num_threads(json.loads((repository / "baseline.json").read_text())["threads"])
    if reason := other_bytes(repository / "baseline.json", "portable"):
        pytest.skip(reason)
    assert shell("git", "status", "--porcelain", cwd=repository) == ""
    line = shell("python", "-m", "tools.baseline", "--exact", cwd=repository)
    assert line.startswith("reproduced the committed baseline: ")


def test_the_rows_that_the_page_shows_are_those_of_the_run(repository):
    shown = re.search(r"```csv\n(.*?)```", (ROOT / "docs/prediction.md").read_text(), re.S).group(
        1
    )
    header, *lines = [line.split(",") for line in shown.splitlines()]
    path = repository / "data/predictions/vae/prediction.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("row_id", drop=False)
    for line in lines:
        values = dict(zip(header, line, strict=True))
        values.pop("...")
        for name, found in frame.loc[values["row_id"], list(values)].items():
            # On another type of CPU last digits may differ.
            number = name.startswith(("recon", "anomaly"))
            same = (
                pytest.approx(float(values[name]), rel=0.1, abs=1e-3) if number else values[name]
            )
            assert (float(found) if number else found) == same, name


def test_a_setting_of_another_kind_is_recovered_too(repository, shell):
    """A run that ends well leaves nothing staged that `git restore .` would not undo."""
    path = repository / "params.yaml"
    path.write_text(path.read_text().replace("anomaly_quantile: 0.95", "anomaly_quantile: 0.9"))
    shell("dvc", "repro", cwd=repository)
    shell("git", "restore", ".", cwd=repository)
    shell("dvc", "checkout", cwd=repository)
    assert "up to date" in shell("dvc", "status", cwd=repository)


def test_a_second_run_changes_nothing(repository, shell):
    output = shell("dvc", "repro", cwd=repository)
    assert "Running stage" not in output
    assert "Data and pipelines are up to date" in shell("dvc", "status", cwd=repository)


def test_bad_params_stop_before_any_output_is_touched(repository, shell):
    path = repository / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("latent_dim: 16", "latent_dim: forty"))
    before = contents(repository)
    output = shell("dvc", "repro", cwd=repository, fails=True)
    assert "latent_dim: found 'forty'; input should be a valid integer" in output
    assert contents(repository) == before
    path.write_text(text)
    assert "up to date" in shell("dvc", "status", cwd=repository)


@pytest.mark.parametrize("command", [("exp", "run", "-S", "batch_size=5000"), ("repro",)])
def test_a_late_failure_is_recovered_as_the_readme_says(command, repository, shell):
    path = repository / "params.yaml"
    path.write_text(path.read_text().replace("batch_size: 64 ", "batch_size: 5000 "))
    output = shell("dvc", *command, cwd=repository, fails=True)
    assert "batch_size: found 5000, but there are 1293 training images" in output
    assert (
        not (repository / "models/vae/weights.safetensors").exists()
        or not (repository / "models/fcn_autoencoder/weights.safetensors").exists()
    )
    shell("git", "restore", ".", cwd=repository)
    shell("dvc", "checkout", cwd=repository)
    assert "up to date" in shell("dvc", "status", cwd=repository)


def test_one_models_setting_reruns_its_chain_only(repository, shell):
    stages = shell("dvc", "repro", "--dry", "--downstream", "train@vae", cwd=repository)
    assert "Running" not in stages
    path = repository / "params.yaml"
    text = path.read_text()
    path.write_text(
        text.replace("beta: 1.0               # weight", "beta: 4.0               # weight")
    )
    status = json.loads(shell("dvc", "status", "--json", cwd=repository))
    path.write_text(text)
    chain = {"train@vae", "encode@vae", "evaluate@vae"}
    assert {name for name in status if "@" in name} == chain


def test_a_latent_size_changes_every_model(repository, shell):
    # Few epochs: what runs again is seen by then.
    changes = ("-S", "latent_dim=48", "-S", "epochs=2")
    output = shell("dvc", "exp", "run", "-n", "wide", *changes, cwd=repository)
    assert "Running stage 'preprocess'" not in output
    assert "Running stage 'reference'" not in output
    changes = json.loads(shell("dvc", "metrics", "diff", "--json", cwd=repository))
    assert set(changes) == {f"metrics/{name}.json" for name in MODELS}
    for change in changes.values():
        assert change["reconstruction.mse"]["diff"] != 0
    for name in MODELS:
        assert np.load(repository / f"data/latents/{name}/test/mean.npy").shape[1] == 48
    assert "latent_dim" in shell("dvc", "params", "diff", cwd=repository)
    plots = json.loads(shell("dvc", "plots", "diff", "HEAD", "wide", "--json", cwd=repository))
    assert not plots.get("errors")
    assert "wide" in shell("dvc", "exp", "show", "--md", "--only-changed", cwd=repository)
    shell("git", "restore", ".", cwd=repository)
    shell("dvc", "checkout", cwd=repository)


def test_a_queued_experiment_runs_its_own_code(repository, shell):
    """A change of the library, tracked but not committed, must reach the queued run."""
    settings = repository / "src/latentlab/data/settings.py"
    text = settings.read_text()
    settings.write_text(
        text.replace('_Trainable = Literal["digits",', '_Trainable = Literal["mended",')
    )
    assert settings.read_text() != text
    output = shell("dvc", "exp", "run", "--temp", cwd=repository, fails=True)
    settings.write_text(text)
    assert "dataset: found 'digits'; input should be 'mended', 'mnist'" in output
