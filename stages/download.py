"""A data set's name in, its own files out, verified."""

from pathlib import Path
from typing import Annotated

from latentlab.data.sources.registry import fetch
from latentlab.files import replacing
from latentlab.params import load_params
from latentlab.site import find_site
from stages import CACHE, INPUT_FILE, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    raw: Annotated[Path, OUTPUT],
    cache: Annotated[Path, CACHE],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Bring the files of the data set of the params file into a folder."""
    settings = load_params(params)
    with replacing(raw) as temporary:
        fetch(settings, temporary, find_site(settings.data.mirrors or (), cache))


if __name__ == "__main__":
    run(app)
