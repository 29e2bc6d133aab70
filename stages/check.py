"""`params.yaml` in, a constant file out: a bad parameter stops here, with every output intact."""

import sys
from pathlib import Path
from typing import Annotated

from latentlab.engine.settings import find_engine
from latentlab.files import replacing
from latentlab.limits import check_machine, check_packages
from latentlab.params import load_params
from stages import input_file, new_app, output, run

app = new_app()


@app.command()
def main(
    params: Annotated[Path, input_file("values of the run")],
    checked: Annotated[Path, output("a constant text, once all values are valid")],
) -> None:
    """Refuse unknown keys and bad values in the params file, and an engine that is not there."""
    values = load_params(params)
    check_packages(values)
    find_engine()
    for warning in check_machine(values):
        print(f"warning: {warning}", file=sys.stderr)
    # Constant, so that what depends on it re-runs for its own params only.
    with replacing(checked) as temporary:
        temporary.write_text(
            "params.yaml names every key and no other, each with a value in range\n"
        )


if __name__ == "__main__":
    run(app)
