"""A small classifier of a data set's own classes, in whose features samples are compared."""

from itertools import chain, count, islice
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from latentlab.data.batches import in_order, shuffled, to_pixels
from latentlab.models import layers as nets
from latentlab.randomness import generator

Floats = npt.NDArray[np.float32]

# Files of the reference stage.
CLASSIFIER = "classifier.safetensors"
FEATURES = "features.npy"

# The yardstick stays the same whatever the models are trained with.
FILTERS = (16, 32)
WIDTH = 64
BATCH = 64
LEARNING_RATE = 0.001
BATCH_IN_ORDER = 1000


@final
class Classifier(nn.Module):
    """Two convolutions, a dense layer of 64 features, and a score for each class.

    Args:
        shape: Channels, height and width of an image.
        classes: Number of classes.
    """

    def __init__(self, shape: nets.Shape, classes: int) -> None:
        super().__init__()
        convolutions = nets.conv_encoder(shape, FILTERS, "relu")
        flat = int(np.prod(nets.feature_shape(shape, FILTERS)))
        self.body = convolutions + nets.dense_stack([flat, WIDTH], "relu")
        self.head = nn.Linear(WIDTH, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of images in ``[0, 1]``, shape ``(B, 64)``."""
        features: Tensor = self.body(pixels)
        return features


def train_classifier(
    classifier: Classifier,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    *,
    steps: int,
    seed: int,
    device: torch.device,
) -> None:
    """Train in place by cross-entropy; images without class are left out.

    Args:
        classifier: On the device.
        images: Bytes, shape ``(N, C, H, W)``.
        labels: Shape ``(N,)``; -1 without class.
        steps: Batches of 64 images: the same work for small sets, seen often, and large ones.
        seed: Of the batch order.
        device: Where to compute.
    """
    classifier.train()
    known = np.flatnonzero(labels >= 0)
    data = torch.from_numpy(images[known]).to(device), torch.from_numpy(labels[known]).to(device)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=LEARNING_RATE, fused=True)
    order = generator(seed, torch.device("cpu"))
    batches = chain.from_iterable(shuffled(*data, BATCH, order) for _ in count())
    for batch, classes in islice(batches, steps):
        scores = classifier.head(classifier(to_pixels(batch, "unit", device)))
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(scores, classes).backward()
        optimizer.step()


@torch.no_grad()
def classify(
    classifier: Classifier, images: npt.NDArray[np.uint8] | Floats, device: torch.device
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Features and classes of images.

    Args:
        classifier: Trained, on the device.
        images: Bytes, or floats in ``[0, 1]``, shape ``(N, C, H, W)``.
        device: Where to compute.

    Returns:
        Features, shape ``(N, 64)``, and the likeliest class, shape ``(N,)``.
    """
    classifier.eval()
    features, classes = [], []
    tensor = torch.from_numpy(np.asarray(images))
    for batch, _ in in_order(tensor, torch.zeros(len(tensor)), BATCH_IN_ORDER):
        bytes_given = batch.dtype == torch.uint8
        found = classifier(to_pixels(batch, "unit", device) if bytes_given else batch.to(device))
        features.append(found.cpu())
        classes.append(classifier.head(found).argmax(1).cpu())
    return torch.cat(features).numpy(), torch.cat(classes).numpy()
