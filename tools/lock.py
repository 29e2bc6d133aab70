"""Write the lock files from the versions that are installed in this environment.

Run as ``python -m tools.lock`` (``make lock``), after installing newer versions by hand. What a
lock file lists stays in it; packages that are new go into ``requirements.lock``.
"""

import re
from importlib.metadata import distributions
from pathlib import Path

from tools import run

ROOT = Path(__file__).resolve().parents[1]
IGNORED = {"latentlab", "pip", "wheel"}


def normalized(name: str) -> str:
    """A package's name as installers compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text: str, versions: dict[str, str], others: set[str] | None = None) -> str:
    """A lock file with other versions.

    Args:
        text: Of the old file; its comments and its list of packages stay.
        versions: Installed version of each package; those not installed drop out.
        others: Packages that another file lists; if given, every other one is added here.
    """
    comments = [line for line in text.splitlines() if line.startswith("#")]
    listed = {normalized(line.split("==")[0]) for line in text.splitlines() if "==" in line}
    kept = {
        name
        for name in versions
        if normalized(name) in listed or (others is not None and normalized(name) not in others)
    }
    # Local labels such as +cpu name a build that other machines may not have.
    pins = [f"{name}=={versions[name].split('+')[0]}" for name in sorted(kept, key=str.lower)]
    return "\n".join([*comments, *pins]) + "\n"


def main() -> None:
    """Write both files."""
    versions = {d.metadata["Name"]: d.version for d in distributions()}
    versions = {name: version for name, version in versions.items() if name not in IGNORED}
    develops, runs = ROOT / "requirements-dev.lock", ROOT / "requirements.lock"
    others = {normalized(line.split("==")[0]) for line in develops.read_text().splitlines()}
    develops.write_text(locked(develops.read_text(), versions), encoding="utf-8")
    runs.write_text(locked(runs.read_text(), versions, others), encoding="utf-8")


if __name__ == "__main__":
    run(main)
