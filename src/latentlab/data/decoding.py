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

Fit = Literal["center_crop", "letterbox"]
Box = tuple[float, float, float, float]

SIXTEEN_BITS = ("I", "I;16", "I;16L", "I;16B", "I;16N")
GRAY_MODES = ("1", "L", "LA", "F", *SIXTEEN_BITS)
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Facts(NamedTuple):
    """What is known of an image file that was read whole.

    Attributes:
        sha256: Of the file.
        width: Pixels, after orientation.
        height: Pixels, after orientation.
        channels: 1 for gray, 3 for color.
    """

    sha256: str
    width: int
    height: int
    channels: int


def inspect(path: Path) -> Facts:
    """Read an image file whole, and tell what is in it.

    Raises:
        LatentlabError: If it is no image, truncated, a decompression bomb, or has pixels out of
            range.
    """
    content = _content(path)
    image = _open(content, path)
    return Facts(hashlib.sha256(content).hexdigest(), *image.size, len(image.getbands()))


def decode(
    path: Path, sha256: str, size: int, channels: int, fit: Fit, box: Box | None
) -> npt.NDArray[np.uint8]:
    """Read an image file as bytes of a square image, shape ``(channels, size, size)``.

    Orientation from EXIF is applied, transparency is laid on white, 16 bits become 8. Integers
    of more than 8 bits run from 0 to 65535; floats from 0 to 1 where no pixel of the image is
    larger, and else from 0 to 255.

    Args:
        path: The file.
        sha256: What the file's content was when the set was looked through.
        size: Pixels a side.
        channels: 1 or 3.
        fit: ``center_crop`` cuts the longer side, ``letterbox`` adds black to the shorter.
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
    image = image.convert("L" if channels == 1 else "RGB")
    square = (
        ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
        if fit == "center_crop"
        else _letterbox(image, size)
    )
    pixels = np.asarray(square).reshape(size, size, channels)
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LatentlabError(f"{path}: not readable ({error.strerror})") from error


def _open(content: bytes, path: Path) -> Image.Image:
    """The first frame, decoded to its end, upright, as ``L`` where it is gray and else ``RGB``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A header may promise more pixels than any memory holds: Pillow warns, we refuse.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content))
            image.load()
            # Pillow's own function writes the EXIF anew, and fails where a photograph's is odd.
            turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
            return _flat(image if turn is None else image.transpose(turn), path)
    except LatentlabError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise LatentlabError(f"{path}: a decompression bomb ({error})") from error
    except UnidentifiedImageError as error:
        raise LatentlabError(f"{path}: no image that Pillow can read") from error
    except Exception as error:
        # Pillow has a decoder for each of dozens of formats, and on a damaged file each raises
        # what it happens to stumble over: RuntimeError, struct.error, AttributeError and more.
        raise LatentlabError(f"{path}: a damaged image ({error})") from error


def _flat(image: Image.Image, path: Path) -> Image.Image:
    """The image with eight bits a channel, ``L`` or ``RGB``, and transparency laid on white."""
    gray = image.mode in GRAY_MODES or _is_gray_palette(image)
    if image.mode == "F" or image.mode in SIXTEEN_BITS:
        image = _eight_bits(image, path)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        colors = image.convert("RGBA")
        white = Image.new("RGBA", colors.size, "white")
        image = Image.alpha_composite(white, colors)
    return image.convert("L" if gray else "RGB")


def _eight_bits(image: Image.Image, path: Path) -> Image.Image:
    """Integers of more than eight bits, or floats, as ``L``; the transparent value is white."""
    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    top, allowed = 65535, "0 to 65535"
    if image.mode == "F":
        top, allowed = (1 if high <= 1 else 255), "0 to 1, or 0 to 255"
    # Written so that it refuses nan as well.
    if not (low >= 0 and high <= top):
        raise LatentlabError(
            f"{path}: found pixels from {low:g} to {high:g}; allowed: {allowed}; scale them"
        )
    pixels = np.rint(values * (255 / top)).astype(np.uint8)
    if "transparency" in image.info:
        pixels[values == image.info["transparency"]] = 255
    return Image.fromarray(pixels)


def _letterbox(image: Image.Image, size: int) -> Image.Image:
    """The whole image in the middle of a black square, one pixel wide or high at the least."""
    longer = max(image.size)
    width, height = (max(1, round(side / longer * size)) for side in image.size)
    square = Image.new(image.mode, (size, size))
    inner = image.resize((width, height), Image.Resampling.BICUBIC)
    square.paste(inner, (round((size - width) / 2), round((size - height) / 2)))
    return square


def _is_gray_palette(image: Image.Image) -> bool:
    if image.mode != "P" or image.palette is None:
        return False
    colors = np.asarray(image.convert("RGB"))
    return bool((colors == colors[..., :1]).all())
