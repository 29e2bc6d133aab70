"""Likelihood metrics: terms of the evidence lower bound, and the importance-weighted bound.

Where a Bernoulli sees gray pixels its loss is a cross-entropy and no likelihood: the same sums
are then called ``cross_entropy`` and ``objective``, and bound nothing.
"""

import math

import numpy as np

from latentlab.arrays import Array
from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.metric import Metric, Score
from latentlab.latents.arrays import Latents
from latentlab.models.settings import Loss

NLL = Metric(
    "reconstruction",
    "nll",
    "expected negative log-likelihood under one posterior sample, nats per image",
    better="lower",
)
CROSS_ENTROPY = Metric(
    "reconstruction",
    "cross_entropy",
    "the same sum where a Bernoulli sees gray pixels, which is no likelihood, nats per image",
    better="lower",
)
ELBO = Metric(
    "vae",
    "elbo",
    "evidence lower bound, `-nll - kl` at any `beta`, nats per image",
    better="higher",
    is_headline=True,
)
OBJECTIVE = Metric(
    "vae",
    "objective",
    "`-cross_entropy - kl`: takes the place of the ELBO where a Bernoulli sees gray pixels, and "
    "bounds nothing; at a `beta` other than 1 not what was trained, nats per image",
    better="higher",
    is_headline=True,
)
KL = Metric(
    "vae",
    "kl",
    "KL divergence of the posterior from the prior, nats per image",
    range="0 or more",
    is_headline=True,
)
IWAE = Metric(
    "vae",
    "iwae",
    "importance-weighted bound of `evaluate.importance_samples` samples for each of at most "
    "`evaluate.importance_images` images, nats per image; for models with a likelihood: "
    "`gaussian`, a density, or `bernoulli` on binarized images",
    better="higher",
    is_headline=True,
)
BITS_PER_DIMENSION = Metric(
    "vae",
    "bits_per_dimension",
    "the `iwae` bound in bits per pixel value, for `bernoulli` on binarized images: the density "
    "of a `gaussian` at gray levels bounds no code length",
    better="lower",
)
METRICS = (NLL, CROSS_ENTROPY, ELBO, OBJECTIVE, KL, IWAE, BITS_PER_DIMENSION)


def is_likelihood(loss: Loss, *, binarized: bool) -> bool:
    """Whether a loss is the negative log-likelihood of the pixels.

    A squared error is none, and a Bernoulli is one of black and white pixels only.

    Args:
        loss: Reconstruction loss of the model.
        binarized: Whether pixels are black and white.
    """
    return loss == "gaussian" or (loss == "bernoulli" and binarized)


def bits_per_dimension(log_likelihood: float, dimensions: int) -> float:
    r"""Log-probability of an image as bits for each of its values: smaller is better.

    .. math:: -\frac{\log P(x)}{D \log 2}

    Of probabilities only. A density may be as high as one likes at the gray levels that pixels
    have, and bounds a code length only where models are trained and measured on pixels with
    uniform noise of one level, which these are not.

    Args:
        log_likelihood: Nats per image.
        dimensions: ``D``, values per image: channels times height times width.

    References:
        Theis, van den Oord & Bethge, A Note on the Evaluation of Generative Models (2016),
        section 3.1. https://arxiv.org/abs/1511.01844

    Example:
        >>> bits_per_dimension(-784 * math.log(2), 784)
        1.0
    """
    return -log_likelihood / (dimensions * math.log(2))


def likelihood_scores(
    latents: Latents, loss: Loss, *, binarized: bool, bootstrap: Bootstrap
) -> list[Score]:
    """Scores of the loss terms, in nats per image.

    Args:
        latents: Of the test images, with their loss terms.
        loss: Reconstruction loss of the model.
        binarized: Whether pixels are black and white.
        bootstrap: Of the intervals.

    Returns:
        Empty for an autoencoder with a squared error, which has no term in nats.
    """
    if loss == "mse":
        return [] if latents.kl is None else [bootstrap.mean(KL, latents.kl)]
    exact = is_likelihood(loss, binarized=binarized)
    reconstruction = latents.measured_errors().reconstruction
    scores = [bootstrap.mean(NLL if exact else CROSS_ENTROPY, reconstruction)]
    if latents.kl is None:
        return scores
    bound = -np.add(reconstruction, latents.kl, dtype=np.float64)
    return [
        *scores,
        bootstrap.mean(ELBO if exact else OBJECTIVE, bound),
        bootstrap.mean(KL, latents.kl),
    ]


def importance_scores(
    bounds: Array, dimensions: int, loss: Loss, bootstrap: Bootstrap
) -> list[Score]:
    """Scores of the importance-weighted bound.

    Args:
        bounds: Nats of each test image that was measured, shape ``(N,)``.
        dimensions: Values per image: channels times height times width.
        loss: Of the model: a ``bernoulli`` gives probabilities, a ``gaussian`` densities.
        bootstrap: Of the interval.
    """
    iwae = bootstrap.mean(IWAE, bounds)
    if loss != "bernoulli":
        return [iwae]
    return [iwae, BITS_PER_DIMENSION.score(bits_per_dimension(iwae.value, dimensions))]
