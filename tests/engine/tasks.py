"""Tasks that tests give to engines; worker processes import them by name."""

import os
import signal
import sys
import time

from latentlab.arithmetic import in_force
from latentlab.errors import LatentlabError


def doubled(number):
    return 2 * number


def slower_at_first(number):
    """Later tasks are done before earlier ones."""
    time.sleep(0.2 / (1 + number))
    return number


def refuses_three(number):
    if number == 3:
        raise LatentlabError("three: found 3, allowed: others")
    return number


def killed_once(number, folder):
    """The worker of each fifth task is killed when it is at it for the first time."""
    flag = folder / str(number)
    if number % 5 == 2 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def killed_always(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def surroundings(_):
    """What the worker has loaded and put in force."""
    found = {
        "process": os.getpid(),
        "arithmetic": in_force(),
        "torch": "torch" in sys.modules,
        "program": "pytest" in sys.modules,
        "folder": os.getcwd(),  # noqa: PTH109 - text
    }
    if "ray" in sys.modules:
        import ray

        found["machine"] = ray.get_runtime_context().get_node_id()
    if found["torch"]:
        import torch

        found["threads"] = torch.get_num_threads()
        found["deterministic"] = torch.are_deterministic_algorithms_enabled()
    return found
