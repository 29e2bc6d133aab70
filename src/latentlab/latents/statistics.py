"""Statistics of posteriors: variance and KL of each dimension, active units, aggregate KL."""

import numpy as np

from latentlab.arrays import Array, Floats

# Threshold of Burda et al.: a posterior mean that varies less carries no information on images.
ACTIVE_VARIANCE = 0.01


def mean_variance(mean: Floats) -> Array:
    """Variance over images of each dimension's posterior mean.

    Args:
        mean: Posterior means, shape ``(N, D)``.

    Returns:
        Squared latent units, shape ``(D,)``.
    """
    variances: Array = np.var(mean, axis=0, dtype=np.float64)
    return variances


def active_units(mean: Floats) -> int:
    """Number of dimensions whose posterior mean has a variance above 0.01, 0 to ``D``.

    Args:
        mean: Posterior means, shape ``(N, D)``.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders (2016), section 4.
        https://arxiv.org/abs/1509.00519

    Example:
        >>> active_units(np.array([[0.0, 1.0], [0.01, -1.0]]))
        1
    """
    return int((mean_variance(mean) > ACTIVE_VARIANCE).sum())


def kl_by_dimension(mean: Floats, log_var: Floats) -> Array:
    r"""KL divergence to the prior by dimension, averaged over images; the sum is the mean KL.

    .. math:: \tfrac12 \left( \mu_d^2 + \sigma_d^2 - \log \sigma_d^2 - 1 \right)

    Args:
        mean: Posterior means, shape ``(N, D)``.
        log_var: Posterior log-variances, shape ``(N, D)``.

    Returns:
        Nats, shape ``(D,)``, zero or more.
    """
    mean, log_var = np.asarray(mean, np.float64), np.asarray(log_var, np.float64)
    nats: Array = 0.5 * (mean**2 + np.exp(log_var) - log_var - 1).mean(axis=0)
    return nats


def aggregate_kl(mean: Floats, log_var: Floats) -> float:
    r"""KL divergence from the aggregate posterior, taken as a Gaussian, to the standard normal.

    The aggregate posterior is the average of the posteriors of all images. The Gaussian with its
    mean and covariance gives a lower bound on its own KL divergence.

    .. math:: \tfrac12 \left( \operatorname{tr} S + m^\top m - D - \log \det S \right), \quad
              S = \operatorname{cov} \mu + \operatorname{diag} \overline{\sigma^2}

    Args:
        mean: Posterior means, shape ``(N, D)``.
        log_var: Posterior log-variances, shape ``(N, D)``.

    Returns:
        Nats, zero or more; 0 where mean and covariance are those of the prior.

    References:
        Hoffman & Johnson, ELBO Surgery (2016), on why it matters.
        http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
    """
    mean, log_var = np.asarray(mean, np.float64), np.asarray(log_var, np.float64)
    center = mean.mean(axis=0)
    covariance = np.atleast_2d(np.cov(mean, rowvar=False, bias=True))
    covariance = covariance + np.diag(np.exp(log_var).mean(axis=0))
    log_det = np.linalg.slogdet(covariance).logabsdet
    return float(0.5 * (np.trace(covariance) + center @ center - len(center) - log_det))
