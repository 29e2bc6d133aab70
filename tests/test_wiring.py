"""dvc.yaml must name every module and file that a stage uses: DVC does not read imports."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tools.deps import with_deps
from tools.plots_page import PAGE, page

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = PIPELINE["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


# Functions of data/sources/registry.py that read params for a stage.
BUILDERS = {"download": ("fetch", "_sets"), "preprocess": ("load", "_load", "_sets")}


def functions(path, *names):
    """Source of some functions of a file."""
    text = (ROOT / path).read_text()
    nodes = [node for node in ast.parse(text).body if getattr(node, "name", None) in names]
    assert len(nodes) == len(names)
    return [ast.get_source_segment(text, node) for node in nodes]


def test_deps_are_what_the_stages_import():
    text = (ROOT / "dvc.yaml").read_text()
    assert with_deps(text) == text, "run `make deps`"


@pytest.mark.parametrize("stage", STAGES)
def test_every_path_reaches_the_command(stage):
    paths = [dep for dep in STAGES[stage]["deps"] if dep.startswith(("data/", "models"))]
    for kind in ("outs", "metrics"):
        paths += [
            next(iter(out)) if isinstance(out, dict) else out
            for out in STAGES[stage].get(kind, [])
        ]
    words = STAGES[stage]["cmd"].split()
    # A path is also reached through a folder above it, such as that of all models.
    missing = [path for path in paths if not {path, *map(str, Path(path).parents)} & set(words)]
    # `download` waits for `check` and reads nothing of it.
    assert missing == (["data/checked.txt"] if stage == "download" else [])


@pytest.mark.parametrize("stage", STAGES)
def test_every_param_that_a_stage_reads_is_declared(stage):
    """What a script or the library reads of `settings` or `params` must re-run the stage."""
    source = (ROOT / f"stages/{stage}.py").read_text() + "".join(
        functions("src/latentlab/data/sources/registry.py", *BUILDERS.get(stage, ()))
    ).replace("settings.", "settings.data.")
    read = set(re.findall(r"settings\.([a-z_]+(?:\.[a-z_]+)?)", source))
    if "settings.model(" in source:
        read = (read - {"model"}) | {"models"}
    declared = {param.replace(".${item.model}", "") for param in STAGES[stage].get("params", [])}
    if "matrix" not in STAGES[stage] and "models" in read:
        assert "models" in declared
    missing = {
        name
        for name in read
        if not any(
            name == d or name.startswith(f"{d}.") or d.startswith(f"{name}.") for d in declared
        )
    }
    # How many processes decode, and where files are looked for, changes no image.
    assert missing - ({"threads", "data.mirrors"} if stage in BUILDERS else set()) == set()


@pytest.mark.parametrize("stage", STAGES)
def test_declared_params_exist(stage):
    for param in STAGES[stage].get("params", []):
        place = PARAMS
        for part in param.replace("${item.model}", "vae").split("."):
            assert part in place, param
            place = place[part]


def test_only_the_plot_stage_has_outputs_in_git():
    """Any other output that is not cached would switch the run-cache off for its stage."""
    uncached = [
        stage
        for stage, content in STAGES.items()
        for out in content.get("outs", [])
        if isinstance(out, dict) and next(iter(out.values())).get("cache") is False
    ]
    assert uncached == ["plot"]


def test_every_plot_has_its_template_and_its_table():
    for plot in PIPELINE["plots"]:
        if isinstance(plot, str):
            assert (ROOT / plot).is_dir()
            continue
        ((_, settings),) = plot.items()
        template = json.loads((ROOT / f".dvc/plots/{settings['template']}.json").read_text())
        assert template["data"] == {"values": "<DVC_METRIC_DATA>"}
        ((table, column),) = settings["y"].items()
        header = (ROOT / table).read_text().splitlines()[0].split(",")
        assert {column, settings["x"], "model"} <= set(header)


def test_the_page_of_plots_is_the_one_that_its_tool_writes_and_asks_for_nothing():
    text = PAGE.read_text(encoding="utf-8")
    assert text == page()
    assert "plots_page.html" in (ROOT / ".dvc/config").read_text()
    assert text.count("{plot_divs}") == 1
    assert not re.search(r"<(script|link|img)[^>]* (src|href)=\"?(https?:)?//", text)
