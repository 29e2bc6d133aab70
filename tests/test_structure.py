"""The library's structure: imports go downward only, and nothing grows too large."""

import ast
from graphlib import TopologicalSorter

import pytest

from tests.conftest import ROOT
from tools.deps import imported_modules

LIBRARY = ROOT / "src/latentlab"
# From the top down; packages in one row may not import one another.
ROWS = (
    ("limits", "cli", "estimator"),
    ("params",),
    ("explorer",),
    ("figures",),
    ("card",),
    ("predictions",),
    ("evaluation",),
    ("run",),
    ("bundle",),
    ("anomaly", "sampling"),
    ("latents",),
    ("training",),
    ("mixture",),
    ("models",),
    ("data",),
    ("site",),
    ("engine",),
)
GROUND = {
    "arithmetic",
    "arrays",
    "digests",
    "errors",
    "files",
    "fingerprint",
    "machine",
    "memory",
    "params_file",
    "pictures",
    "pixels",
    "processes",
    "randomness",
    "settings",
    "shard_writer",
    "shards",
    "tables",
    "tensors",
    "version",
}
RANK = {name: len(ROWS) - row for row, names in enumerate(ROWS) for name in names}
MODULES = {
    ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts): path
    for path in sorted(LIBRARY.rglob("*.py"))
}
SOURCES = [
    path for top in ("src", "stages", "tools") for path in sorted((ROOT / top).rglob("*.py"))
]


def imports(name):
    """Modules of the library that a module imports, those within functions included."""
    tree = ast.parse(MODULES[name].read_text())
    return {found for found in imported_modules(tree, nested=True) if found in MODULES}


def room(name):
    return name.split(".")[1]


def test_every_room_has_its_place():
    rooms = {room(name) for name in MODULES} - {"__init__"}
    assert rooms == RANK.keys() | GROUND


@pytest.mark.parametrize("name", MODULES)
def test_no_import_goes_upward(name):
    upward = [
        other
        for other in imports(name)
        if room(other) != room(name) and RANK.get(room(other), 0) >= RANK.get(room(name), 0) > 0
    ]
    if room(name) in GROUND:
        upward = [other for other in imports(name) if room(other) not in GROUND]
    assert upward == []


def test_no_imports_form_a_circle():
    TopologicalSorter({name: imports(name) for name in MODULES}).prepare()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_large(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            # scikit-learn asks for a constructor that names every parameter.
            if path.name == "estimator.py" and node.name == "__init__":
                continue
            assert node.end_lineno - node.lineno < 60, node.name
            given = node.args
            count = len(given.posonlyargs + given.args + given.kwonlyargs)
            count -= any(each.arg in ("self", "cls") for each in given.args[:1])
            assert count <= 8 or LIBRARY not in path.parents, node.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is(path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ";", ":"))
