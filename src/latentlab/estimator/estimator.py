"""``LatentModel``: network, mixture and anomaly detector as one scikit-learn estimator."""

import math
from typing import Any, Literal, Self, final

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_non_negative

from latentlab.anomaly.settings import AnomalyScore
from latentlab.arrays import Bytes
from latentlab.bundle.bundle import Bundle
from latentlab.data.inputs import input_batches
from latentlab.data.processed import ImageSplit
from latentlab.data.settings import Binarize, Fit, InputSettings
from latentlab.data.transforms import binarize as make_binary
from latentlab.errors import LatentlabError
from latentlab.estimator.fitted import FittedModel, Images
from latentlab.estimator.inputs import (
    Labels,
    RowShape,
    ValueScale,
    encode_labels,
    input_settings,
)
from latentlab.estimator.recipe import (
    Recipe,
    make_recipe,
    named_as_parameters,
    params_of,
    training_of,
)
from latentlab.mixture.settings import CovarianceType, Init, Space
from latentlab.models.settings import Initialization, ModelSettings
from latentlab.pixels import PixelRange
from latentlab.randomness import stream_seed
from latentlab.settings import Device
from latentlab.training.settings import OptimizerName, SchedulerName


@final
class LatentModel(FittedModel, BaseEstimator):  # type: ignore[misc]
    """Latents, clusters and anomaly scores of images, trained as the pipeline does it.

    Images are given as rows ``(N, pixels)`` with an ``image_shape``, as ``(N, H, W)``, as
    ``(N, C, H, W)`` with ``C`` 1 or 3, or as a list of paths or Pillow images. Numbers are bytes,
    whole numbers from 0 to 255, booleans, or floats from 0 to ``max_value``. Parameters mean what
    ``params.yaml`` says of them and have its values unless others are given.

    Args:
        model: Kind of model, such as ``vae`` or ``conv_vae``; or a mapping of all of its settings,
            ``kind`` among them.
        latent_dim: Latent dimensions ``D``, 1 or more.
        epochs: Passes over the training images.
        batch_size: Images per step; at most the number of training images is used.
        learning_rate: Step size of the optimizer.
        optimizer: ``adam``, ``adamw`` or ``sgd``.
        scheduler: ``constant``, ``cosine`` or ``one_cycle``.
        initialization: Of the weights: ``default`` or ``glorot``.
        augment: Random changes of training images as in ``train.augment``; those left out are
            0, and what is reconstructed is the augmented image.
        self_training: As ``train.self_training``; what is left out has its values.
        pixel_range: ``unit`` for pixels in ``[0, 1]``, ``symmetric`` for ``[-1, 1]``.
        image_shape: Of rows: ``(H, W)`` or ``(C, H, W)``; ``pad`` adds zeros up to a square;
            ``None`` for gray squares.
        image_size: Pixels per side that images are resized to, 8 or more; ``None`` for their own.
        channels: 1 gray, 3 color; ``None`` for their own.
        square: What to do with images that are not square: ``center_crop`` or ``letterbox``.
        crop: Part of an image file that is used: left, upper, right and lower edge as shares.
        binarize: ``none``, ``threshold`` or ``stochastic``.
        max_value: Number that stands for white. ``None``: of floats 1, or the largest of ``fit``
            where that is above 1, and larger ones count as that; of whole numbers 255.
        validation_fraction: Share of the images that chooses the best epoch and calibrates the
            anomaly score, in ``[0, 1)``.
        space: Where components are found: ``latents`` or ``manifold``.
        manifold_neighbors: ``gmm.n_neighbors``, of space ``manifold`` only.
        n_components: Gaussians in the mixture; ``None`` for one per class, and 1 without classes.
        covariance_type: ``full``, ``tied``, ``diag`` or ``spherical``.
        init: Where fits of the mixture start: ``kmeans`` or ``labeled``.
        n_init: Fits of the mixture; the likeliest is kept.
        mixture_max_iter: Steps of expectation-maximization before a fit counts as failed.
        reg_covar: Added to the covariances, in units of the mean latent variance.
        anomaly_score: ``reconstruction``, ``objective``, ``density``, ``mahalanobis``,
            ``neighbors`` or ``combined``.
        anomaly_quantile: Of validation scores, above which an image is anomalous, in (0.5, 1).
        n_neighbors: Of the anomaly score ``neighbors``.
        random_state: Seed; a ``RandomState`` or ``None`` draws one.
        device: ``cpu``, ``cuda`` or ``auto``.
        threads: CPU threads of ``fit``; results repeat to the last bit for the same number only.
        verbose: Whether a terminal shows the progress of ``fit``.

    Attributes:
        bundle_: The trained ``Bundle``: network, mixture, detector and config.
        history_: Mean losses of each epoch; ``None`` for a model that was loaded.
        classes_: Labels in the order of ``class_names``.
        n_features_in_: Numbers in an image as it is given.
        image_shape_: Channels, height and width of an image as it is given.

    Example:
        >>> images = np.random.default_rng(0).random((20, 8, 8))
        >>> model = LatentModel(latent_dim=2, epochs=1).fit(images)
        >>> model.transform(images).shape
        (20, 2)
    """

    def __init__(
        self,
        model: str | dict[str, Any] | ModelSettings = "vae",
        *,
        latent_dim: int = 16,
        epochs: int = 60,
        batch_size: int = 64,
        learning_rate: float = 0.002,
        optimizer: OptimizerName = "adam",
        scheduler: SchedulerName = "constant",
        initialization: Initialization = "default",
        augment: dict[str, Any] | None = None,
        self_training: dict[str, Any] | None = None,
        pixel_range: PixelRange = "unit",
        image_shape: RowShape = None,
        image_size: int | None = None,
        channels: Literal[1, 3] | None = None,
        square: Fit = "center_crop",
        crop: tuple[float, float, float, float] | None = None,
        binarize: Binarize = "none",
        max_value: float | None = None,
        validation_fraction: float = 0.1,
        space: Space = "latents",
        manifold_neighbors: int = 15,
        n_components: int | None = None,
        covariance_type: CovarianceType = "full",
        init: Init = "kmeans",
        n_init: int = 5,
        mixture_max_iter: int = 500,
        reg_covar: float = 0.001,
        anomaly_score: AnomalyScore = "reconstruction",
        anomaly_quantile: float = 0.95,
        n_neighbors: int = 5,
        random_state: int | np.random.RandomState | None = 0,
        device: Device = "cpu",
        threads: int = 1,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.latent_dim = latent_dim
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.initialization = initialization
        self.augment = augment
        self.self_training = self_training
        self.pixel_range = pixel_range
        self.image_shape = image_shape
        self.image_size = image_size
        self.channels = channels
        self.square = square
        self.crop = crop
        self.binarize = binarize
        self.max_value = max_value
        self.validation_fraction = validation_fraction
        self.space = space
        self.manifold_neighbors = manifold_neighbors
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.init = init
        self.n_init = n_init
        self.mixture_max_iter = mixture_max_iter
        self.reg_covar = reg_covar
        self.anomaly_score = anomaly_score
        self.anomaly_quantile = anomaly_quantile
        self.n_neighbors = n_neighbors
        self.random_state = random_state
        self.device = device
        self.threads = threads
        self.verbose = verbose

    def fit(self, X: Images, y: Any = None, validation: Any = None) -> Self:
        """Train the network, fit the mixture of its latents, calibrate the anomaly score.

        Args:
            X: Images, as the class describes them; 2 or more.
            y: Their labels, shape ``(N,)``, numbers or strings; -1 stands for no class. ``None``
                without labels. They name components, and condition a conditional model.
            validation: Images, or a pair of images and labels, that choose the best epoch and
                calibrate the anomaly score; ``None`` splits them off ``X``.

        Raises:
            ValueError: If a parameter, an image or a label is refused; the message names it.
            LatentlabError: If a file is no readable image, a class is too small to be split, or
                training fails.
        """
        try:
            return self._fit(X, y, validation)
        except LatentlabError as error:
            raise LatentlabError(named_as_parameters(str(error))) from error

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Self:
        """A fitted model of a bundle; ``clone`` of it trains by the same recipe.

        Args:
            bundle: Of the pipeline, or of an estimator.
        """
        config = bundle.config
        model = cls(**params_of(config))
        model.bundle_, model.history_ = bundle, None
        model.classes_ = np.array(config.class_names)
        model._restore_form(config)
        return model

    def _fit(self, X: Images, y: Any, validation: Any) -> Self:
        # Its imports, too, are not needed by a model that is loaded.
        from latentlab.estimator.training import new_config, train_bundle

        params = self.get_params(deep=False)
        recipe = make_recipe(params, self._seed())
        inputs = self._learn_form(X)
        labels = encode_labels(y, X)
        splits = self._splits(self._bytes(X, inputs), labels, validation, inputs, recipe)
        intensities = splits["train"].images[:] if recipe.binarize == "stochastic" else None
        for name, split in splits.items():
            rng = np.random.default_rng(stream_seed(recipe.seed, f"binarization of {name}"))
            binary = make_binary(split.images[:], recipe.binarize, rng)
            splits[name] = ImageSplit(binary, split.labels)
        config = new_config(
            recipe,
            inputs.model_copy(update={"binarize": recipe.binarize}),
            tuple(str(each) for each in labels.classes.tolist()),
            training_of(recipe, params) | self._form(),
            splits,
        )
        self.bundle_, rows = train_bundle(
            recipe, config, splits, intensities=intensities, verbose=self.verbose
        )
        self.history_: pd.DataFrame | None = pd.DataFrame(rows)
        self.classes_ = labels.classes
        return self

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _learn_form(self, X: Images) -> InputSettings:
        """Take the form of the images: their shape, and the number that stands for white."""
        array = self._array(X, reset=True)
        if array is None:
            if self.image_size is None or self.channels is None:
                raise ValueError(
                    "image_size and channels: give both for files and Pillow images, which may be "
                    "of any size"
                )
            self.image_shape_ = (self.channels, self.image_size, self.image_size)
            self.n_features_in_ = math.prod(self.image_shape_)
            self._scale = ValueScale(self.max_value, False)
        else:
            self.image_shape_ = array.shape[1:]
            check_non_negative(array, type(self).__name__)
            self._scale = ValueScale.of(array, self.max_value)
        return input_settings(
            self.image_shape_, self.image_size, self.channels, self.square, self.crop
        )

    def _bytes(self, X: Images, inputs: InputSettings) -> Bytes:
        """All images in the form of the model's inputs, shape ``(N, C, S, S)``."""
        return np.concatenate(list(input_batches(self._given(X), inputs)))

    def _splits(
        self,
        images: Bytes,
        labels: Labels,
        validation: Any,
        inputs: InputSettings,
        recipe: Recipe,
    ) -> dict[str, ImageSplit]:
        if validation is not None:
            held_out, y = validation if isinstance(validation, tuple) else (validation, None)
            codes = encode_labels(y, held_out, labels.classes).codes
            return {
                "train": ImageSplit(images, labels.codes),
                "validation": ImageSplit(self._bytes(held_out, inputs), codes),
            }
        # Half a second of imports of scikit-learn, which a loaded model does not need.
        from latentlab.data.subsets import split_off

        parts = split_off(
            np.arange(len(images)),
            labels.codes,
            recipe.validation_fraction,
            recipe.seed,
            "data.validation_fraction",  # the same draw as that of the pipeline
        )
        return {
            name: ImageSplit(images[part], labels.codes[part])
            for name, part in zip(("train", "validation"), parts, strict=True)
        }
