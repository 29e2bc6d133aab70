"""Small images and a small params file for every test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from latentlab.arithmetic import put_in_force

# Before NumPy and PyTorch load; commands that tests start inherit it.
put_in_force("portable")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Processes that share all cores are slower with more threads, which wait for one another.
    os.environ["OMP_NUM_THREADS"] = "1"
# Ray's workers would wait for whatever other process wants a core.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # Ray spells it so

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from latentlab.params import Params
from tests.bundles import save_small_bundle

ROOT = Path(__file__).resolve().parents[1]
# Real data for tests, where LATENTLAB_MIRRORS names it; those that need it say why they skip.
MIRROR = Path(
    os.environ.get("LATENTLAB_MIRRORS", "").split(";")[0] or "LATENTLAB_MIRRORS-is-empty"
)
FASHION = Path("/usr/share/datasets/fashion-mnist")
# Files that take a minute and more, the longest first.
LONGEST = (
    "tests/test_end_to_end.py",
    "tests/test_cpus.py",
    "tests/test_kills.py",
    "tests/explorer/test_browser.py",
    "tests/tools/test_repro.py",
    "tests/tools/test_sweep.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, begin with the longest files, so that none runs alone in the end."""
    if hasattr(config, "workerinput"):
        rank = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(LONGEST)))


@pytest.fixture(autouse=True)
def _same_torch_for_every_test() -> Iterator[None]:
    """One thread, which suits tiny tensors, and a fresh global stream."""
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def images() -> np.ndarray:
    """Four classes of 8x8 images, twelve each, told apart by a bright quarter; (48, 1, 8, 8)."""
    rng = np.random.default_rng(0)
    made = rng.integers(0, 40, (48, 1, 8, 8)).astype(np.uint8)
    for index in range(48):
        row, column = divmod(index % 4, 2)
        made[index, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 200
    return made


@pytest.fixture
def labels() -> np.ndarray:
    return np.arange(48) % 4


def change(values: Any, changes: dict[str, Any]) -> None:
    """Change nested mappings in place; changes are given as ``{"models.vae.beta": 4}``."""
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = values
        for section in sections:
            place = place[section]
        place[last] = value


@pytest.fixture
def edit_params() -> Callable[..., dict[str, Any]]:
    """The shipped params as a plain dict, with changes given as ``{"models.vae.beta": 4}``."""

    def edited(changes: dict[str, Any]) -> dict[str, Any]:
        values = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
        change(values, changes)
        return values

    return edited


@pytest.fixture
def write_params(edit_params, tmp_path) -> Callable[..., Path]:
    def written(changes: dict[str, Any], path: Path = tmp_path / "params.yaml") -> Path:
        with path.open("w") as file:
            YAML().dump(edit_params(changes), file)
        return path

    return written


@pytest.fixture
def params(edit_params) -> Params:
    return Params.model_validate(edit_params({}))


@pytest.fixture(scope="session")
def browser():
    """A headless browser, one for all tests: Playwright allows no second one beside it."""
    # Most sessions open no page.
    from tools.browser import CHROMIUM, chromium

    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of a command that a user would run, with this Python in front."""
    import sys

    keep = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DVC_ROOT")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return keep | {"PATH": path, "DVC_NO_ANALYTICS": "1"}


@pytest.fixture
def make_bundle(params, images, labels, tmp_path) -> Callable[..., Path]:
    """Writes a bundle with random weights, and returns its folder; see ``save_small_bundle``."""

    def made(name: str = "vae", folder: Path | None = None, **options: Any) -> Path:
        folder = folder or tmp_path / "bundles" / name
        save_small_bundle(folder, params, images, labels, name=name, **options)
        return folder

    return made
