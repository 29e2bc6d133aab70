"""Small image files for tests of several modules."""

import numpy as np
from PIL import Image

from latentlab.data.sources.folder_index import index_folder, read_manifest
from latentlab.engine.base import LocalEngine

RED = (220, 30, 40)


def scene(size=(40, 40)):
    """A gray gradient with a red top left quarter, as RGB."""
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = RED
    return Image.fromarray(pixels)


def indexed(root, index, **changes):
    """Index a folder in this process, and return the entries of the manifest."""
    arguments = {
        "skip_unreadable": False,
        "follow_links": False,
        "engine": LocalEngine(),
    } | changes
    index_folder(root, index, **arguments)
    return read_manifest(index)
