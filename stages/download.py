"""A data set's name in, its own files out, verified."""

from pathlib import Path
from typing import Annotated

from latentlab.config import load_params
from latentlab.datasets.build import fetch
from latentlab.files import replacing
from stages import INPUT_FILE, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    raw: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Bring the files of the data set of the params file into a folder."""
    with replacing(raw) as temporary:
        fetch(load_params(params), temporary)


if __name__ == "__main__":
    run(app)
