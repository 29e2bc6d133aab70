"""What a stage depends on beside its own file."""

from tests.conftest import ROOT
from tools.deps import ASSETS, closure


def written(root, name, text=""):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_stage_depends_on_the_assets_of_what_it_imports(tmp_path):
    ((module, folder),) = ASSETS.items()
    for name in ("explorer.js", "explorer.css", "LICENSES.txt", ".explorer.js.swp"):
        written(tmp_path, f"{folder}/{name}")
    written(tmp_path, module)
    dotted = module.removeprefix("src/").removesuffix(".py").replace("/", ".")
    written(tmp_path, "src/latentlab/between.py", f"from {dotted} import page\n")
    written(tmp_path, "stages/one.py", "import latentlab.between\n")
    written(tmp_path, "stages/other.py", "import latentlab.explorer\n")
    assert closure("stages/one.py", tmp_path) == {
        "stages/one.py",
        "src/latentlab/between.py",
        module,
        *(f"{folder}/{name}" for name in ("LICENSES.txt", "explorer.css", "explorer.js")),
    }
    assert closure("stages/other.py", tmp_path) == {"stages/other.py"}


def test_modules_with_assets_are_there():
    for module in ASSETS:
        assert (ROOT / module).exists()
