"""Decoding of image files: any format, mode, orientation and shape -> bytes of a square image.

Only Pillow and NumPy are needed here, so that several processes can decode without torch.
"""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
from PIL import Image, UnidentifiedImageError

from latentlab.arrays import Bytes
from latentlab.data.settings import Box, Fit
from latentlab.data.transforms import square
from latentlab.errors import LatentlabError

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


@final
class ImageInfo(NamedTuple):
    """Description of an image file.

    Attributes:
        sha256: Digest of the file, as hexadecimal digits.
        width: Pixels, after orientation.
        height: Pixels, after orientation.
        channels: 1 for gray, 3 for color.
    """

    sha256: str
    width: int
    height: int
    channels: int


@final
@dataclass(frozen=True)
class DecodeOptions:
    """How image files become square images.

    Attributes:
        fit: What to do with images that are not square.
        box: The part to use; ``None`` for the whole image.
    """

    fit: Fit
    box: Box | None = None


def inspect(path: Path) -> ImageInfo:
    """Read an image file to its end, and describe it.

    Raises:
        LatentlabError: If it is no image, truncated, a decompression bomb, or has pixels out of
            range.
    """
    content = _content(path)
    image = _open(content, path)
    return ImageInfo(hashlib.sha256(content).hexdigest(), *image.size, len(image.getbands()))


def decode(path: Path, sha256: str, size: int, channels: int, options: DecodeOptions) -> Bytes:
    """Read an image file as bytes of a square image, shape ``(channels, size, size)``.

    Orientation from EXIF is applied, transparency is blended with white, 16 bits become 8.
    Integers of more than 8 bits run from 0 to 65535; floats from 0 to 1 where no pixel of the
    image is larger, and else from 0 to 255.

    Args:
        path: The file.
        sha256: Digest of the file when the folder was indexed.
        size: Pixels per side.
        channels: 1 or 3.
        options: Which part of the image, and how it is made square.

    Raises:
        LatentlabError: If the file has changed since, or is no readable image.
    """
    content = _content(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise LatentlabError(
            f"{path}: changed since the folder was indexed; index it again with "
            "`dvc repro -f -s download`, then run `dvc repro`"
        )
    return _squared(_open(content, path), size, channels, options)


def decode_new(
    source: Path | Image.Image, name: str, size: int, channels: int, options: DecodeOptions
) -> Bytes:
    """Read an image that stands in no index, as ``decode`` reads those that do.

    Args:
        source: A file, or an image that Pillow has opened.
        name: What the message of an error calls an image that is no file.
        size: Pixels per side.
        channels: 1 or 3.
        options: Which part of the image, and how it is made square.

    Returns:
        Shape ``(channels, size, size)``.

    Raises:
        LatentlabError: If it is no readable image.
    """
    if isinstance(source, Path):
        return _squared(_open(_content(source), source), size, channels, options)
    return _squared(_open(source, name), size, channels, options)


def _squared(image: Image.Image, size: int, channels: int, options: DecodeOptions) -> Bytes:
    """Bytes of an upright image in mode ``L`` or ``RGB``."""
    if options.box is not None:
        left, upper, right, lower = options.box
        width, height = image.size
        near = round(left * width), round(upper * height)
        image = image.crop((*near, round(right * width), round(lower * height)))
    # As ``with_channels`` does it, in compiled code.
    image = image.convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    decoded: Bytes = square(np.moveaxis(pixels, -1, 0)[None], size, channels, options.fit)[0]
    return decoded


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LatentlabError(f"{path}: not readable ({error.strerror})") from error


def _open(source: bytes | Image.Image, path: Path | str) -> Image.Image:
    """The first frame, decoded to its end and upright: ``L`` where it is gray, else ``RGB``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A header may announce more pixels than any memory holds: where Pillow only warns,
            # the file is refused.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(source)) if isinstance(source, bytes) else source
            image.load()
            # ImageOps.exif_transpose writes the EXIF data again, and raises on tags that are not
            # as its standard says.
            turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
            return _flat(image if turn is None else image.transpose(turn), path)
    except LatentlabError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise LatentlabError(f"{path}: a decompression bomb ({error})") from error
    except UnidentifiedImageError as error:
        raise LatentlabError(f"{path}: no image that Pillow can read") from error
    except Exception as error:
        # Each of Pillow's decoders raises other errors on a damaged file: RuntimeError,
        # struct.error, AttributeError and more.
        raise LatentlabError(f"{path}: a damaged image ({error})") from error


def _flat(image: Image.Image, path: Path | str) -> Image.Image:
    """The image as ``L`` or ``RGB`` of eight bits, with transparency blended with white."""
    gray = image.mode in GRAY_MODES or _is_gray_palette(image)
    if image.mode == "F" or image.mode in SIXTEEN_BITS:
        image = _eight_bits(image, path)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        colors = image.convert("RGBA")
        white = Image.new("RGBA", colors.size, "white")
        image = Image.alpha_composite(white, colors)
    return image.convert("L" if gray else "RGB")


def _eight_bits(image: Image.Image, path: Path | str) -> Image.Image:
    """Integers of more than eight bits, or floats, as ``L``; the transparent value is white."""
    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    top, allowed = 65535, "0 to 65535"
    if image.mode == "F":
        top, allowed = (1 if high <= 1 else 255), "0 to 1, or 0 to 255"
    # Negated, so that nan is refused as well.
    if not (low >= 0 and high <= top):
        raise LatentlabError(
            f"{path}: found pixels from {low:g} to {high:g}; allowed: {allowed}; scale them"
        )
    pixels = np.rint(values * (255 / top)).astype(np.uint8)
    if "transparency" in image.info:
        pixels[values == image.info["transparency"]] = 255
    return Image.fromarray(pixels)


def _is_gray_palette(image: Image.Image) -> bool:
    if image.mode != "P" or image.palette is None:
        return False
    colors = np.asarray(image.convert("RGB"))
    return bool((colors == colors[..., :1]).all())
