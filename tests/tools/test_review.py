"""The report of a change, and the shell steps of the workflow that makes it for a pull request."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from latentlab.errors import LatentlabError
from tests.checkout import commit, copy_of_checkout, shell
from tests.conftest import ROOT
from tools import pictures
from tools.comparable import differences
from tools.explorers import link
from tools.fresh import missing_results
from tools.report import (
    LEGEND,
    Revision,
    _change,
    _literal,
    figures,
    markdown,
    page,
    params_changed,
    pictures_changed,
)

WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/review.yaml").read_text())
STEPS = {
    step["name"]: step["run"]
    for step in WORKFLOW["jobs"]["review"]["steps"]
    if "run" in step and step["name"] not in ("Lint", "Test", "Comment")
}
GOLDEN = ROOT / "tests/golden/report.md"
SCORES = """model,group,metric,value,low,high
vae,reconstruction,mse,0.01,0.008,0.012
vae,reconstruction,ssim,0.8,0.79,0.81
vae,vae,kl,12.5,12.4,12.6
vae,clustering,ami,0.7,,
vae,anomaly,auroc,0.9,0.89,0.91
gone,reconstruction,mse,0.5,0.4,0.6
reference,probe,classifier,0.9,0.8,1.0
"""
CHANGED = """model,group,metric,value,low,high
vae,reconstruction,mse,0.011,0.009,0.013
vae,reconstruction,ssim,0.85,0.84,0.86
vae,vae,kl,20.5,20.4,20.6
vae,clustering,ami,0.6,,
vae,anomaly,auroc,0.8,0.79,0.81
new,reconstruction,mse,0.25,0.2,0.3
reference,probe,classifier,0.9,0.8,1.0
"""
CURVES = "model,split,term,epoch,loss\nvae,train,total,1,9\nvae,train,total,2,{}\n"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("review") / "clone"
    copy_of_checkout(folder)
    return folder


def picture(path, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), shade, np.uint8)).save(path)


@pytest.fixture(scope="module")
def changed(clone):
    """Two commits in the clone: small results, and a param with what it changed."""
    plots = clone / "plots"
    subprocess.run(["git", "rm", "-rq", "plots"], cwd=clone, check=True)
    for name in ("same", "other", "gone"):
        picture(plots / f"images/vae/{name}.png", 10)
    (plots / "scores.csv").write_text(SCORES)
    (plots / "curves.csv").write_text(CURVES.format(8))
    (clone / "seeds.json").unlink(missing_ok=True)
    commit(clone, "Base")
    subprocess.run(["git", "branch", "base"], cwd=clone, check=True)
    params = clone / "params.yaml"
    params.write_text(params.read_text().replace("latent_dim: 16", "latent_dim: 12"))
    (plots / "scores.csv").write_text(CHANGED)
    (plots / "curves.csv").write_text(CURVES.format(5))
    picture(plots / "images/vae/other.png", 20)
    (plots / "images/vae/gone.png").unlink()
    commit(clone, "Change the latent size")
    return clone


def step(name, folder, environment, **variables):
    return shell(
        "bash",
        "-eo",
        "pipefail",
        "-c",
        STEPS[name],
        cwd=folder,
        environment=environment,
        **variables,
    )


@pytest.mark.slow
def test_the_checkout_is_fresh_without_data(clone, environment):
    result = step("Freshness", clone, environment)
    assert (result.returncode, result.stdout) == (0, "dvc.lock is up to date\n"), result.stderr


def test_an_outdated_lock_fails_with_its_remedy(changed, environment):
    result = step("Freshness", changed, environment)
    assert result.returncode != 0
    assert "run `make repro` and commit dvc.lock, metrics/ and plots/" in result.stderr


def test_results_that_are_gone_are_missed(tmp_path):
    (tmp_path / "dvc.lock").write_text(
        "stages: {a: {outs: [{path: metrics/vae.json}, {path: models/x}, {path: plots}]}}"
    )
    assert list(missing_results(tmp_path)) == ["metrics/vae.json", "plots"]
    (tmp_path / "plots").mkdir()
    assert list(missing_results(tmp_path)) == ["metrics/vae.json"]


def test_small_figures_show_small_changes():
    before = pd.Series({"value": 0.00040, "low": 0.00039, "high": 0.00041})
    after = pd.Series({"value": 0.00036, "low": 0.00035, "high": 0.00037})
    assert _change("reconstruction.mse", before, after) == ("0.00036 (-4e-05 ▲)", "▲")
    assert _change("reconstruction.mse", after, before).mark == "▼"


def test_values_cannot_mention_or_embed():
    assert _literal("@all <img src=x> `code`\n# head") == "`@all <img src=x> 'code' # head`"


def test_the_steps_write_the_report_that_is_expected(changed, environment, tmp_path):
    origin = ["git", "update-ref", "refs/remotes/origin/base", "base"]
    subprocess.run(origin, cwd=changed, check=True)
    variables = {
        "GITHUB_BASE_REF": "base",
        "GITHUB_SERVER_URL": "https://example.org",
        "GITHUB_REPOSITORY": "ada/lab",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "EXPLORER_BEFORE": "",
        "EXPLORER_AFTER": "https://example.org/artifacts/2?a&b",
    }
    for name in ("Report", "Summary"):
        result = step(name, changed, environment, **variables)
        assert result.returncode == 0, result.stderr
    text = (tmp_path / "summary.md").read_text()
    hashes = re.compile(r"\b(?:[0-9a-f]{40}|[0-9a-f]{7})\b")
    assert hashes.sub("HASH", text) == GOLDEN.read_text()
    assert (changed / "report.html").exists()


def test_the_page_links_to_explorers(changed):
    links = [link("before", "https://example.org/1"), link("after", "data/explorer.html")]
    text = page(Revision(changed, "base"), Revision(changed, "main"), links)
    assert "<a href='https://example.org/1'>before</a> · " in text
    assert "<a href='data/explorer.html'>after</a>" in text


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "//example.org/1", "http://example.org", "https://a b", '"><script>'],
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(LatentlabError, match="explorer after: found"):
        link("after", address)


def test_the_page_holds_all_it_shows(changed):
    text = page(Revision(changed, "base"), Revision(changed, "main"))
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", text)
    assert text.count("data:image/png;base64,") == 3
    assert text.count("<svg") == 1
    assert "<td class='worse'>0.8 (-0.1 ▼)</td>" in text
    assert "<td class='better'>0.85 (+0.05 ▲)</td>" in text


def test_the_workspace_may_be_looked_at_before_a_commit(changed):
    base, head = Revision(changed, "base"), Revision(changed, "workspace")
    assert params_changed(base, head).to_numpy().tolist() == [["latent_dim", "16", "12"]]
    assert pictures_changed(base, head) == [
        "plots/images/vae/gone.png",
        "plots/images/vae/other.png",
    ]


def test_nothing_changed_is_said_and_no_figure_is_marked(changed):
    same = Revision(changed, "main")
    assert params_changed(same, same).empty
    assert {cell.mark for row in figures(same, same).to_numpy() for cell in row} == {""}


LOCK = """stages:
  preprocess:
    outs:
    - {{path: data/processed/train, md5: {train}.dir}}
    - {{path: data/processed/validation, md5: b.dir}}
    - {{path: data/processed/test, md5: {test}.dir}}
    - {{path: data/processed/anomalies, md5: d.dir}}
    - {{path: data/processed/about.json, md5: e}}
