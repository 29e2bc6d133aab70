"""How the process of a stage ends: with the DVC that started it, and with one line for Ctrl-C."""

import os
import signal
import sys

STATUS = 130  # of a process that Ctrl-C has ended, as shells have it
LINE = "interrupted; `dvc repro` goes on from here"


def end_on_interrupt() -> None:
    """Answer Ctrl-C with one line from now on, before anything is imported that takes long."""
    if _is_stage():
        signal.signal(signal.SIGINT, leave_at_once)


def end_with_dvc() -> None:
    """End when the DVC that has started this stage is killed, instead of going on without it."""
    from latentlab.processes import end_with_parent

    # A stage that somebody starts by hand may outlive the shell, with `nohup`. One that another
    # stage has started, to share its work, ends with that one.
    if _is_stage() and {"DVC_STAGE", "LATENTLAB_WORKER"} & os.environ.keys():
        end_with_parent()


def clean_up_on_interrupt() -> None:
    """Let Ctrl-C from now on leave what runs by an exception, so that files are removed."""
    signal.signal(signal.SIGINT, _leave)


def was_interrupted() -> bool:
    """Whether Ctrl-C has come since ``clean_up_on_interrupt``."""
    return signal.getsignal(signal.SIGINT) is leave_at_once


def _is_stage() -> bool:
    """Whether this process is a stage, and not a test or another program that imports one."""
    # What Python puts there while `python -m stages.STAGE` imports the package `stages`.
    return sys.argv[0] == "-m"


def _leave(*_: object) -> None:
    # The second Ctrl-C does not wait.
    signal.signal(signal.SIGINT, leave_at_once)
    # Typer would take a KeyboardInterrupt for its own.
    sys.exit(STATUS)


def leave_at_once(*_: object) -> None:
    """End this process with the line for Ctrl-C, without any cleaning up."""
    os.write(2, f"{LINE}\n".encode())
    os._exit(STATUS)
