"""What a tool cannot read or run is told in a line, with a status that is not 0."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

COPIED = ("tools", "params.yaml", "dvc.yaml", "dvc.lock", "README.md", "docs", "metrics", "plots")


def git(folder, *words):
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A repository of what the tools read."""
    folder = tmp_path_factory.mktemp("whole") / "checkout"
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "images")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Begin")
    return folder


@pytest.fixture
def checkout(whole, tmp_path, monkeypatch):
    """A copy of it in which git finds no repository of a folder above."""
    folder = tmp_path / "check out"
    shutil.copytree(whole, folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return folder


@pytest.fixture
def without_programs(monkeypatch, tmp_path):
    """Neither git nor dvc in PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))


def failure_of(folder, tool, *words):
    """What a tool ends with: a message, or a status; empty where it succeeds."""
    before = sys.argv
    sys.argv = [tool, *words]
    try:
        runpy.run_path(str(folder / "tools" / f"{tool}.py"), run_name="__main__")
    except SystemExit as end:
        return str(end.code or "")
    finally:
        sys.argv = before
    return ""


def damage(path, content):
    """Write other content; ``None`` removes a file or a folder."""
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


METRICS = (None, "", "{", "[]", "{}", "3", '{"a": {"b": "x"}}', b"\xff\xfe{}")
LOCKS = (None, "", "stages: [", "[]", "stages: {a: 3}", "stages: {a: {outs: [{}]}}", b"\xff\xfe")
TABLES = ("", "model,group\nvae,x\n", b"\xff\xfe\x00", '"', "model,group,metric,value\na,b,c,1\n")
TEXT = "model,group,metric,value,low,high\nvae,anomaly,auroc,much,0,1\n"
YAMLS = ("a: [", "b: {c: *d}", "a: &a {b: *a}", b"\xff")
DAMAGES = [
    *(("summary", "metrics/vae.json", content) for content in METRICS),
    *(("docs", "metrics/vae.json", content) for content in (None, "{", "[]")),
    *(("summary", "params.yaml", content) for content in (None, "a: [", "- 1", b"\xff\xfe\x00")),
    *(("docs", name, None) for name in ("params.yaml", "README.md", "docs/metrics.md")),
    *(("fresh", "dvc.lock", content) for content in LOCKS),
    *(("fresh", name, None) for name in ("plots", "metrics", "metrics/vae.json")),
    *(("report", "plots/scores.csv", content) for content in (*TABLES, TEXT)),
    *(
        ("report", "params.yaml", content)
        for content in ("a: [", "b: {c: *d}", "a: &a {b: *a}", b"\xff")
    ),
]


@pytest.mark.parametrize(("tool", "path", "content"), DAMAGES)
def test_a_damaged_or_missing_file_is_named_in_a_line(tool, path, content, checkout):
    damage(checkout / path, content)
    said = failure_of(checkout, tool)
    assert said.startswith("error: ")
    assert path in said
    assert "\n" not in said


CURVES = ("model,split\nvae,train\n", "model,split,term,epoch,loss\na,b,c,d,e")


@pytest.mark.parametrize("content", CURVES)
def test_damaged_curves_are_named_by_the_report(content, checkout, tmp_path):
    damage(checkout / "plots/curves.csv", content)
    said = failure_of(checkout, "report", "--html", str(tmp_path / "report.html"))
    assert said.startswith("error: plots/curves.csv of workspace: not a readable table")
    assert "\n" not in said
    assert not (tmp_path / "report.html").exists()


def test_missing_plots_are_no_failure_of_the_report(checkout, capsys):
    damage(checkout / "plots", None)
    assert failure_of(checkout, "report") == ""
    assert "Models that are gone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tool", "name"), [("doctor", "git"), ("report", "git"), ("fresh", "dvc"), ("seeds", "dvc")]
)
def test_a_program_that_is_not_installed_is_named(tool, name, checkout, without_programs):
    said = failure_of(checkout, tool)
    assert said == f"error: {name} is not in PATH; install it, or run this through `make`"


def test_a_report_needs_a_repository_with_commits(checkout):
    damage(checkout / ".git", None)
    for _ in range(2):
        said = failure_of(checkout, "report")
        assert said.startswith("error: 'main' and 'HEAD' have no commit in common (fatal: ")
        assert "\n" not in said
        git(checkout, "init", "-q", "-b", "main")


@pytest.mark.parametrize("base", ["nowhere", "--help", "-x", "a\nb", "x" * 20_000, "", "HEAD~9"])
def test_a_report_against_no_revision_is_refused(base, checkout):
    said = failure_of(checkout, "report", f"--base={base}")
    assert said.startswith("error: ")
    assert "\n" not in said
    assert len(said) < 1000


def test_a_report_of_unrelated_histories_says_so(checkout):
    git(checkout, "checkout", "-q", "--orphan", "other")
    git(checkout, "commit", "-qm", "Begin anew")
    assert "have no commit in common (status 1)" in failure_of(checkout, "report")


def test_the_doctor_lists_what_it_finds_outside_of_a_repository(checkout, capsys):
    damage(checkout / ".git", None)
    assert failure_of(checkout, "doctor") == "1"
    assert capsys.readouterr().out.startswith("- this is no git repository")


@pytest.mark.parametrize("content", [None, "a: [", "latent_dim: 0"])
def test_the_doctor_lists_bad_params(content, checkout, capsys):
    damage(checkout / "params.yaml", content)
    assert failure_of(checkout, "doctor") == "1"
    assert f"{checkout / 'params.yaml'}" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["fresh", "seeds"])
@pytest.mark.parametrize("begins_again", [False, True])
def test_without_commits_dvc_says_why(tool, begins_again, checkout, environment):
    damage(checkout / ".git", None)
    if begins_again:
        git(checkout, "init", "-q")
    ran = subprocess.run(
        [sys.executable, "-m", f"tools.{tool}"],
        cwd=checkout,
        env=environment | {"GIT_CEILING_DIRECTORIES": os.environ["GIT_CEILING_DIRECTORIES"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "Traceback" not in ran.stdout + ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize("tool", sorted(path.stem for path in Path(ROOT / "tools").glob("*.py")))
def test_every_tool_goes_through_the_one_place_for_failures(tool):
    text = (ROOT / "tools" / f"{tool}.py").read_text()
    if "__main__" in text:
        assert text.rstrip().splitlines()[-1].strip().startswith("run(")
        assert "typer.run(main)\n" not in text
