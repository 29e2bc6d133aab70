"""Reproducible experiments on latent-variable image models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from latentlab.version import __version__ as __version__

if TYPE_CHECKING:
    from pathlib import Path

    from latentlab.estimator.estimator import LatentModel
    from latentlab.settings import Device


def __getattr__(name: str) -> Any:
    """``LatentModel``, imported on first use: stages do not need it."""
    if name == "LatentModel":
        from latentlab.estimator.estimator import LatentModel

        return LatentModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(folder: str | Path, device: Device = "cpu", *, onnx: bool = False) -> LatentModel:
    """A trained model, from the folder of its bundle; nothing in it is executed.

    Called before NumPy and PyTorch are imported, it makes them compute as the pipeline did, to the
    last bit on every x86-64 CPU with AVX2; called later, results may differ in the last digits.

    Args:
        folder: Of the bundle, such as ``bundles/vae``.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.
        onnx: Whether ONNX Runtime computes, on the CPU, and PyTorch is not imported.

    Raises:
        LatentlabError: If a file is missing, damaged or of another bundle, or if a newer version
            of latentlab wrote it.
    """
    from pathlib import Path

    from latentlab.bundle.environment import prepare
    from latentlab.errors import LatentlabError

    if onnx and device == "cuda":
        raise LatentlabError("device: found 'cuda' with onnx; allowed: cpu, or auto")
    prepare(Path(folder))
    from latentlab.bundle.storage import load_bundle, load_onnx_bundle
    from latentlab.estimator.estimator import LatentModel

    path = Path(folder)
    bundle = load_onnx_bundle(path) if onnx else load_bundle(path, device)
    return LatentModel.from_bundle(bundle)


def fit(images: Any, labels: Any = None, *, validation: Any = None, **params: Any) -> LatentModel:
    """Train a model on images, without params file and DVC, as the pipeline does it.

    Args:
        images: Shape ``(N, H, W)``, ``(N, C, H, W)`` or ``(N, pixels)``, or a list of paths or
            Pillow images.
        labels: Shape ``(N,)``, numbers or strings; -1 stands for no class. ``None`` without.
        validation: Images, or a pair of images and labels, that choose the best epoch and
            calibrate the anomaly score; ``None`` splits them off.
        **params: Of ``LatentModel``, such as ``model="conv_vae"`` or ``latent_dim=32``.

    Raises:
        ValueError: If a parameter, an image or a label is refused; the message names it.
        LatentlabError: If a file is no readable image, or training fails.
    """
    from latentlab.estimator.estimator import LatentModel

    return LatentModel(**params).fit(images, labels, validation=validation)
