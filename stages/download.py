"""Download stage: name of a data set -> its own files, verified."""

from pathlib import Path
from typing import Annotated

from latentlab.data.sources.registry import fetch
from latentlab.engine.base import Setup
from latentlab.engine.opening import open_engine, usable_cores
from latentlab.files import replacing
from latentlab.params import load_params
from latentlab.site import find_site
from stages import CACHE, input_file, new_app, output, run

app = new_app()


@app.command()
def main(
    raw: Annotated[Path, output("one folder per data set, with its files or the index of them")],
    cache: Annotated[Path, CACHE],
    params: Annotated[Path, input_file("all params of the run")] = Path("params.yaml"),
) -> None:
    """Copy or download the files of the data set, and verify them."""
    settings = load_params(params)
    with (
        open_engine(Setup(), processes=usable_cores()) as engine,
        replacing(raw) as temporary,
    ):
        site = find_site(settings.data.mirrors or (), cache, engine)
        fetch(settings.dataset, settings.data, temporary, site)


if __name__ == "__main__":
    run(app)
