"""Every command of docs/ must be one that the config accepts."""

import re
import shlex
from itertools import product

import pytest
from ruamel.yaml import YAML

from latentlab.params import Params
from tests.conftest import ROOT

TEXT = (ROOT / "docs/recipes.md").read_text()
PAGES = [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = [
    line.removeprefix("$ ")
    for text in PAGES
    for line in re.sub(r"\\\n\s*", "", text).splitlines()
    if line.startswith("$ dvc exp run") and "-S" in line
]
RECIPES = {
    "vae-mnist-plane",
    "vae-mnist-148",
    "conv-vae-mnist",
    "vae-fashion",
    "fcn-ae-mnist",
    "faces-anomaly",
}


def values_of(text):
    """The values that an override sweeps over: commas outside brackets part them."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [YAML(typ="safe", pure=True).load(part) for part in parts]


def runs(command):
    """Each combination of overrides in a command, as key and value."""
    words = shlex.split(command, comments=True)
    pairs = [words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "-S"]
    assert len({key for key, _ in pairs}) == len(pairs), "an override stands twice"
    keys = [key for key, _ in pairs]
    sweeps = [values_of(value) for _, value in pairs]
    assert "--queue" in words or all(len(sweep) == 1 for sweep in sweeps)
    return [dict(zip(keys, chosen, strict=True)) for chosen in product(*sweeps)]


def test_every_recipe_has_its_command():
    words = [shlex.split(command, comments=True) for command in COMMANDS]
    named = {each[each.index("-n") + 1] for each in words if "-n" in each}
    assert named >= RECIPES
    for name in RECIPES:
        assert f"## `{name}`" in TEXT


@pytest.mark.parametrize("command", COMMANDS)
def test_every_override_is_valid(command, edit_params):
    for overrides in runs(command):
        shipped = edit_params({})
        for key in overrides:
            place = shipped
            for part in key.split("."):
                assert part in place, f"{key} is no param"
                place = place[part]
        Params.model_validate(edit_params(overrides))