"""
PARAMS = "dataset: {dataset}\nepochs: {epochs}\nevaluate: {{n_neighbors: {neighbors}}}\n"


@pytest.fixture
def two(tmp_path):
    """Makes two commits that differ in some of what a report compares."""
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path], check=True)

    def made(*, has_lock=True, models=("vae", "vae"), draw=None, **changes):
        for number, scores in enumerate((SCORES, CHANGED)):
            values = {"dataset": "digits", "epochs": 1, "neighbors": 5, "train": "a", "test": "c"}
            values |= changes if number else {}
            (tmp_path / "plots").mkdir(exist_ok=True)
            (tmp_path / "params.yaml").write_text(PARAMS.format(**values))
            if has_lock:
                (tmp_path / "dvc.lock").write_text(LOCK.format(**values))
            (tmp_path / "plots/scores.csv").write_text(scores)
            shutil.rmtree(tmp_path / "plots/images", ignore_errors=True)
            for name in "abcdef":
                path = tmp_path / f"plots/images/{models[number]}/{name}.png"
                (draw or picture)(path, 10 + number)
            commit(tmp_path, f"Commit {number}")
        return Revision(tmp_path, "HEAD~1"), Revision(tmp_path, "HEAD")

    return made


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"test": "z"}, "these images differ: `test`"),
        ({"train": "z", "test": "z"}, "these images differ: `train`, `test`"),
        ({"neighbors": 7}, "these params of the protocol differ: `evaluate.n_neighbors`"),
        ({"dataset": "mnist", "has_lock": False}, "of the protocol differ: `dataset`"),
    ],
)
def test_what_cannot_be_compared_has_no_arrow_and_a_line_says_why(changes, reason, two):
    base, head = two(**changes)
    text, html = markdown(base, head, None), page(base, head)
    assert len([line for line in text.splitlines() if reason in line]) == 1
    assert reason.replace("`", "") in html
    assert not re.search("[▲▼≈△]", text.replace(LEGEND, ""))
    assert {cell.mark for row in figures(base, head).to_numpy() for cell in row} <= {"", "△"}
    assert "0.85 (before 0.8)" in text
    assert "class='better'" not in html
    assert "class='worse'" not in html


def test_other_epochs_and_the_name_of_a_data_set_leave_figures_comparable(two):
    base, head = two(epochs=2, dataset="the_same_images_by_another_name")
    assert differences(base, head) == []
    assert "0.85 (+0.05 ▲)" in markdown(base, head, None)


def test_a_model_that_is_gone_is_one_line_and_no_picture(two):
    base, head = two(models=("old", "new"))
    text, html = markdown(base, head, None), page(base, head)
    line = "Models that are gone, with their figures and pictures: "
    assert f"{line}`gone`, `old`\n" in text
    assert f"{line}gone, old</p>" in html
    assert html.count("<figure>") == html.count("<img") == 6
    assert "old/" not in html
    assert "not there" not in html


def noise(path, seed):
    """A picture of the size of a figure, which hardly compresses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed + len(path.name))
    Image.fromarray(rng.integers(0, 256, (400, 800, 3)).astype(np.uint8)).save(path)


