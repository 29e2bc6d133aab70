"""DVC stages: thin scripts that read files, call the library and write files."""

import sys
from pathlib import Path
from typing import Any

import typer

# `dvc exp run --temp` and `--queue` work in a copy of the checkout, while an editable install
# points at the original. The library beside these stages must win, or an experiment would record
# one code and run another.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from latentlab.errors import LatentlabError

CACHE = typer.Option(help="Downloads, kept outside every output; from the repository's root.")
MODEL = typer.Option(help="A key of `models` in the params file.")


def input_file(content: str) -> Any:
    """Option of a file that a stage reads; the help says what it holds."""
    return typer.Option(exists=True, dir_okay=False, help=f"Read: {content}.")


def input_folder(content: str) -> Any:
    """Option of a folder that a stage reads; the help says what it holds."""
    return typer.Option(exists=True, file_okay=False, help=f"Read: {content}.")


def output(content: str) -> Any:
    """Option of a file or folder that a stage writes; the help says what it holds."""
    return typer.Option(help=f"Written: {content}.")


def new_app() -> typer.Typer:
    """A command line with plain help, errors and tracebacks, which a log can show."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def run(app: typer.Typer) -> None:
    """Run a stage; a fault of its input is a message and status 1, not a traceback."""
    try:
        app()
    except LatentlabError as error:
        sys.exit(f"error: {error}")
