"""One image file -> bytes of a square image, whatever its mode, orientation and shape.

Only Pillow and NumPy are needed here, so that several processes can decode cheaply.
"""

import hashlib
import io
import warnings
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from latentlab.errors import LatentlabError

Fit = Literal["centre_crop", "letterbox"]
Box = tuple[float, float, float, float]

GREY_MODES = ("1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


class Facts(NamedTuple):
    """What is known of an image file that was read whole.

    Attributes:
        sha256: Of the file.
        width: Pixels, after orientation.
        height: Pixels, after orientation.
        channels: 1 for grey, 3 for colour.
    """

    sha256: str
    width: int
    height: int
    channels: int


def inspect(path: Path) -> Facts:
    """Read an image file whole, and tell what is in it.

    Raises:
        LatentlabError: If it is no image, truncated, or a decompression bomb.
    """
    content = _content(path)
    image = _open(content, path)
    channels = 1 if image.mode in GREY_MODES or _is_grey_palette(image) else 3
    return Facts(hashlib.sha256(content).hexdigest(), *image.size, channels)


def decode(
    path: Path, sha256: str, size: int, channels: int, fit: Fit, box: Box | None
) -> npt.NDArray[np.uint8]:
    """Read an image file as bytes of a square image, shape ``(channels, size, size)``.

    Orientation from EXIF is applied, transparency is laid on white, 16 bits become 8.

    Args:
        path: The file.
        sha256: What the file's content was when the set was looked through.
        size: Pixels a side.
        channels: 1 or 3.
        fit: ``centre_crop`` cuts the longer side, ``letterbox`` adds black to the shorter.
        box: Left, upper, right and lower edge of the part to take, as shares of width and height;
            ``None`` for all.

    Raises:
        LatentlabError: If the file has changed, or is no readable image.
    """
    content = _content(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise LatentlabError(
            f"{path}: changed since the folder was looked through; look again with "
            "`dvc repro -f -s download`, then run `dvc repro`"
        )
    image = _open(content, path)
    if box is not None:
        left, upper, right, lower = box
        width, height = image.size
        near = round(left * width), round(upper * height)
        image = image.crop((*near, round(right * width), round(lower * height)))
    # Cut or padded in its own mode, then resized: fewer pixels to convert, and padding is black.
    image = _flat(image, "L" if channels == 1 else "RGB")
    method = Image.Resampling.BICUBIC
    square = (
        ImageOps.fit(image, (size, size), method)
        if fit == "centre_crop"
        else ImageOps.pad(image, (size, size), method)
    )
    pixels = np.asarray(square).reshape(size, size, channels)
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LatentlabError(f"{path}: not readable ({error.strerror})") from error


def _open(content: bytes, path: Path) -> Image.Image:
    """The first frame, decoded to its end and turned upright."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A header may promise more pixels than any memory holds: Pillow warns, we refuse.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content))
            image.load()
            return ImageOps.exif_transpose(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise LatentlabError(f"{path}: a decompression bomb ({error})") from error
    except UnidentifiedImageError as error:
        raise LatentlabError(f"{path}: no image that Pillow can read") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:
        raise LatentlabError(f"{path}: a damaged image ({error})") from error


def _flat(image: Image.Image, mode: Literal["L", "RGB"]) -> Image.Image:
    """The image in one of two modes of eight bits, with transparency laid on white."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image).astype(np.float64)
        # Sixteen bits, also where Pillow widens them; what already fits into eight is kept.
        if values.max(initial=0) > 255:
            values = values / 257
        image = Image.fromarray(np.rint(values.clip(0, 255)).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, "white")
        image = Image.alpha_composite(white, colours).convert("RGB")
    return image.convert(mode)


def _is_grey_palette(image: Image.Image) -> bool:
    if image.mode != "P" or image.palette is None:
        return False
    colours = np.asarray(image.convert("RGB"))
    return bool((colours == colours[..., :1]).all())
