"""Run the notebooks of ``docs/`` and keep what they print and draw; ``make notebook``.

A notebook is JSON, and its code is Python: each cell is run in one namespace, in order, and the
figures that are open after it become its output. Jupyter, with its 27 packages, is needed to edit
one by hand, and neither here nor for the test.
"""

import base64
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot as plt

from latentlab.files import replacing
from tools import run

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
DPI = 80

Cell = dict[str, Any]


def read(path: Path) -> dict[str, Any]:
    """A notebook as a mapping."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def code_cells(notebook: dict[str, Any]) -> Iterator[Cell]:
    """The cells that hold code, in order."""
    return (cell for cell in notebook["cells"] if cell["cell_type"] == "code")


def execute(notebook: dict[str, Any]) -> dict[str, Any]:
    """Run every code cell in the working folder, and replace its outputs, in place.

    Returns:
        The names that the code has defined.
    """
    matplotlib.use("agg")
    names: dict[str, Any] = {}
    for number, cell in enumerate(code_cells(notebook), start=1):
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
        cell["execution_count"] = number
        cell["outputs"] = [*_text(printed.getvalue()), *_figures()]
    return names


def _text(printed: str) -> list[Cell]:
    if not printed:
        return []
    return [{"output_type": "stream", "name": "stdout", "text": printed.splitlines(keepends=True)}]


def _figures() -> list[Cell]:
    """Every open figure as a PNG, without the version of matplotlib; then they are closed."""
    outputs: list[Cell] = []
    for number in plt.get_fignums():
        stream = io.BytesIO()
        plt.figure(number).savefig(
            stream, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None}
        )
        encoded = base64.b64encode(stream.getvalue()).decode()
        outputs.append(
            {"output_type": "display_data", "data": {"image/png": encoded}, "metadata": {}}
        )
    plt.close("all")
    return outputs


def main() -> None:
    """Run all notebooks from the repository's root, where ``bundles/`` is."""
    for path in sorted(DOCS.glob("*.ipynb")):
        notebook = read(path)
        execute(notebook)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(notebook, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
