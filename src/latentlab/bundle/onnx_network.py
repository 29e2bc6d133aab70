"""A network that ONNX Runtime computes; nothing here needs PyTorch."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, final

import numpy as np
import numpy.typing as npt

from latentlab.arrays import NO_CLASS, Bytes, Float32s, Floats, Shape
from latentlab.errors import LatentlabError, cut, printable
from latentlab.latents.arrays import Latents
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.pixels import PixelRange, to_range

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Batch = TypeVar("Batch", Bytes, Float32s)

ENCODER = "encoder.onnx"
DECODER = "decoder.onnx"
NO_PACKAGE = "{name} is not installed; run `pip install {name}`, or install latentlab[onnx]"
# ONNX Runtime has kernels of their own for few rows, on some CPUs, which round differently.
SMALLEST_BATCH = 64
# Latents that are decoded at a time, of very large images fewer.
DECODED_ROWS = 1000


@final
class OnnxNetwork:
    """A network that ONNX Runtime computes on the CPU, with the interface of ``Network``.

    What comes out for an image does not depend on the batch that it is in.

    Args:
        folder: With ``encoder.onnx`` and ``decoder.onnx``.
        shape: Channels, height and width of an image.
        pixel_range: Of the network.
        threads: CPU threads.
        standard_prior: Whether the prior is the standard normal; another is not among the files.

    Attributes:
        latent_dim: ``D``.

    Raises:
        LatentlabError: If ONNX Runtime is not installed, or if it cannot read a file.
    """

    def __init__(
        self,
        folder: Path,
        shape: Shape,
        pixel_range: PixelRange,
        threads: int = 2,
        *,
        standard_prior: bool = True,
    ) -> None:
        self._encoder = open_session(folder / ENCODER, threads)
        self._decoder = open_session(folder / DECODER, threads)
        self._shape = shape
        self._pixel_range = pixel_range
        self._standard_prior = standard_prior
        self._has_labels = len(self._decoder.get_inputs()) == 2
        self.latent_dim = int(self._encoder.get_outputs()[0].shape[1])

    def measure(self, images: Bytes, seed: int) -> Latents:
        """Latents, squared errors, KL and reconstructions of one batch.

        The reconstruction loss is not among them: it needs the decoder's logits. Nor is the KL
        from a prior that is not the standard normal.
        """
        pixels = self._pixels(images)
        mean, log_var = self._posterior(pixels)
        decoded = self._decode(mean, NO_CLASS)
        errors = np.square(decoded - pixels).mean(axis=(1, 2, 3), dtype=np.float64)
        kl = None
        if log_var is not None and self._standard_prior:
            kl = _gaussian_kl(mean, log_var)[: len(images)]
        return Latents(
            mean=mean[: len(images)],
            log_var=None if log_var is None else log_var[: len(images)],
            squared_error=_rounded(errors)[: len(images)],
            reconstruction=None,
            kl=kl,
            reconstructions=decoded[: len(images)],
        )

    def encode(self, images: Bytes) -> Float32s:
        """Posterior means of one batch of images, shape ``(B, D)``."""
        mean, _ = self._posterior(self._pixels(images))
        return mean[: len(images)]

    def decode(self, latents: Floats, label: int) -> Float32s:
        """Pixels of latents in the network's range, shape ``(N, C, H, W)``."""
        codes = np.asarray(latents, dtype=np.float32)
        rows = rows_at_once(FLOAT32 * math.prod(self._shape), DECODED_ROWS)
        parts = [np.zeros((0, *self._shape), np.float32)]
        for start in range(0, len(codes), rows):
            part = codes[start : start + rows]
            parts.append(self._decode(self._padded(part), label)[: len(part)])
        return np.concatenate(parts)

    def _posterior(self, pixels: Float32s) -> tuple[Float32s, Float32s | None]:
        mean, *others = self._encoder.run(None, {"pixels": pixels})
        return mean, others[0] if others else None

    def _decode(self, latents: Float32s, label: int) -> Float32s:
        inputs: dict[str, npt.NDArray[Any]] = {"latents": latents}
        if self._has_labels:
            inputs["labels"] = np.full(len(latents), label, np.int64)
        pixels: Float32s = self._decoder.run(None, inputs)[0]
        return pixels

    def _pixels(self, images: Bytes) -> Float32s:
        return to_range(self._padded(images), self._pixel_range)

    def _padded(self, batch: Batch) -> Batch:
        """The last row of a small batch repeated until there are 64, or as many as memory takes.

        As ``latentlab.data.batches.pad_batch`` does it for PyTorch; an empty batch stays empty.
        """
        missing = rows_at_once(FLOAT32 * math.prod(self._shape), SMALLEST_BATCH) - len(batch)
        if missing <= 0 or len(batch) == 0:
            return batch
        return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])


def open_session(path: Path, threads: int = 2) -> "InferenceSession":
    """A network of ONNX, ready to run on the CPU.

    Args:
        path: The file.
        threads: CPU threads.

    Raises:
        LatentlabError: If ONNX Runtime is not installed, or if it cannot read the file.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise LatentlabError(NO_PACKAGE.format(name="onnxruntime")) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # errors
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    # ONNX Runtime has a class of its own for each fault, and they share no other base.
    except Exception as error:
        reason = printable(cut(" ".join(str(error).split())))
        raise LatentlabError(f"{path}: not a network of ONNX ({reason})") from error


def _gaussian_kl(mean: Float32s, log_var: Float32s) -> Float32s:
    """As ``latentlab.models.losses.gaussian_kl``, shape ``(B,)``."""
    terms = np.square(mean) + np.exp(log_var) - log_var - 1
    return _rounded(0.5 * terms.sum(axis=1, dtype=np.float64))


def _rounded(values: npt.NDArray[np.float64]) -> Float32s:
    return values.astype(np.float32)
