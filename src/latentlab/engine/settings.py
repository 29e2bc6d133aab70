"""The engine that an environment variable names; standard library only, for stage ``check``."""

import os
import re
from importlib.util import find_spec
from typing import Literal, NamedTuple, final

from latentlab.errors import LatentlabError, quoted

ENGINE = "LATENTLAB_ENGINE"
KINDS = ("local", "pool", "ray")
# What may follow a kind: the processes of a pool, the address of a running Ray.
_DETAILS = {"pool": r"[1-9]\d{0,3}", "ray": r"auto|[\w.-]+:\d{1,5}|\[[\w:]+\]:\d{1,5}"}


@final
class EngineSettings(NamedTuple):
    """What ``LATENTLAB_ENGINE`` says.

    Attributes:
        kind: ``local``, ``pool`` or ``ray``.
        processes: Of a pool; ``None`` for as many as the CPUs allow.
        address: Of a running Ray; ``None`` to start one on this machine.
    """

    kind: Literal["local", "pool", "ray"] = "local"
    processes: int | None = None
    address: str | None = None


def find_engine() -> EngineSettings:
    """The engine that the environment names.

    Raises:
        LatentlabError: If there is no such engine, or its package is missing.
    """
    kind, colon, detail = (named() or "local").partition(":")
    if kind not in KINDS or (colon and not re.fullmatch(_DETAILS.get(kind, "(?!)"), detail)):
        raise refused("allowed: local, pool, pool:PROCESSES, ray, ray:auto, ray:HOST:PORT; "
                      "correct or unset the variable")  # fmt: skip
    if kind == "ray":
        if find_spec("ray") is None:
            raise refused(
                "but the package ray is not installed; run `pip install ray`, or set it to pool"
            )
        return EngineSettings("ray", address=detail or None)
    if kind == "pool":
        return EngineSettings("pool", int(detail) if detail else None)
    return EngineSettings()


def named() -> str:
    """The value of the variable; empty without one."""
    return os.environ.get(ENGINE, "").strip()


def refused(why: str) -> LatentlabError:
    """An error that begins with the variable and its value."""
    return LatentlabError(f"{ENGINE}: found {quoted(named())}, {why}")
