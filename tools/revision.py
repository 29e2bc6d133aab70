"""Files, params and tables of one revision, read from git or the workspace."""

import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tools.nested import flat

WORKSPACE = "workspace"


@final
@dataclass(frozen=True)
class Revision:
    """The files of a commit, or of the workspace.

    Attributes:
        root: Of the repository.
        name: What git knows it by, or ``workspace``.
    """

    root: Path
    name: str

    def read(self, path: str) -> bytes | None:
        """Content of a file; ``None`` where there is none."""
        if self.name == WORKSPACE:
            file = self.root / path
            return file.read_bytes() if file.is_file() else None
        found = git(self.root, "show", f"{self.name}:{path}", check=False)
        return found.stdout if found.returncode == 0 else None

    def files(self, folder: str) -> set[str]:
        """Paths below a folder, from the repository's root."""
        if self.name == WORKSPACE:
            found = (self.root / folder).rglob("*")
            return {str(path.relative_to(self.root)) for path in found if path.is_file()}
        listed = git(self.root, "ls-tree", "-r", "-z", "--name-only", self.name, "--", folder)
        return {name for name in listed.stdout.decode().split("\0") if name}

    def params(self) -> dict[str, str]:
        """Values of params.yaml as text under their dotted keys."""
        content = self.read("params.yaml")
        try:
            values = YAML(typ="safe", pure=True).load(content) if content else {}
        except (YAMLError, ValueError) as error:
            sys.exit(f"error: params.yaml of {self.name} is not valid YAML: {error}")
        known = flat(values if isinstance(values, dict) else {})
        return {key: "(empty)" if value is None else str(value) for key, value in known.items()}

    def table(self, path: str, *columns: str) -> pd.DataFrame:
        """A CSV file; empty, with these columns, where there is none."""
        content = self.read(path)
        frame = pd.read_csv(io.BytesIO(content)) if content else pd.DataFrame()
        return frame.reindex(columns=[*columns, *(c for c in frame if c not in columns)])


def git(root: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run git in a repository; a failure ends the program unless ``check`` is false."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    if check and done.returncode:
        sys.exit(f"error: git {' '.join(words)}: {done.stderr.decode().strip()}")
    return done
