"""The reference classifier: a small network of a data set's own classes, for its features."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import chain, count, islice
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from latentlab.arrays import Float32s, Integers, Shape
from latentlab.data.batches import batch_rows, pad_batch, place, shuffled, to_pixels
from latentlab.data.processed import ImageSplit
from latentlab.digests import file_digest
from latentlab.engine.base import LOCAL, Engine
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, read_array, write_array
from latentlab.models import layers
from latentlab.models.weights import load_weights, save_weights
from latentlab.randomness import generator
from latentlab.shards import ImageArray

WEIGHTS = "classifier.safetensors"
FEATURES = "features.npy"

# Fixed, so that the features stay the same whatever the models are trained with.
FILTERS = (16, 32)
WIDTH = 64
BATCH = 64
LEARNING_RATE = 0.001
BATCH_IN_ORDER = 1000


@final
class Classifier(nn.Module):
    """Two convolutions, a dense layer of 64 features, and a logit for each class.

    Args:
        shape: Channels, height and width of an image.
        classes: Number of classes.
    """

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        convolutions = layers.conv_encoder(shape, FILTERS, "relu")
        flat = int(np.prod(layers.feature_shape(shape, FILTERS)))
        self.body = convolutions + layers.dense_stack([flat, WIDTH], "relu")
        self.head = layers.Linear(WIDTH, classes)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head.weight.device

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of images in ``[0, 1]``, shape ``(B, 64)``."""
        features: Tensor = self.body(pixels)
        return features


class Classified(NamedTuple):
    """What the classifier makes of images.

    Attributes:
        features: Shape ``(N, 64)``.
        classes: Most probable class of each image, shape ``(N,)``.
    """

    features: Float32s
    classes: Integers


@final
class Reference(NamedTuple):
    """What samples are compared with, for a data set with classes.

    Attributes:
        classifier: Trained on the same data set.
        features: Its features of the test images, shape ``(N, 64)``.
    """

    classifier: Classifier
    features: Float32s


def save_reference(
    folder: Path, classifier: Classifier, images: ImageArray, *, engine: Engine = LOCAL
) -> Classified:
    """Write the classifier's weights and its features of the test images.

    Args:
        folder: Where they go; it exists.
        classifier: Trained.
        images: Test images, bytes of shape ``(N, C, H, W)``.
        engine: Computes the features.

    Returns:
        The features, and the most probable classes.
    """
    channels, height, width = images.shape[1:]
    weights, classes = folder / WEIGHTS, classifier.head.out_features
    save_weights(classifier, weights)
    load = partial(
        load_classifier,
        weights,
        file_digest(weights),
        (channels, height, width),
        classes,
        classifier.device,
    )
    found = classify(classifier, images, load=load, engine=engine)
    write_array(folder / FEATURES, found.features)
    return found


def load_reference(
    folder: Path, shape: Shape, class_names: Sequence[str], device: torch.device
) -> Reference | None:
    """Read what ``save_reference`` wrote; ``None`` where it wrote nothing.

    Args:
        folder: Where it wrote.
        shape: Channels, height and width of an image.
        class_names: One name for each class.
        device: Where to compute.

    Raises:
        LatentlabError: If a file is damaged, or of another data set.
    """
    if not (folder / WEIGHTS).exists():
        return None
    classifier = Classifier(shape, len(class_names)).to(device)
    load_weights(classifier, folder / WEIGHTS)
    features = read_array(folder / FEATURES)
    if (
        features.shape != (len(features.reshape(-1)) // WIDTH, WIDTH)
        or features.dtype != np.float32
        or not np.isfinite(features).all()
    ):
        raise LatentlabError(
            f"{folder / FEATURES}: found {features.dtype} of shape {features.shape}, expected "
            f"finite float32 of shape (N, {WIDTH}); {REMEDY}"
        )
    return Reference(classifier, features)


def train_classifier(
    classifier: Classifier, images: ImageArray, labels: Integers, *, steps: int, seed: int
) -> None:
    """Train in place by cross-entropy; images without class are left out.

    Args:
        classifier: On its device.
        images: Bytes, shape ``(N, C, H, W)``.
        labels: Shape ``(N,)``; ``NO_CLASS`` for images without class.
        steps: Batches of 64 images; the same number for small and large sets.
        seed: Of the batch order.
    """
    classifier.train()
    device, labeled = classifier.device, np.flatnonzero(labels >= 0)
    rows = None if len(labeled) == len(labels) else labeled
    chosen = ImageSplit(images, labels).take(rows).images
    pixels = place(chosen, device)
    codes = torch.from_numpy(labels[labeled]).to(device)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=LEARNING_RATE, fused=True)
    order = generator(seed, "reference batch order", torch.device("cpu"))
    batches = chain.from_iterable(shuffled(pixels, codes, BATCH, order) for _ in count())
    for batch, classes in islice(batches, steps):
        logits = classifier.head(classifier(to_pixels(batch, "unit", device)))
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(logits, classes).backward()
        optimizer.step()


@lru_cache(maxsize=1)
def load_classifier(
    weights: Path, sha256: str, shape: Shape, classes: int, device: torch.device
) -> Classifier:
    """A trained classifier by its file, for worker processes; the one of the last call is kept.

    Args:
        weights: File written by ``save_weights``.
        sha256: Digest of that file, by which another classifier at its place is told apart.
        shape: Channels, height and width of an image.
        classes: Number of classes.
        device: Where to compute.

    Raises:
        LatentlabError: If the file has changed or is damaged, or if it is of another data set.
    """
    if file_digest(weights) != sha256:
        raise LatentlabError(f"{weights}: changed while it was in use; {REMEDY}")
    classifier = Classifier(shape, classes).to(device)
    load_weights(classifier, weights)
    return classifier


def classify(
    classifier: Classifier,
    images: ImageArray | Float32s,
    *,
    load: Callable[[], Classifier] | None = None,
    engine: Engine = LOCAL,
) -> Classified:
    """Features and most probable classes of images.

    Args:
        classifier: Trained.
        images: Bytes, or floats in ``[0, 1]``, shape ``(N, C, H, W)``.
        load: Returns the same classifier, for an engine of other processes.
        engine: Computes the batches, each a task.
    """
    task = partial(_classify_rows, load or (lambda: classifier), images)
    batches = batch_rows(len(images), images.shape[1:], BATCH_IN_ORDER)
    features, classes = zip(*engine.map(task, batches), strict=True)
    return Classified(np.concatenate(features), np.concatenate(classes))


@torch.no_grad()
def _classify_rows(
    load: Callable[[], Classifier], images: ImageArray | Float32s, rows: range
) -> Classified:
    classifier = load().eval()
    batch = torch.from_numpy(np.ascontiguousarray(images[rows.start : rows.stop]))
    channels, height, width = batch.shape[1:]
    padded = pad_batch(batch, (channels, height, width))
    is_bytes = batch.dtype == torch.uint8
    pixels = to_pixels(padded, "unit", classifier.device) if is_bytes else padded
    features = classifier(pixels.to(classifier.device))[: len(batch)]
    classes = classifier.head(features).argmax(1)
    return Classified(features.cpu().numpy(), classes.cpu().numpy())
