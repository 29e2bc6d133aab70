"""Write the code that each stage imports, and its assets, into the ``deps`` of ``dvc.yaml``.

DVC does not see imports. ``latentlab.params`` is not followed, except for ``check``: its values
are tracked one by one under ``params``.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from latentlab.errors import LatentlabError
from tools import run

ROOT = Path(__file__).resolve().parents[1]
PARAMS = "src/latentlab/params.py"
# Registries import the modules of a folder by name.
FOLDERS = {
    "src/latentlab/models/registry.py": "src/latentlab/models/kinds",
    "src/latentlab/data/sources/registry.py": "src/latentlab/data/sources",
}
# Folders of files without imports that a module reads.
ASSETS = {"src/latentlab/explorer/page.py": "src/latentlab/explorer/asset"}
# Bytes depend on the versions that these stages compute with.
ALWAYS = "requirements.lock"


def imported_modules(tree: ast.AST, *, nested: bool) -> Iterator[str]:
    """Dotted names that a syntax tree imports, without those for type checkers only.

    Args:
        tree: A module.
        nested: Whether imports inside functions count.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif nested or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imported_modules(node, nested=nested)


def file_of(module: str, root: Path) -> str | None:
    """The file of this project that a dotted name stands for, if any."""
    for folder in ("src", "."):
        base = root / folder / module.replace(".", "/")
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if file.exists():
                return file.relative_to(root).as_posix()
    return None


def closure(path: str, root: Path = ROOT, *, follow_params: bool = False) -> set[str]:
    """Files of this project that a file imports, directly or not, their assets, and itself.

    Args:
        path: From the root, with forward slashes.
        root: Of the repository.
        follow_params: Whether ``params.py`` counts; imports inside functions then do not, since
            reading settings runs none.
    """
    found: set[str] = set()
    waiting = [path]
    while waiting:
        name = waiting.pop()
        if name in found or (name == PARAMS and not follow_params):
            continue
        found.add(name)
        try:
            tree = ast.parse((root / name).read_text(encoding="utf-8"))
        except (SyntaxError, ValueError) as error:
            raise LatentlabError(f"{name}: not valid Python ({error}); mend it") from error
        for module in imported_modules(tree, nested=not follow_params):
            file = file_of(module, root)
            if file is not None:
                waiting.append(file)
        if name in FOLDERS:
            folder = root / FOLDERS[name]
            waiting += [file.relative_to(root).as_posix() for file in folder.glob("*.py")]
        if name in ASSETS:
            assets = (root / ASSETS[name]).glob("[!.]*")
            found |= {file.relative_to(root).as_posix() for file in assets}
    # A package without code of its own changes nothing.
    return {
        name for name in found if not (name.startswith("src/") and name.endswith("/__init__.py"))
    }


def with_deps(text: str, root: Path = ROOT) -> str:
    """``dvc.yaml`` with the code of every stage under its ``deps``, whatever stood there."""

    def stage(match: re.Match[str]) -> str:
        name, block = match[1], match[0]
        checks = name == "check"
        code = sorted(closure(f"stages/{name}.py", root, follow_params=checks))
        lines = re.sub(r"    - (src/|stages/|requirements\.lock).*\n", "", block)
        listed = "".join(
            f"    - {file}\n" for file in ([ALWAYS, *code] if name != "check" else code)
        )
        return re.sub(r"(    deps:\n(?:    - .*\n)*)", lambda m: m[1] + listed, lines, count=1)

    try:
        head, stages, rest = re.split(r"(?m)^(?=stages:|plots:)", text)
    except ValueError as error:
        raise LatentlabError(
            "dvc.yaml: expected one `stages:` and one `plots:` after it; restore it from git"
        ) from error
    return head + re.sub(r"(?ms)^  (\w+):\n.*?(?=^  \w+:\n|\Z)", stage, stages) + rest


def main() -> None:
    """Write the file, or with ``--check`` only compare."""
    file = ROOT / "dvc.yaml"
    old = file.read_text(encoding="utf-8")
    new = with_deps(old)
    if "--check" in sys.argv and new != old:
        raise LatentlabError(
            "the deps of dvc.yaml are not what the stages import; run `make deps`"
        )
    file.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    run(main)
