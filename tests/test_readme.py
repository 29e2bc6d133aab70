"""The README keeps its promises: its table, rows, columns, stages and commands are true."""

import re
import subprocess

import pytest
import yaml

from latentlab.params import Params
from tests.checkout import write_committed
from tests.conftest import ROOT
from tools.summary import summary

TEXT = (ROOT / "README.md").read_text()
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """The table of the committed metrics; a run on another CPU may have changed those at hand."""
    folder = tmp_path_factory.mktemp("committed")
    models = yaml.safe_load((ROOT / "params.yaml").read_text())["run_models"]
    write_committed(folder, "params.yaml", *(f"metrics/{name}.json" for name in models))
    return summary(folder)


def test_the_table_of_the_baseline_is_that_of_the_committed_metrics(baseline):
    assert baseline.to_markdown(disable_numparse=True) in TEXT


def test_every_stage_has_its_row():
    section = TEXT.split("## The pipeline")[1].split("##")[0]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == list(STAGES)


def test_every_model_has_its_row(params):
    section = TEXT.split("## Models")[1].split("##")[0]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == list(params.models)


def test_every_headline_metric_is_explained(baseline):
    table = TEXT.split("| metric | what it is")[1].split("\n\n")[0]
    for metric in baseline.index:
        group, name = metric.split(".")
        assert f"`{group}." in table
        assert f".{name}`" in table, metric


def test_the_columns_of_predictions_are_explained():
    section = TEXT.split("### `prediction.csv`")[1].split("##")[0]
    explained = re.findall(r"`([\w<>]+)`", "".join(re.findall(r"^\| (`.*?) \|", section, re.M)))
    shown = re.search(r"```csv\n(.*?)\n", section).group(1).split(",")
    assert explained == [
        name.replace("px0", "px<i>") for name in shown if not name.endswith(("px1", "..."))
    ]


@pytest.mark.parametrize("override", re.findall(r"-S '?([\w.]+)=", TEXT))
def test_every_override_names_a_param(override, edit_params):
    place = Params.model_validate(edit_params({})).model_dump()
    for part in override.split("."):
        assert part in place
        place = place[part]


@pytest.mark.parametrize("target", re.findall(r"(?:`|\$ )make (\w+)", TEXT))
def test_every_target_exists(target):
    result = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_every_link_into_the_repository_leads_somewhere(path):
    assert path.startswith(("https://", "http://")) or (ROOT / path).exists()
