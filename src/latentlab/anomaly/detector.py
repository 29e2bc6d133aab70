"""Anomaly scores: what a model and its mixture find strange in an image.

Every score is larger for stranger images.

================== ==========================================================================
``reconstruction`` squared error a pixel of the posterior-mean reconstruction
``objective``      loss of one posterior sample plus KL, in nats: the negative evidence lower
                   bound where the loss is a likelihood; variational models only
``density``        negative log-density of the posterior mean under the mixture, in nats
``mahalanobis``    distance of the posterior mean from those of train, in units of their spread
``neighbors``     distance of the posterior mean to its k-th nearest of train
``combined``       mean of reconstruction and neighbors, each as the number of standard
                   deviations that its logarithm lies above the validation images'
================== ==========================================================================
"""

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from latentlab.anomaly.settings import AnomalyScore
from latentlab.latents.arrays import Latents
from latentlab.mixture.mixture import Mixture

Array = npt.NDArray[np.float64]
Scores = dict[AnomalyScore, Array]

COMBINED: tuple[AnomalyScore, ...] = ("reconstruction", "neighbors")


def anomaly_scores(
    train: Latents,
    validation: Latents,
    others: dict[str, Latents],
    mixture: Mixture,
    neighbors: int,
) -> dict[str, Scores]:
    """Every score that the model has, of several splits.

    Args:
        train: What a normal image looks like.
        validation: Normal images that took no part in training, which calibrate; may be empty.
        others: What else to score, by name.
        mixture: Fitted on train.
        neighbors: ``k``; at most as many as there are training images count.

    Returns:
        The scores of each of the others, and under ``calibration`` those of validation (of train
        where it is empty, which lie lower), each of shape ``(N,)``.
    """
    center, whitening = _whitening(train.mean)
    count = min(neighbors, len(train.mean) - 1)
    # One more than asked for: a training image is its own nearest.
    index = NearestNeighbors(n_neighbors=count + 1, algorithm="brute").fit(np.array(train.mean))

    def score(latents: Latents, itself: int = 0) -> Scores:
        errors = latents.measured_errors()
        found: Scores = {"reconstruction": np.array(errors.squared_error, dtype=np.float64)}
        if latents.kl is not None:
            found["objective"] = np.add(errors.reconstruction, latents.kl, dtype=np.float64)
        if len(latents.mean) == 0:
            nothing: Array = np.zeros(0)
            return found | {"density": nothing, "mahalanobis": nothing, "neighbors": nothing}
        distances, _ = index.kneighbors(np.array(latents.mean))
        return found | {
            "density": -mixture.log_density(latents.mean),
            "mahalanobis": np.linalg.norm((latents.mean - center) @ whitening, axis=1),
            "neighbors": distances[:, count - 1 + itself].astype(np.float64),
        }

    normal = score(validation) if len(validation.mean) else score(train, itself=1)
    scores = {"calibration": normal} | {name: score(split) for name, split in others.items()}
    for found in scores.values():
        found["combined"] = np.mean(
            [standardized(found[part], normal[part]) for part in COMBINED], axis=0
        )
    return scores


def standardized(scores: Array, normal: Array) -> Array:
    """Logarithms of positive scores, in standard deviations above those of normal images."""
    # A distance of nothing, to a copy of the image, has no logarithm and would outweigh the rest.
    least = 1e-3 * np.median(normal) or 1.0
    logs, usual = np.log(np.maximum(scores, least)), np.log(np.maximum(normal, least))
    standardized: Array = (logs - usual.mean()) / (usual.std() or 1.0)
    return standardized


def _whitening(latents: npt.NDArray[np.floating]) -> tuple[Array, Array]:
    """Center of latents, and the matrix that makes their covariance the identity."""
    points = np.asarray(latents, dtype=np.float64)
    covariance = np.atleast_2d(np.cov(points, rowvar=False, bias=True))
    values, vectors = np.linalg.eigh(covariance)
    # A direction in which train does not vary would count infinitely.
    return points.mean(axis=0), vectors / np.sqrt(np.maximum(values, 1e-6 * values.max()))
