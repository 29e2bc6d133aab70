"""What several tests of evaluation share."""

import numpy as np

from latentlab.latents.arrays import Latents


def by_name(scores):
    """Values of scores under ``group.metric``, each there once."""
    found = {f"{score.group}.{score.metric}": score.value for score in scores}
    assert len(found) == len(scores)
    return found


def latents_of(count, **changes):
    """Latents of some images whose reconstruction loss is 0, 1, 2, ..."""
    arrays = {
        "mean": np.zeros((count, 2), np.float32),
        "log_var": None,
        "squared_error": np.zeros(count, np.float32),
        "reconstruction": np.arange(count, dtype=np.float32),
        "kl": None,
        "reconstructions": None,
    }
    return Latents(**arrays | changes)
