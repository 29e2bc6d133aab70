"""The arithmetic that a params file asks for, found before anything imports NumPy."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from ruamel.yaml import YAML

from latentlab.arithmetic import Arithmetic


def find_arithmetic(arguments: Sequence[str]) -> Arithmetic:
    """The value of ``arithmetic`` in the params file that a command line names.

    Args:
        arguments: Of a stage, without its name; ``--params`` names the file.

    Returns:
        ``portable`` where the file says nothing that can be used: it is read again, and refused
        with a message, by ``load_params``.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    try:
        path = parser.parse_known_args(arguments)[0].params
        found = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))["arithmetic"]
    except (Exception, SystemExit):
        return "portable"
    return found if found in get_args(Arithmetic) else "portable"
