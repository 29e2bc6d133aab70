"""What a bundle asks of a network, and the network that PyTorch computes."""

from typing import TYPE_CHECKING, Protocol, final

from latentlab.arrays import Bytes, Float32s, Floats
from latentlab.latents.arrays import Latents

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel


class Network(Protocol):
    """A trained encoder and decoder; PyTorch or ONNX Runtime computes them."""

    def measure(self, images: Bytes, seed: int) -> Latents:
        """Latents, errors and reconstructions of one batch.

        Args:
            images: Shape ``(B, C, H, W)``.
            seed: Of the posterior samples behind the reconstruction loss.
        """

    def encode(self, images: Bytes) -> Float32s:
        """Posterior means of one batch of images, shape ``(B, D)``."""

    def decode(self, latents: Floats, label: int) -> Float32s:
        """Pixels of latents in the network's range, shape ``(N, C, H, W)``.

        Args:
            latents: Shape ``(N, D)``.
            label: Class to decode as, for a conditional model; ``NO_CLASS`` for none.
        """


@final
class TorchNetwork:
    """A network that PyTorch computes.

    Args:
        model: Trained.
    """

    def __init__(self, model: "ImageModel") -> None:
        self.model = model

    def measure(self, images: Bytes, seed: int) -> Latents:
        """Latents, errors and reconstructions of one batch."""
        from latentlab.latents.encoding import encode

        return encode(self.model, images, seed=seed, measure=True)

    def encode(self, images: Bytes) -> Float32s:
        """Posterior means of one batch of images, shape ``(B, D)``."""
        from latentlab.latents.encoding import encode

        return encode(self.model, images, seed=0, measure=False).mean

    def decode(self, latents: Floats, label: int) -> Float32s:
        """Pixels of latents in the network's range, shape ``(N, C, H, W)``."""
        from latentlab.latents.encoding import decode

        return decode(self.model, latents, label=label)
