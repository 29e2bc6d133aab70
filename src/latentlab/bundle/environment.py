"""The arithmetic of a bundle, put in force before NumPy loads; standard library only."""

import json
import sys
from pathlib import Path

from latentlab.arithmetic import put_in_force

CONFIG = "config.json"


def prepare(folder: Path) -> None:
    """Compute as the run did that made a bundle, if NumPy and PyTorch are not loaded yet.

    A config that cannot be read changes nothing here; ``load_bundle`` says what is wrong with it.

    Args:
        folder: Of the bundle.
    """
    if "numpy" in sys.modules or "torch" in sys.modules:
        return
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        arithmetic = config["arithmetic"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return
    if arithmetic in ("portable", "native", "strict"):
        put_in_force(arithmetic)
