"""Tests that run commands, in a checkout and with a Python whose paths hold spaces and accents."""

import os
import sys
from pathlib import Path

import pytest

from tests.checkout import copy_of_checkout, shell

RUN_COMMANDS = (
    "tests/tools/test_doctor.py",
    "tests/tools/test_review.py",
    "tests/stages/test_stages.py::test_stages_take_the_library_of_their_own_checkout",
    "tests/stages/test_stages.py::test_a_fault_of_the_input_is_a_message_and_no_traceback",
    "tests/test_limits.py::test_check_needs_neither_torch_nor_much_else",
)


@pytest.mark.slow
def test_commands_run_in_a_path_with_spaces_accents_and_a_quote(tmp_path, environment):
    place = tmp_path / "un été à l'ombre"
    copy_of_checkout(place / "my checkout")
    (place / "my python").symlink_to(sys.prefix)
    python = place / "my python" / Path(sys.executable).relative_to(sys.prefix)
    told = shell(
        *(python, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider"),
        *("--basetemp", place / "of tests", *RUN_COMMANDS),
        cwd=place / "my checkout",
        environment=environment,
        PYTHONPATH=str(place / "my checkout/src"),
        PATH=f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    )
    assert told.returncode == 0, told.stdout
