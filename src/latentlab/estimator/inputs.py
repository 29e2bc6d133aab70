"""What people give an estimator, rows, images or files, and labels, as a model takes them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, final

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import type_of_target

from latentlab.arrays import NO_CLASS, Integers, Shape
from latentlab.data.settings import Fit, InputSettings
from latentlab.errors import LatentlabError, quoted

Numbers = npt.NDArray[Any]
RowShape = tuple[int, ...] | Literal["pad"] | None
SMALLEST = 8  # pixels per side of the images that models take


@final
class Labels(NamedTuple):
    """Labels of images.

    Attributes:
        classes: Sorted, shape ``(n_classes,)``; empty without labels.
        codes: Index into ``classes`` of each image, shape ``(N,)``; ``NO_CLASS`` for none.
    """

    classes: Numbers
    codes: Integers


@final
@dataclass(frozen=True)
class ValueScale:
    """How numbers become floats in ``[0, 1]``.

    Attributes:
        top: Number that stands for white; ``None`` for 1 in floats and 255 in whole numbers.
        clip: Whether larger ones are white too; else a larger one is refused.
    """

    top: float | None
    clip: bool

    @classmethod
    def of(cls, array: Numbers, max_value: float | None) -> "ValueScale":
        """The scale of an array: a given one, else the largest of floats that exceed 1."""
        if max_value is not None:
            return cls(float(max_value), False)
        largest = float(array.max(initial=0))
        if np.issubdtype(array.dtype, np.floating) and largest > 1:
            return cls(largest, True)
        return cls(None, False)

    def apply(self, array: Numbers) -> Numbers:
        """Numbers as ``input_batches`` takes them: floats in ``[0, 1]``, or as they are.

        Raises:
            LatentlabError: If a number exceeds a given ``max_value``.
        """
        if self.top is None:
            return array
        if self.clip:
            array = np.minimum(array, self.top)
        elif (largest := array.max(initial=0)) > self.top:
            raise LatentlabError(
                f"images: found {array.dtype} up to {largest:g}, above max_value {self.top:g}; "
                "raise it, or scale the images"
            )
        scaled: Numbers = array / self.top
        return scaled


def are_items(X: Any) -> bool:
    """Whether each image is to be taken for itself: a path, a Pillow image, or of its own size."""
    if isinstance(X, str | Path | Image.Image):
        return True
    if not isinstance(X, Sequence):
        return False
    if any(isinstance(x, str | Path | Image.Image) for x in X) or not X:
        return True
    return all(np.ndim(x) >= 2 for x in X) and len({np.shape(x) for x in X}) > 1


def image_array(X: Any) -> Numbers | None:
    """Images that are an array in three or four axes, or become one; ``None`` for rows.

    Returns:
        Shape ``(N, C, H, W)``.

    Raises:
        LatentlabError: If there is another number of channels than 1 or 3.
    """
    if hasattr(X, "detach"):  # a tensor
        X = X.detach().cpu().numpy()
    if isinstance(X, Sequence) and all(np.ndim(x) >= 2 for x in X):
        X = np.stack([np.asarray(x) for x in X])
    if getattr(X, "ndim", 0) not in (3, 4):
        return None
    array = np.asarray(X)
    images = array[:, None] if array.ndim == 3 else array
    if images.shape[1] not in (1, 3) or 0 in images.shape[2:]:
        raise LatentlabError(
            f"images: found an array of shape {array.shape}; allowed: rows (N, pixels), "
            "(N, H, W), or (N, C, H, W) with C 1 or 3; channels that are last are moved by "
            "images.transpose(0, 3, 1, 2)"
        )
    return images


def row_shape(n_features: int, image_shape: RowShape) -> Shape:
    """Channels, height and width of the image that a row of numbers is.

    Args:
        n_features: Numbers in a row.
        image_shape: ``(H, W)`` or ``(C, H, W)``; ``pad`` for the smallest gray square that has
            room; ``None`` for a gray square of exactly so many.

    Raises:
        ValueError: If it does not fit.
    """
    side = math.isqrt(n_features - 1) + 1
    if isinstance(image_shape, str):
        if image_shape != "pad":
            raise ValueError(f"image_shape: found {quoted(image_shape)}; allowed: a shape, or pad")
        return 1, side, side
    if image_shape is None:
        if side * side != n_features:
            raise ValueError(
                f"image_shape: empty, but rows of {n_features} numbers are no square image; give "
                "(H, W) or (C, H, W), or 'pad' to add zeros"
            )
        return 1, side, side
    shape = tuple(int(length) for length in image_shape)
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3 or shape[0] not in (1, 3) or math.prod(shape) != n_features:
        raise ValueError(
            f"image_shape: found {image_shape!r} for rows of {n_features} numbers; give (H, W) or "
            "(C, H, W) with C 1 or 3 and as many numbers"
        )
    return shape[0], shape[1], shape[2]


def rows_to_images(rows: Numbers, shape: Shape) -> Numbers:
    """Rows as images of a shape, padded with zeros where they are shorter."""
    missing = math.prod(shape) - rows.shape[1]
    if missing:
        rows = np.pad(rows, ((0, 0), (0, missing)))
    return rows.reshape(len(rows), *shape)


def input_settings(
    shape: Shape, image_size: int | None, channels: Literal[1, 3] | None, square: Fit, crop: Any
) -> InputSettings:
    """The form that images of a shape get; empty values follow from the shape."""
    side = min(shape[1:]) if square == "center_crop" else max(shape[1:])
    return InputSettings(
        image_size=image_size or max(side, SMALLEST),
        channels=channels or (3 if shape[0] == 3 else 1),
        fit=square,
        crop=crop,
        binarize="none",
    )


def encode_labels(y: Any, X: Any, classes: Numbers | None = None) -> Labels:
    """Labels as codes.

    Args:
        y: Shape ``(N,)``: numbers or strings; of whole numbers, -1 stands for no class. ``None``
            without labels.
        X: The images, as many.
        classes: Those that there are; ``None`` for those of ``y``.

    Raises:
        ValueError: If labels are no classes, or one is not among ``classes``.
    """
    if y is None:
        return Labels(np.zeros(0) if classes is None else classes, np.full(len(X), NO_CLASS))
    values = column_or_1d(y, warn=True)
    check_consistent_length(X, values)
    if type_of_target(values).startswith("continuous"):
        raise ValueError("y: Unknown label type: continuous; allowed: classes, or None")
    known = np.ones(len(values), bool)
    if np.issubdtype(values.dtype, np.number):
        known = values != NO_CLASS
    found = np.unique(values[known])
    if classes is None:
        classes = found
    elif unknown := [each for each in found.tolist() if each not in classes.tolist()]:
        raise ValueError(
            f"validation: found the class {quoted(unknown[0])}, which no training image has"
        )
    codes = np.full(len(values), NO_CLASS)
    codes[known] = np.searchsorted(classes, values[known])
    return Labels(classes, codes)
