"""What a fitted model does: encode, decode, predict, score, sample and save."""

import math
from abc import ABC
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from latentlab.arrays import Array, Float32s, Floats, Shape
from latentlab.bundle.bundle import BATCH_SIZE, Bundle
from latentlab.bundle.config import BundleConfig
from latentlab.bundle.environment import CONFIG
from latentlab.bundle.network import TorchNetwork
from latentlab.errors import LatentlabError
from latentlab.estimator.inputs import (
    Numbers,
    RowShape,
    ValueScale,
    are_items,
    image_array,
    row_shape,
    rows_to_images,
)
from latentlab.files import replacing

# Rows (N, pixels), images (N, H, W) or (N, C, H, W), or a list of paths or Pillow images.
Images = Any


class FittedModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ABC):  # type: ignore[misc]
    """Use of a fitted model; ``LatentModel`` says what its attributes are.

    What comes out for an image does not depend on the other images or on the batch size.
    """

    bundle_: Bundle
    image_shape: RowShape
    image_shape_: Shape
    max_value: float | None
    n_features_in_: int
    _scale: ValueScale

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name for each label; empty without classes."""
        return self._fitted().class_names

    def encode(self, X: Images, batch_size: int = BATCH_SIZE) -> Float32s:
        """Posterior means of images.

        Args:
            X: Images, in the form of those of ``fit``.
            batch_size: Images at a time, which bounds memory.

        Returns:
            Shape ``(N, D)``.
        """
        return self._fitted().encode(self._given(X), batch_size)

    def transform(self, X: Images) -> Float32s:
        """``encode``, by the name that scikit-learn has for it."""
        return self.encode(X)

    def decode(self, latents: Floats, label: str | None = None) -> Float32s:
        """Images that latents stand for.

        Args:
            latents: Shape ``(N, D)``.
            label: Name of the class to decode as, for a conditional model.

        Returns:
            Pixels in ``[0, 1]``, shape ``(N, C, H, W)``.
        """
        return self._fitted().decode(latents, label)

    def inverse_transform(self, X: Floats) -> Float32s:
        """``decode``, by the name that scikit-learn has for it; latents ``(N, D)``."""
        return self.decode(X)

    def reconstruct(self, X: Images, batch_size: int = BATCH_SIZE) -> Float32s:
        """Images decoded from their posterior means; arguments as in ``encode``.

        Returns:
            Pixels in ``[0, 1]``, shape ``(N, C, H, W)``.
        """
        return self.decode(self.encode(X, batch_size))

    def sample(
        self, n: int = 1, component: int | None = None, label: str | None = None, seed: int = 0
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
        return self._fitted().sample(n, component, label, seed)

    def predict(self, X: Images, batch_size: int = BATCH_SIZE) -> pd.DataFrame:
        """What the model makes of each image.

        Args:
            X: Images, in the form of those of ``fit``.
            batch_size: Images at a time, which bounds memory.

        Returns:
            One row per image, as ``Bundle.predict`` has it: ``predicted_label`` (a class name,
            ``None`` without one), ``component``, ``reconstruction_error``, ``anomaly_score`` (0
            for the median of normal images, 1 at the threshold), ``is_anomaly``; then, with
            classes, ``probability_<i>`` of class ``i`` of ``class_names``.
        """
        return self._fitted().predict(self._given(X), batch_size)

    def score_samples(self, X: Images) -> Array:
        """Log-density of the latent of each image under the mixture, in nats, shape ``(N,)``.

        Larger is more normal.
        """
        return self._fitted().mixture.score_samples(self.encode(X))

    def score(self, X: Images, y: Any = None) -> float:
        """Mean of ``score_samples``, in nats."""
        return float(self.score_samples(X).mean())

    def save(self, folder: str | Path) -> None:
        """Write the model as a bundle, which ``latentlab.load`` reads; whole or not at all.

        Args:
            folder: Is made, or replaced where it holds another bundle.

        Raises:
            LatentlabError: If it holds something else.
        """
        from latentlab.bundle.storage import save_bundle

        bundle, path = self._fitted(), Path(folder)
        if path.exists() and not (path / CONFIG).is_file():
            raise LatentlabError(f"{path}: exists and is no bundle; name another folder")
        if not isinstance(bundle.network, TorchNetwork):
            raise LatentlabError("only a model of PyTorch can be saved; load it with PyTorch")
        model = bundle.network.model
        with replacing(path) as temporary:
            save_bundle(temporary, bundle.config, model, bundle.mixture, bundle.detector)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        """Number of latent dimensions, for the names of the columns."""
        return int(self._fitted().mixture.means.shape[1])

    def _fitted(self) -> Bundle:
        check_is_fitted(self, "bundle_")
        return self.bundle_

    def _given(self, X: Images) -> Images:
        """Images as ``input_batches`` takes them."""
        array = self._array(X, reset=False)
        return X if array is None else self._scale.apply(array)

    def _array(self, X: Images, *, reset: bool) -> Numbers | None:
        """Images as an array of any numbers, shape ``(N, C, H, W)``; ``None`` for files.

        Args:
            X: Images.
            reset: Whether rows of any length are accepted and their length is kept.
        """
        if are_items(X):
            return None
        array = image_array(X)
        if array is not None:
            if reset:
                self.n_features_in_ = math.prod(array.shape[1:])
            return array
        rows = validate_data(self, X, reset=reset, ensure_min_samples=2 if reset else 1)
        shape = row_shape(self.n_features_in_, self.image_shape) if reset else self.image_shape_
        return rows_to_images(rows, shape)

    def _form(self) -> dict[str, Any]:
        """Form of the images as a bundle's config keeps it."""
        return {
            "image_shape": "pad" if self.image_shape == "pad" else list(self.image_shape_),
            "n_features": self.n_features_in_,
            "max_value": self.max_value,
            "learned_max_value": self._scale.top if self._scale.clip else None,
        }

    def _restore_form(self, config: BundleConfig) -> None:
        """Take the form of the images from a config; that of the pipeline's is the model's own."""
        training = config.training
        learned = training.get("learned_max_value")
        self.max_value = training.get("max_value")
        self.image_shape_ = config.shape
        self.n_features_in_ = math.prod(config.shape)
        if "n_features" in training:
            shape = training["image_shape"]
            self.image_shape = shape if shape == "pad" else tuple(shape)
            self.n_features_in_ = training["n_features"]
            self.image_shape_ = row_shape(self.n_features_in_, self.image_shape)
        self._scale = ValueScale(self.max_value if learned is None else learned, bool(learned))
