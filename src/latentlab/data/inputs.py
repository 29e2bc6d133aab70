"""Images as people have them, arrays, Pillow images or files -> inputs of a trained model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from latentlab.arrays import Bytes
from latentlab.data.decoding import DecodeOptions, decode_new
from latentlab.data.settings import InputSettings
from latentlab.data.transforms import binarize, square
from latentlab.errors import LatentlabError, quoted
from latentlab.randomness import image_rng

# An array or tensor of images, or a sequence of paths, Pillow images and arrays of one image each.
Images = Any
Numbers = npt.NDArray[Any]
CHUNK = 1000  # images in memory at a time
SHAPES = "(N, H, W), (N, C, H, W) with C 1 or 3, or (N, C * H * W) of the model's own shape"


def input_batches(
    images: Images, settings: InputSettings, batch_size: int = CHUNK
) -> Iterator[Bytes]:
    """Images as bytes of the form that a model was trained on, a batch at a time.

    Args:
        images: An array or tensor of shape ``(N, H, W)``, ``(N, C, H, W)`` with ``C`` 1 or 3, or
            ``(N, C * H * W)`` of the model's own shape: bytes, whole numbers from 0 to 255,
            booleans, or floats in ``[0, 1]``, which are rounded to 256 levels. Or a sequence of
            paths, Pillow images, and arrays of one image each. Other sizes, shapes and channels
            become those of the model as ``preprocess`` does it.
        settings: The form.
        batch_size: Images per batch; the last batch may be smaller.

    Yields:
        Shape ``(n, C, S, S)``.

    Raises:
        LatentlabError: If there is something else among the images, or a file is no readable
            image; the message names it.
    """
    array = _as_array(images)
    if array is None:
        items = _as_items(images)
        for start in range(0, len(items), batch_size):
            chosen = enumerate(items[start : start + batch_size], start)
            yield np.stack([_from_item(item, f"image {i}", settings) for i, item in chosen])
        return
    array = _four_axes(array, settings)
    for start in range(0, len(array), batch_size):
        yield _from_array(array[start : start + batch_size], settings)


def read_input(path: Path, settings: InputSettings) -> Bytes:
    """An image file as bytes of the form that a model was trained on, shape ``(C, S, S)``.

    Raises:
        LatentlabError: If it is no readable image.
    """
    return _from_item(path, str(path), settings)


def _as_array(images: Images) -> Numbers | None:
    """The array of all images; ``None`` where each image is to be taken for itself."""
    if hasattr(images, "detach"):  # a tensor, without importing torch
        images = images.detach().cpu()
    elif isinstance(images, str | Path | Image.Image):
        raise LatentlabError(
            f"images: found a single {type(images).__name__}; give a list of paths or images, "
            "such as [image]"
        )
    elif isinstance(images, Sequence) and any(
        isinstance(item, str | Path | Image.Image | np.ndarray) or hasattr(item, "detach")
        for item in images
    ):
        return None
    try:
        array = np.asarray(images)
    except ValueError as error:  # nested lists of several lengths
        raise LatentlabError(f"images: not an array ({error}); allowed: {SHAPES}") from error
    if array.dtype == object and array.ndim == 1 and len(array):
        return None
    return array


def _as_items(images: Images) -> Sequence[Any]:
    return images if isinstance(images, Sequence) else list(images)


def _from_item(item: Any, name: str, settings: InputSettings) -> Bytes:
    """One image of a sequence, shape ``(C, S, S)``."""
    if isinstance(item, str | Path):
        source: Path | Image.Image = Path(item)
    elif isinstance(item, Image.Image):
        source = item
    else:
        array = np.asarray(item.detach().cpu() if hasattr(item, "detach") else item)
        if array.ndim not in (2, 3):
            raise LatentlabError(
                f"{name}: found an array of shape {array.shape}; allowed: (H, W), or (C, H, W) "
                "with C 1 or 3"
            )
        converted: Bytes = _from_array(_four_axes(array[None], settings), settings)[0]
        return converted
    options = DecodeOptions(settings.fit, settings.crop)
    image = decode_new(source, name, settings.image_size, settings.channels, options)
    decoded: Bytes = _binarized(image[None], settings)[0]
    return decoded


def _four_axes(array: Numbers, settings: InputSettings) -> Numbers:
    """An array of images as one of shape ``(N, C, H, W)`` with ``C`` 1 or 3."""
    own = (settings.channels, settings.image_size, settings.image_size)
    if array.ndim == 2 and array.shape[1] == np.prod(own):
        return np.reshape(array, (len(array), *own))
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[1] not in (1, 3) or 0 in array.shape[2:]:
        hint = ""
        if array.ndim == 4 and array.shape[3] in (1, 3):
            hint = "; move the channels forward with images.transpose(0, 3, 1, 2)"
        raise LatentlabError(
            f"images: found an array of shape {array.shape}; allowed: {SHAPES}, which is "
            f"{own}{hint}"
        )
    return array


def _from_array(array: Numbers, settings: InputSettings) -> Bytes:
    """Images of shape ``(n, C, H, W)`` and of any type."""
    converted = square(_levels(array), settings.image_size, settings.channels, settings.fit)
    return _binarized(converted, settings)


def _levels(array: Numbers) -> Bytes:
    """Numbers as bytes."""
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint8:
        return array.view(np.uint8)
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise LatentlabError(
            f"images: found {quoted(str(array.dtype))} numbers; allowed: uint8, whole numbers "
            "from 0 to 255, booleans, or floats in [0, 1]"
        )
    top = 1 if np.issubdtype(array.dtype, np.floating) else 255
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    # Negated, so that nan is refused as well.
    if not (low >= 0 and high <= top):
        raise LatentlabError(
            f"images: found {array.dtype} from {low:g} to {high:g}; allowed: 0 to {top}; scale "
            "them, or give bytes"
        )
    return np.rint(array * (255 / top)).astype(np.uint8)


def _binarized(images: Bytes, settings: InputSettings) -> Bytes:
    """Black and white where the model was trained so.

    Random draws of an image depend on its pixels alone, so that neither the order of images nor
    the batch that one is in changes what is made of it.
    """
    if settings.binarize != "stochastic":
        return binarize(images, settings.binarize, np.random.default_rng(0))
    return np.stack(
        [binarize(image, "stochastic", image_rng(image, 0, "binarization")) for image in images]
    )
