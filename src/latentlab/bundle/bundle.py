"""A trained model ready for new images: encode, decode, reconstruct, sample and predict."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd

from latentlab.anomaly.detector import AnomalyDetector
from latentlab.arrays import NO_CLASS, Bytes, Float32s, Floats
from latentlab.bundle.config import BundleConfig
from latentlab.bundle.network import Network
from latentlab.data.inputs import Images, input_batches
from latentlab.errors import LatentlabError, choices, quoted
from latentlab.latents.arrays import Latents
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.mixture.mixture import Mixture
from latentlab.pixels import to_unit

BATCH_SIZE = 1000
# Columns of class probabilities are numbered: a class may have any name.
PROBABILITY_PREFIX = "probability_"


@final
@dataclass(frozen=True)
class Bundle:
    """A trained model with its mixture and its calibrated anomaly detector.

    What comes out for an image does not depend on the other images or on the batch size.

    Attributes:
        config: What the model is, what its inputs are, and what it was made from.
        network: The trained network.
        mixture: Gaussian mixture of the train latents, its components assigned to classes.
        detector: Calibrated on validation images.
    """

    config: BundleConfig
    network: Network
    mixture: Mixture
    detector: AnomalyDetector

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name for each label; empty without classes."""
        return self.config.class_names

    def encode(self, images: Images, batch_size: int = BATCH_SIZE) -> Float32s:
        """Posterior means of images.

        Args:
            images: As ``latentlab.data.inputs.input_batches`` takes them.
            batch_size: Images at a time, which bounds memory.

        Returns:
            Shape ``(N, D)``.
        """
        batches = [self.network.encode(batch) for batch in self._batches(images, batch_size)]
        return np.concatenate([np.zeros((0, self.mixture.means.shape[1]), np.float32), *batches])

    def decode(self, latents: Floats, label: str | None = None) -> Float32s:
        """Images that latents stand for.

        Args:
            latents: Shape ``(N, D)``.
            label: Name of the class to decode as, for a conditional model.

        Returns:
            Pixels in ``[0, 1]``, shape ``(N, C, H, W)``.
        """
        array, dimensions = np.asarray(latents), self.mixture.means.shape[1]
        if array.ndim != 2 or array.shape[1] != dimensions:
            raise LatentlabError(f"latents: found shape {array.shape}; allowed: (N, {dimensions})")
        pixels = self.network.decode(array, self._label(label))
        return np.clip(to_unit(pixels, self.config.pixel_range), 0, 1)

    def reconstruct(self, images: Images, batch_size: int = BATCH_SIZE) -> Float32s:
        """Images decoded from their posterior means; arguments as in ``encode``.

        Returns:
            Pixels in ``[0, 1]``, shape ``(N, C, H, W)``.
        """
        return self.decode(self.encode(images, batch_size))

    def sample(
        self, n: int, component: int | None = None, label: str | None = None, seed: int = 0
    ) -> Float32s:
        """Images decoded from draws of the mixture.

        Args:
            n: Number of images.
            component: Draw from this one only; ``None`` draws from the whole mixture.
            label: Name of the class to decode as, for a conditional model.
            seed: Of the draws.

        Returns:
            Pixels in ``[0, 1]``, shape ``(n, C, H, W)``.
        """
        count = self.mixture.n_components
        if component is not None and not 0 <= component < count:
            raise LatentlabError(f"component: found {component}; allowed: 0 to {count - 1}")
        latents = self.mixture.sample(n, np.random.default_rng(seed), component)
        return self.decode(latents, label)

    def predict(self, images: Images, batch_size: int = BATCH_SIZE) -> pd.DataFrame:
        """What the model makes of each image.

        Args:
            images: As ``latentlab.data.inputs.input_batches`` takes them.
            batch_size: Images at a time, which bounds memory.

        Returns:
            One row per image, with the columns of ``prediction.csv``: ``predicted_label``
            (``None`` without one), ``component``, ``reconstruction_error``, ``anomaly_score``
            (0 for the median of normal images, 1 at the threshold), ``is_anomaly``; then, with
            classes, ``probability_<i>`` of class ``i`` of ``class_names``.
        """
        frames = [self.predict_batch(batch) for batch in self._batches(images, batch_size)]
        return pd.concat(frames or [self._empty_frame()], ignore_index=True)

    def predict_batch(self, images: Bytes) -> pd.DataFrame:
        """``predict`` for images that have the model's form, shape ``(B, C, H, W)``."""
        latents = self.network.measure(images, self.config.seed)
        return self._frame(latents)

    def rows_at_once(self, batch_size: int) -> int:
        """Number of images to take at a time: fewer than asked for where they are very large."""
        return rows_at_once(FLOAT32 * math.prod(self.config.shape), batch_size)

    def _frame(self, latents: Latents) -> pd.DataFrame:
        components = self.mixture.predict(latents.mean)
        labels = self.mixture.component_class[components]
        headline = self.detector.score(latents)[self.detector.headline]
        scores = self.detector.normalize(headline)
        names = [self.class_names[label] if label != NO_CLASS else None for label in labels]
        columns = {
            "predicted_label": pd.Series(names, dtype=object),
            "component": components,
            "reconstruction_error": latents.measured_squared_error(),
            "anomaly_score": scores,
            "is_anomaly": scores > 1,
        }
        if self.class_names:
            count = len(self.class_names)
            chances = self.mixture.predict_class_proba(latents.mean, count)[:, :count]
            columns |= {f"{PROBABILITY_PREFIX}{i}": chances[:, i] for i in range(count)}
        return pd.DataFrame(columns)

    def _empty_frame(self) -> pd.DataFrame:
        dimensions, none = self.mixture.means.shape[1], np.zeros(0, np.float32)
        mean = np.zeros((0, dimensions), np.float32)
        return self._frame(Latents(mean, mean, none, none, none, None))

    def _batches(self, images: Images, batch_size: int) -> Iterator[Bytes]:
        if batch_size < 1:
            raise LatentlabError(f"batch_size: found {batch_size}; allowed: 1 or more")
        return input_batches(images, self.config.inputs, self.rows_at_once(batch_size))

    def _label(self, name: str | None) -> int:
        if name is None:
            return NO_CLASS
        if name not in self.class_names:
            raise LatentlabError(f"label: found {quoted(name)}; {choices(name, self.class_names)}")
        return self.class_names.index(name)
