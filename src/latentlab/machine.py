"""What the bytes of a run depend on besides its params: versions, CPU, threads, arithmetic."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from latentlab.arithmetic import Arithmetic, cpu_name
from latentlab.errors import LatentlabError
from latentlab.files import read_json
from latentlab.fingerprint import fingerprint

# Whose versions can change a byte of an output.
PACKAGES = (
    "matplotlib",
    "numpy",
    "openTSNE",
    "pandas",
    "pillow",
    "polars",
    "safetensors",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "torch",
    "torchvision",
)
Machine = dict[str, Any]


def describe_machine(arithmetic: Arithmetic) -> Machine:
    """What this process computes with, as it is written to ``baseline.json``.

    Args:
        arithmetic: The one that is in force.

    Returns:
        ``arithmetic``; ``threads`` of PyTorch; ``fingerprint``; ``python`` and ``packages``, whose
        versions are ``None`` where one is not installed; ``architecture`` and ``cpu``.
    """
    return {
        "arithmetic": arithmetic,
        "threads": torch.get_num_threads(),
        "fingerprint": fingerprint(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "architecture": platform.machine(),
        "cpu": cpu_name(),
    }


def read_machine(path: Path) -> Machine:
    """The machine that ``baseline.json`` describes.

    Raises:
        LatentlabError: If the file is missing or damaged.
    """
    content = read_json(path)
    mappings = ("fingerprint", "packages")
    if not isinstance(content, dict) or not all(
        isinstance(content.get(name), dict) for name in mappings
    ):
        raise LatentlabError(
            f"{path}: describes no machine; restore it with `git restore {path.name}`"
        )
    return content


def differences(recorded: Machine, found: Machine) -> list[str]:
    """Each fact in which two machines differ, as ``name: found instead of recorded``."""
    first, second = _facts(recorded), _facts(found)
    return [
        f"{name}: {second.get(name)} instead of {first.get(name)}"
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]


def other_bytes(baseline: Path, arithmetic: Arithmetic) -> str | None:
    """Why this process cannot make the bytes of the committed baseline.

    Args:
        baseline: File with the machine that made the baseline.
        arithmetic: The one that is in force.

    Returns:
        One line; ``None`` where the fingerprints are equal, or where there is no such file.

    Raises:
        LatentlabError: If the file is damaged.
    """
    if not baseline.exists():
        return None
    recorded, found = read_machine(baseline), describe_machine(arithmetic)
    theirs, ours = recorded["fingerprint"], found["fingerprint"]
    kinds = [name for name in ours if ours[name] != theirs.get(name)]
    if not kinds:
        return None
    causes = "; ".join(differences(recorded, found)) or "nothing that is recorded differs"
    return (
        f"the last digits will differ from those of the committed baseline, because "
        f"{', '.join(kinds)} give other bits here ({causes}); docs/reproducibility.md says more"
    )


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on, without the names of local builds."""
    found = {name: _version(name) for name in PACKAGES}
    return {name: text.split("+")[0] for name, text in found.items() if text is not None}


def _facts(machine: Machine) -> dict[str, str | None]:
    """One level, without the fingerprint, which is a consequence of the rest."""
    own = {
        name: str(value)
        for name, value in machine.items()
        if name not in ("packages", "fingerprint")
    }
    packages: dict[str, str | None] = machine["packages"]
    return own | packages


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
