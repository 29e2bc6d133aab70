"""Import of torchvision that also works beside a CPU build of torch.

Other modules import torchvision's data sets from here. The torchvision of the package index is
built for CUDA on Linux. Beside a CPU build of torch its compiled extension does not load, and the
import fails with ``operator torchvision::nms does not exist``. The data sets need no compiled
operator, so the schemas of the two that are missing are declared before the import, only where the
extension cannot load.
"""

from importlib.util import find_spec
from pathlib import Path

import torch


def _extension_loads() -> bool:
    """Whether torchvision's compiled extension fits the installed torch."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    try:
        for library in Path(spec.origin).parent.glob("_C*"):
            torch.ops.load_library(library)
            return True
    except OSError:
        pass
    return False


if not _extension_loads():
    # The declarations live as long as the library object does.
    _SCHEMAS = torch.library.Library("torchvision", "FRAGMENT")
    _SCHEMAS.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _SCHEMAS.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision import datasets  # noqa: E402

__all__ = ["datasets"]
