"""The built script of the page: it is that of the sources, and carries the licenses it must."""

import hashlib
import json
import shutil
import subprocess

import pytest

from latentlab.explorer.page import ASSET
from tests.conftest import ROOT

SOURCE = ROOT / "explorer"


def sources():
    found = [path for path in (SOURCE / "src").rglob("*") if path.is_file()]
    found += [SOURCE / name for name in ("build.mjs", "package-lock.json", "package.json")]
    return sorted(found, key=lambda path: path.relative_to(SOURCE).as_posix())


def test_the_asset_is_built_of_the_sources():
    digest = hashlib.sha256()
    for path in sources():
        digest.update(f"{path.relative_to(SOURCE).as_posix()}\n".encode() + path.read_bytes())
    first = (ASSET / "explorer.js").read_text(encoding="utf-8").splitlines()[0]
    assert first == f"// Built of {digest.hexdigest()}", "run `npm run build` in explorer"


@pytest.mark.skipif(
    shutil.which("node") is None or not (SOURCE / "node_modules").is_dir(),
    reason="node or the page's packages are missing (npm ci in explorer)",
)
def test_a_build_gives_the_same_bytes(tmp_path):
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=SOURCE, check=True)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (ASSET / path.name).read_bytes(), path.name
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in ASSET.iterdir()}


def test_versions_are_pinned():
    package = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))
    for version in (package["dependencies"] | package["devDependencies"]).values():
        assert version[0].isdigit()
    locked = json.loads((SOURCE / "package-lock.json").read_text(encoding="utf-8"))
    assert all(each.get("integrity") for name, each in locked["packages"].items() if name)


def test_every_library_inside_has_its_license():
    text = (ASSET / "LICENSES.txt").read_text(encoding="utf-8")
    locked = json.loads((SOURCE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    used = {path for path, each in locked.items() if path and not each.get("dev")}
    for path in used | {"node_modules/kdbush"}:
        name = path.rpartition("node_modules/")[2]
        assert f"\n{name} {locked[path]['version']}\n" in f"\n{text}", path
    assert text.lower().count("permission") >= len(used)
