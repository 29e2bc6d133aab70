"""The README is short, its code runs, and what it and its pages name exists."""

import re
import subprocess

import pytest
import yaml

from latentlab.params import Params
from tests.checkout import write_committed
from tests.conftest import ROOT
from tools.nested import flat
from tools.summary import summary

TEXT = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ALL = "\n".join(path.read_text() for path in PAGES)
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def page(name):
    return (ROOT / f"docs/{name}.md").read_text()


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """The table of the committed metrics; a run on another CPU may have changed those at hand."""
    folder = tmp_path_factory.mktemp("committed")
    models = yaml.safe_load((ROOT / "params.yaml").read_text())["run_models"]
    write_committed(folder, "params.yaml", *(f"metrics/{name}.json" for name in models))
    return summary(folder)


def test_the_table_of_the_baseline_is_that_of_the_committed_metrics(baseline):
    assert baseline.to_markdown(disable_numparse=True) in TEXT


def test_it_is_short():
    prose = re.sub(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", "", TEXT, flags=re.DOTALL)
    assert len(prose.split()) <= 900
    assert len(TEXT.split()) <= 900


def test_its_code_runs(make_bundle, tmp_path, monkeypatch, capsys):
    make_bundle("vae")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    found = {}
    exec(compile(code, "README.md", "exec"), found)
    assert len(found["predictions"]) == 100
    assert found["samples"].shape == (16, 1, 8, 8)
    assert "anomaly_score" in capsys.readouterr().out


def test_the_page_of_the_pipeline_has_a_row_for_every_stage_and_its_outputs():
    text = (ROOT / "docs/pipeline.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", text, re.MULTILINE))
    assert list(rows) == list(STAGES)
    for stage, content in STAGES.items():
        for out in [*content.get("outs", []), *content.get("metrics", [])]:
            path = next(iter(out)) if isinstance(out, dict) else out
            # `check` writes a constant that only `download` waits for.
            shown = path.replace("${item.model}", "<model>").split("/")
            assert stage == "check" or "/".join(shown[:2]) in rows[stage], path


def test_the_picture_of_the_pipeline_has_every_stage():
    (chart,) = re.findall(r"```mermaid\n(.*?)```", TEXT, re.DOTALL)
    assert set(re.findall(r"\b[a-z_]+\b", chart)) - {"flowchart"} == set(STAGES)


def test_every_kind_of_model_has_its_row(params):
    section = page("params").split("## Kinds of models")[1]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == list(params.models)


def test_every_param_has_its_row(edit_params):
    rows = re.findall(r"^\| `([\w.]+)` \|", page("params").split("## ")[0], re.MULTILINE)
    keys = {".".join(key.split(".")[:3]) for key in flat(edit_params({}))}
    assert set(rows) == keys


def test_every_headline_metric_is_explained(baseline):
    table = TEXT.split("<!-- headline:begin -->")[1].split("<!-- headline:end -->")[0]
    for metric in baseline.index:
        assert f"`{metric}`" in table


def test_the_columns_of_predictions_are_explained():
    section = page("prediction")
    explained = re.findall(r"`([\w<>]+)`", "".join(re.findall(r"^\| (`.*?) \|", section, re.M)))
    shown = re.search(r"```csv\n(.*?)\n", section).group(1).split(",")
    assert explained == [
        name.replace("px0", "px<i>") for name in shown if not name.endswith(("px1", "..."))
    ]


@pytest.mark.parametrize("override", sorted(set(re.findall(r"-S '?([\w.]+)=", ALL))))
def test_every_override_names_a_param(override, edit_params):
    place = Params.model_validate(edit_params({})).model_dump()
    for part in override.split("."):
        assert part in place
        place = place[part]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|\$ )make (\w+)", ALL))))
def test_every_target_exists(target):
    result = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_into_the_repository_leads_somewhere(path):
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
        assert link.startswith(("https://", "http://")) or (path.parent / link).exists(), link