def test_pictures_are_compressed_or_left_out_beyond_a_budget_and_a_line_says_so(two, monkeypatch):
    base, head = two(draw=noise)
    monkeypatch.setattr(pictures, "BUDGET", 8_000_000)
    assert "Pictures are compressed, so" in page(base, head)
    sizes = []
    for budget in (1_500_000, 60_000):
        monkeypatch.setattr(pictures, "BUDGET", budget)
        html = page(base, head)
        assert "Pictures are compressed at " in html
        sizes.append(html.count("<img"))
        assert len(html) < budget + 100_000
    assert sizes[0] > sizes[1]
    assert re.search(r"\d more pictures changed and have no room here", html)
    monkeypatch.setattr(pictures, "BUDGET", 20_000_000)
    html = page(base, head)
    assert html.count("data:image/png;base64,") == 12
    assert "no room" not in html


def test_the_workflow_may_write_comments_only_and_not_in_a_fork():
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    last = WORKFLOW["jobs"]["review"]["steps"][-1]
    assert last["name"] == "Comment"
    assert "head.repo.full_name == github.repository" in last["if"]
    used = {
        step["uses"].split("/")[0]
        for step in WORKFLOW["jobs"]["review"]["steps"]
        if "uses" in step
    }
    assert used == {"actions"}
