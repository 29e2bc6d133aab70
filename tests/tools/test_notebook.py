import base64
import io

import pytest
from PIL import Image

from tools import notebook

PAGES = sorted(notebook.DOCS.glob("*.ipynb"))


def test_there_is_one():
    assert PAGES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_it_is_short_and_shown_with_its_pictures(path):
    cells = list(notebook.code_cells(notebook.read(path)))
    assert sum(bool(line.strip()) for cell in cells for line in cell["source"]) < 40
    pictures = [
        output["data"]["image/png"]
        for cell in cells
        for output in cell["outputs"]
        if output["output_type"] == "display_data"
    ]
    assert len(pictures) >= 4
    for each in pictures:
        with Image.open(io.BytesIO(base64.b64decode(each))) as picture:
            assert picture.width > 100
    assert not [o for cell in cells for o in cell["outputs"] if o["output_type"] == "error"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_it_runs_with_any_bundle(path, make_bundle, tmp_path, monkeypatch):
    make_bundle("vae")
    monkeypatch.chdir(tmp_path)
    content = notebook.read(path)
    before = [len(cell["outputs"]) for cell in notebook.code_cells(content)]
    names = notebook.execute(content)
    assert [len(cell["outputs"]) for cell in notebook.code_cells(content)] == before
    assert len(names["found"]) == 220
