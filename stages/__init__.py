"""DVC stages: thin scripts that read files, call the library and write files."""

from stages import lifetime

lifetime.end_on_interrupt()

import sys
from pathlib import Path
from typing import Any

# `dvc exp run --temp` and `--queue` work in a copy of the checkout, while an editable install
# points at the original. The library beside these stages must win, or an experiment would record
# one code and run another.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

lifetime.end_with_dvc()

from latentlab.arithmetic import put_in_force
from latentlab.params_file import find_arithmetic

# Numerical libraries read it while they load, and what follows loads them.
put_in_force(find_arithmetic(sys.argv[1:]))

import typer

from latentlab.errors import LatentlabError, explain

CHECKPOINTS = typer.Option(
    help="Of unfinished trainings, in no output; from the repository's root."
)
LIVE = typer.Option(
    help="What trainings show while they run, in no output; from the repository's root."
)
BASELINE = typer.Option(help="Read, if it is there: the machine that made the baseline.")
CACHE = typer.Option(help="Downloads, kept outside every output; from the repository's root.")


def _model_name(name: str) -> str:
    """Refuse a name that `params.yaml` could not hold, before it becomes a path."""
    from latentlab.params import check_model_name

    return check_model_name(name)


MODEL = typer.Option(help="A key of `models` in the params file.", callback=_model_name)


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
    """Run a stage; a fault of its input or of the disk is a message and status 1, no traceback.

    Ctrl-C is a line and status 130.
    """
    lifetime.clean_up_on_interrupt()
    try:
        app()
    except BaseException as error:
        # Compiled code that is interrupted may raise an error of its own.
        if lifetime.was_interrupted():
            print(lifetime.LINE, file=sys.stderr)
            sys.exit(lifetime.STATUS)
        if isinstance(error, OSError):
            sys.exit(f"error: {explain(error)}")
        if isinstance(error, LatentlabError):
            sys.exit(f"error: {error}")
        raise
