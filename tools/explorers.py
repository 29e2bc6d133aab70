"""The explorer of two revisions, each made by its own code: pages for whoever reviews a change.

What DVC has in its cache is taken from there; the rest is run, in a worktree of its own.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from latentlab.errors import LatentlabError, quoted
from tools import output_of, reason, run
from tools.revision import git, merge_base

ROOT = Path(__file__).resolve().parents[1]
STAGE = "explore"
PAGE = "data/explorer.html"


class Link(NamedTuple):
    """Where an explorer is, for a report."""

    text: str
    address: str


def link(text: str, address: str) -> Link:
    """A link to an explorer.

    Raises:
        LatentlabError: If the address is neither one of the web nor a path.
    """
    if not re.fullmatch(r"https://\S+|(?!//)[\w./-]+", address):
        raise LatentlabError(
            f"explorer {text}: found {quoted(address)}; allowed: an address that begins with "
            "https://, or a path"
        )
    return Link(text, address)


@contextmanager
def worktree(root: Path, revision: str) -> Iterator[Path]:
    """A folder with the files of a revision, whose DVC shares the cache of the repository.

    Raises:
        LatentlabError: If there is no such revision.
    """
    found = git(
        root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}", check=False
    )
    if found.returncode:
        raise LatentlabError(f"{quoted(revision)} is no revision; name a branch, tag or commit")
    commit = found.stdout.decode().strip()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "checkout"
        git(root, "worktree", "add", "--detach", "--quiet", str(folder), commit)
        try:
            cache = output_of(["dvc", "cache", "dir"], root).stdout.decode().strip()
            output_of(["dvc", "cache", "dir", "--local", cache], folder)
            yield folder
        finally:
            git(root, "worktree", "remove", "--force", str(folder), check=False)


def make(root: Path, revision: str, to: Path) -> bool:
    """Run a revision's pipeline up to its explorer, and copy the page.

    Args:
        root: Of the repository.
        revision: A branch, tag or commit.
        to: The file.

    Returns:
        Whether the revision has an explorer.

    Raises:
        LatentlabError: If there is no such revision, or its pipeline fails.
    """
    to.unlink(missing_ok=True)
    with worktree(root, revision) as folder:
        if f"\n  {STAGE}:" not in (folder / "dvc.yaml").read_text(encoding="utf-8"):
            return False
        done = output_of(["dvc", "repro", STAGE], folder, check=False)
        if done.returncode:
            raise LatentlabError(f"{quoted(revision)}: dvc repro {STAGE} failed ({reason(done)})")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / PAGE, to)
    return True


def main(
    base: Annotated[str, typer.Option(help="The revision to compare with.")] = "main",
    head: Annotated[str, typer.Option(help="The revision to look at.")] = "HEAD",
    out: Annotated[Path, typer.Option(help="Folder for before.html and after.html.")] = Path(
        "explorers"
    ),
) -> None:
    """Write the explorers of the merge base of two revisions and of the second."""
    common = merge_base(ROOT, base, head)
    for revision, name in ((common, "before"), (head, "after")):
        if not make(ROOT, revision, out / f"{name}.html"):
            print(f"{name}: this revision has no explorer", file=sys.stderr)


if __name__ == "__main__":
    run(partial(typer.run, main))
