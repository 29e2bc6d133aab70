r"""Loss terms, one value per image: Bernoulli and Gaussian NLL, squared error, KL divergence.

Each is summed over pixels or latent dimensions, and never averaged here.

All but the squared error are in nats. Callers average over all images, not over batch means.
"""

import math

from torch import Tensor
from torch.nn import functional

from latentlab.tensors import exp


def bernoulli_nll(logits: Tensor, pixels: Tensor) -> Tensor:
    r"""Negative log-likelihood of independent Bernoulli pixels.

    .. math:: -\sum_i x_i \log p_i + (1 - x_i) \log (1 - p_i), \quad p = \operatorname{sigmoid}(l)

    For gray pixels it is a cross-entropy with a floor above zero, not a likelihood.

    Args:
        logits: :math:`l`, shape ``(B, C, H, W)``.
        pixels: :math:`x` in ``[0, 1]``, the same shape.

    Returns:
        Nats per image, shape ``(B,)``.

    Example:
        >>> import torch
        >>> bernoulli_nll(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2))  # 4 log 2
        tensor([2.7726])
    """
    terms = functional.binary_cross_entropy_with_logits(logits, pixels, reduction="none")
    return terms.flatten(1).sum(1)


def squared_error(reconstructions: Tensor, pixels: Tensor) -> Tensor:
    r"""Squared error summed over pixels.

    Args:
        reconstructions: Shape ``(B, C, H, W)``, in the pixel range.
        pixels: The same shape and range.

    Returns:
        Squared pixel units per image, shape ``(B,)``.
    """
    return functional.mse_loss(reconstructions, pixels, reduction="none").flatten(1).sum(1)


def gaussian_nll(means: Tensor, log_scale: Tensor, pixels: Tensor) -> Tensor:
    r"""Negative log-likelihood of independent Gaussian pixels that share one scale.

    .. math:: \sum_i \frac{(x_i - \mu_i)^2}{2 \sigma^2} + \log \sigma + \tfrac12 \log 2 \pi

    Args:
        means: :math:`\mu`, shape ``(B, C, H, W)``.
        log_scale: :math:`\log \sigma`, a scalar.
        pixels: :math:`x`, shape ``(B, C, H, W)``.

    Returns:
        Nats per image, shape ``(B,)``; negative where the density is above one.

    References:
        Rybkin, Daniilidis & Levine, Simple and Effective VAE Training with Calibrated Decoders
        (2021). https://arxiv.org/abs/2006.13202
    """
    constant = pixels.shape[1:].numel() * (log_scale + 0.5 * math.log(2 * math.pi))
    return 0.5 * squared_error(means, pixels) * exp(-2 * log_scale) + constant


def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    r"""KL divergence from a diagonal Gaussian to the standard normal.

    .. math:: \tfrac12 \sum_d \left( \mu_d^2 + \sigma_d^2 - \log \sigma_d^2 - 1 \right)

    Args:
        mean: :math:`\mu`, shape ``(B, D)``.
        log_var: :math:`\log \sigma^2`, shape ``(B, D)``.

    Returns:
        Nats per image, shape ``(B,)``, zero or more.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes (2014), Appendix B.
        https://arxiv.org/abs/1312.6114

    Example:
        >>> import torch
        >>> gaussian_kl(torch.ones(1, 2), torch.zeros(1, 2))
        tensor([1.])
    """
    return 0.5 * (mean.square() + exp(log_var) - log_var - 1).sum(1)
