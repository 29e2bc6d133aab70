"""What keeps the figures of two revisions from being compared: other images, another protocol."""

from collections.abc import Mapping
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from latentlab.arrays import SPLITS
from tools.revision import Revision

# Params that decide how a model is measured, and not what it is.
PROTOCOL = ("evaluate.", "gmm.", "reference.")
# Params that decide which images there are, where no digest of them is known.
DATA = ("dataset", "data.", "image_size", "channels")
UNMARKED = "No figure is called better or worse, because"


class Note(NamedTuple):
    """A line of the report: what is the case, and of which names, which come from data."""

    text: str
    names: list[str]


def differences(base: Revision, head: Revision) -> list[Note]:
    """Why figures of two revisions cannot be compared, a line for each reason.

    Images are the same where ``dvc.lock`` has the same digests of them, whatever their params.
    Without both digests, params tell.

    Args:
        base: The revision before.
        head: The revision after.

    Returns:
        Empty where nothing keeps them from being compared.
    """
    before, after = digests(base), digests(head)
    keys = PROTOCOL
    reasons = []
    if before and after:
        others = [split for split in SPLITS if before.get(split) != after.get(split)]
        if others:
            reasons.append(Note(f"{UNMARKED} these images differ", others))
    else:
        keys += DATA
    old, new = base.params(), head.params()
    changed = [
        key
        for key in {**old, **new}
        if f"{key}.".startswith(keys) and old.get(key) != new.get(key)
    ]
    if changed:
        reasons.append(Note(f"{UNMARKED} these params of the protocol differ", changed))
    return reasons


def digests(revision: Revision) -> Mapping[str, str]:
    """Digest of the processed images of each split in ``dvc.lock``; empty where it has none."""
    content = revision.read("dvc.lock")
    try:
        lock = YAML(typ="safe").load(content) if content else {}
        outs = lock["stages"]["preprocess"]["outs"]
        found = {str(out["path"]).rpartition("/")[2]: str(out["md5"]) for out in outs}
    except (YAMLError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {split: found[split] for split in SPLITS if split in found}
