"""Which figures a model has, each computed by ``latentlab.measures`` from what is at hand."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from latentlab.anomaly.detector import Scores, anomaly_scores
from latentlab.data.processed import ImageSplit
from latentlab.evaluation import anomaly_detection as anomaly
from latentlab.evaluation import classification
from latentlab.evaluation import rows as measures
from latentlab.evaluation.classifier import Classifier
from latentlab.evaluation.importance import IMAGES, importance_bounds
from latentlab.evaluation.samples import generate
from latentlab.evaluation.scores import Score
from latentlab.evaluation.settings import EvaluateSettings
from latentlab.latents import statistics as latent
from latentlab.latents.arrays import Latents
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.settings import MixtureSettings
from latentlab.models.base import ImageModel
from latentlab.models.settings import Loss
from latentlab.pixels import PixelRange
from latentlab.subsample import subsample

Array = npt.NDArray[np.float64]


@final
@dataclass(frozen=True)
class Reference:
    """What samples are compared with, where the data set has classes.

    Attributes:
        classifier: Trained on the same data set, on the device.
        features: Its features of the test images, shape ``(N, F)``.
    """

    classifier: Classifier
    features: npt.NDArray[np.float32]


@final
@dataclass(frozen=True)
class Evaluation:
    """Measures one model.

    Attributes:
        images: Of train, validation and test, with their labels.
        latents: Of train, validation, test and anomalies.
        class_names: One a label.
        network: The trained model, on the device.
        mixture: Fitted on the train latents.
        candidates: Columns components, bic.
        reference: ``None`` where there are no classes.
        loss: What the model was trained to lower.
        pixel_range: Range of the pixels that the model makes.
        binarized: Whether pixels are black and white.
        asked: What to measure, and how finely.
        gmm: How mixtures are fitted.
        seed: Of samples, subsamples and intervals, anew for each.
        device: Where to compute.
        progress: Wraps what takes long, to show how far it is; told the ``total``.
    """

    images: dict[str, ImageSplit]
    latents: dict[str, Latents]
    class_names: Sequence[str]
    network: ImageModel
    mixture: Mixture
    candidates: pd.DataFrame
    reference: Reference | None
    loss: Loss
    pixel_range: PixelRange
    binarized: bool
    asked: EvaluateSettings
    gmm: MixtureSettings
    seed: int
    device: torch.device
    progress: Callable[..., Iterable[Array]]

    def scores(self) -> Iterator[Score]:
        """Every figure that the model and the data set have."""
        images, test = self.images["test"].images, self.latents["test"]
        yield from measures.reconstruction_scores(images, test, self.pixel_range, self._bootstrap)
        yield from measures.likelihood_scores(
            test,
            self.loss,
            self.pixel_range,
            binarized=self.binarized,
            values_per_image=images[0].size,
            importance_bounds=self._importance_bounds(),
            bootstrap=self._bootstrap,
        )
        yield from measures.latent_scores(test)
        yield from measures.mixture_scores(test, self._clusters, self.mixture, self._bootstrap)
        yield from measures.candidate_scores(self.candidates)
        if len(self.class_names) > 1:  # a single class is right always
            yield from self._class_scores()
        if self.reference is not None:
            yield from self._sample_scores(self.reference)
        yield from measures.anomaly_scores(
            self.suspicion["test"],
            self.suspicion["anomalies"],
            self.asked.anomaly_score,
            self.calibration,
            self._bootstrap,
        )

    @cached_property
    def suspicion(self) -> dict[str, Scores]:
        """Every anomaly score of test images, anomalies, and the images that calibrate."""
        return anomaly_scores(
            self.latents["train"],
            self.latents["validation"],
            {name: self.latents[name] for name in ("test", "anomalies")},
            self.mixture,
            self.asked.n_neighbors,
        )

    @cached_property
    def calibration(self) -> anomaly.Calibration:
        """Middle and threshold of the headline anomaly score."""
        normal = self.suspicion["calibration"][self.asked.anomaly_score]
        return anomaly.calibrate(normal, self.asked.anomaly_quantile)

    def suspicion_table(self) -> pd.DataFrame:
        """Test images, then anomalies: split, anomaly_score, and each score by its name."""
        frames = []
        for split, scores in self.suspicion.items():
            if split != "calibration":
                relative = self.calibration.relative(scores[self.asked.anomaly_score])
                frames.append(pd.DataFrame({"split": split, "anomaly_score": relative} | scores))
        return pd.concat(frames)

    def confusion_table(self) -> pd.DataFrame:
        """Test images by true class (rows) and by the class of their cluster."""
        names = list(self.class_names)
        labels, predicted = self.images["test"].labels, self._predicted
        counts = classification.confusion(labels, predicted, len(names))
        return pd.DataFrame(counts, index=names, columns=[*names, "none"])

    def roc_table(self) -> pd.DataFrame:
        """Each anomaly score's curve: score, false_positive_rate, true_positive_rate."""
        normal, anomalous = self.suspicion["test"], self.suspicion["anomalies"]
        frames = []
        for name, scores in normal.items():
            curve = anomaly.roc(scores, anomalous[name])._asdict()
            frames.append(pd.DataFrame({"score": name} | curve))
        return pd.concat(frames)

    def precision_recall_table(self) -> pd.DataFrame:
        """The headline anomaly score's curve: recall, precision."""
        name = self.asked.anomaly_score
        normal, anomalous = self.suspicion["test"], self.suspicion["anomalies"]
        return pd.DataFrame(anomaly.precision_recall(normal[name], anomalous[name])._asdict())

    def dimensions_table(self) -> pd.DataFrame:
        """Each latent dimension's KL and mean_variance; no KL for an autoencoder."""
        test = self.latents["test"]
        table = pd.DataFrame({"mean_variance": latent.mean_variance(test.mean)})
        if test.log_var is not None:
            table["kl"] = latent.kl_by_dimension(test.mean, test.log_var)
        return table

    @property
    def _bootstrap(self) -> measures.Bootstrap:
        return measures.Bootstrap(self.asked.n_resamples, self.seed)

    @cached_property
    def _clusters(self) -> npt.NDArray[np.int64]:
        return self.mixture.predict(self.latents["test"].mean)

    @property
    def _predicted(self) -> npt.NDArray[np.int64]:
        return self.mixture.component_class[self._clusters]

    @property
    def _has_prior(self) -> bool:
        return self.latents["test"].log_var is not None

    def _importance_bounds(self) -> Array | None:
        """Of each test image, shape ``(N,)``; ``None`` for a model without likelihood."""
        honest = measures.has_likelihood(self.loss, binarized=self.binarized)
        if not (self._has_prior and honest):
            return None
        images = self.images["test"].images
        bounds = importance_bounds(
            self.network,
            images,
            samples=self.asked.importance_samples,
            pixel_range=self.pixel_range,
            seed=self.seed,
            device=self.device,
        )
        return np.concatenate(list(self.progress(bounds, total=-(-len(images) // IMAGES))))

    def _class_scores(self) -> Iterator[Score]:
        train, test = self.latents["train"].mean, self.latents["test"].mean
        learned, labels = self.images["train"].labels, self.images["test"].labels
        posterior = self.mixture.class_posterior(test, len(self.class_names))
        yield from measures.class_scores(
            labels, self._clusters, posterior, self.mixture, self._bootstrap
        )
        some = subsample(len(train), self.asked.probe_images, self.seed)
        yield from measures.probe_scores(
            train[some],
            learned[some],
            test,
            labels,
            neighbors=self.asked.n_neighbors,
            bootstrap=self._bootstrap,
        )
        if self.asked.transductive:
            splits = ("train", "validation", "test")
            yield from measures.transductive_scores(
                np.concatenate([self.latents[name].mean for name in splits]),
                np.concatenate([self.images[name].labels for name in splits]),
                len(self.class_names),
                self.gmm,
                self.seed,
            )

    def _sample_scores(self, reference: Reference) -> Iterator[Score]:
        samples = generate(
            self.network,
            self.mixture,
            reference.classifier,
            count=self.asked.n_samples,
            has_prior=self._has_prior,
            pixel_range=self.pixel_range,
            seed=self.seed,
            device=self.device,
        )
        if samples.prior is not None:
            yield from measures.sample_scores(
                reference.features, samples.prior, "prior", self.seed
            )
        yield from measures.sample_scores(
            reference.features, samples.mixture, "mixture", self.seed
        )
        if samples.class_agreement is not None:
            yield self._bootstrap.mean("generation", "class_agreement", samples.class_agreement)
