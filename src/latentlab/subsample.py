"""Some of many: where all would cost too much, and the first ones would be one class."""

import numpy as np
import numpy.typing as npt


def subsample(total: int, count: int, seed: int) -> npt.NDArray[np.intp]:
    """At most so many of ``total`` things, each as likely as the other, in ascending order.

    Example:
        >>> subsample(3, 5, seed=0).tolist()
        [0, 1, 2]
    """
    rng = np.random.default_rng(seed)
    chosen: npt.NDArray[np.intp] = rng.choice(total, min(count, total), replace=False)
    return np.sort(chosen)
