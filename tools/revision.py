"""Files, params and tables of one revision, read from git or the workspace."""

import io
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from latentlab.errors import LatentlabError, cut, quoted
from tools import one_line, output_of, reason
from tools.nested import flat

WORKSPACE = "workspace"
# Characters of a param's value: a comment on a pull request has room for 65,536 in all.
LONGEST = 200


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
        return {name for name in os.fsdecode(listed.stdout).split("\0") if name}

    def params(self) -> dict[str, str]:
        """Values of params.yaml as text under their dotted keys.

        Raises:
            LatentlabError: If the file is not valid YAML.
        """
        content = self.read("params.yaml")
        try:
            values = YAML(typ="safe", pure=True).load(content) if content else {}
            known = flat(values if isinstance(values, dict) else {})
            return {
                key: "(empty)" if value is None else cut(str(value), LONGEST)
                for key, value in known.items()
            }
        except (YAMLError, ValueError, RecursionError) as error:
            raise LatentlabError(
                f"params.yaml of {self.name}: not valid YAML: {one_line(str(error))}"
            ) from error

    def table(self, path: str, *columns: str, text: tuple[str, ...] = ()) -> pd.DataFrame:
        """A CSV file; empty, with these columns, where there is none.

        Args:
            path: From the repository's root.
            columns: That it must have; others are left out.
            text: Those of them that are text; the others are numbers, ``NaN`` where empty.

        Raises:
            LatentlabError: If the file is damaged, or a column is missing or holds no numbers.
        """
        content = self.read(path)
        if content is None:
            return pd.DataFrame(columns=list(columns))
        types = {column: str if column in text else float for column in columns}
        try:
            frame = pd.read_csv(io.BytesIO(content), dtype=types, usecols=list(columns))
        except ValueError as error:
            raise LatentlabError(
                f"{path} of {self.name}: not a readable table ({one_line(str(error))}); "
                "restore it from git, or make it again with `dvc repro`"
            ) from error
        return frame[list(columns)].fillna(dict.fromkeys(text, ""))


def git(root: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run git in a repository.

    Raises:
        LatentlabError: If git is not installed, or fails and ``check`` is true.
    """
    return output_of(["git", *words], root, check=check)


def merge_base(root: Path, base: str, head: str) -> str:
    """The last commit that two revisions have in common.

    Raises:
        LatentlabError: If there is none.
    """
    found = git(root, "merge-base", "--end-of-options", base, head, check=False)
    if found.returncode:
        raise LatentlabError(
            f"{quoted(base)} and {quoted(head)} have no commit in common ({reason(found)}); name "
            "another --base or --head, or fetch the whole history"
        )
    return found.stdout.decode().strip()
