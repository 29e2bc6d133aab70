"""A mixture of diagonal Gaussians as the prior of a variational model, learned with it."""

from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from latentlab.arrays import Array
from latentlab.models.base import Posterior
from latentlab.tensors import exp, logsumexp

# Least weight of a component that a fitted mixture hands over: none at all could not be learned.
LEAST_WEIGHT = 1e-6


@final
class MixturePrior(nn.Module):
    """A mixture of ``K`` diagonal Gaussians whose parameters are trained.

    Until ``set_to`` is called, all components are the standard normal.

    Args:
        n_components: ``K``.
        latent_dim: ``D``.
    """

    def __init__(self, n_components: int, latent_dim: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(n_components))
        self.means = nn.Parameter(torch.zeros(n_components, latent_dim))
        self.log_vars = nn.Parameter(torch.zeros(n_components, latent_dim))

    @torch.no_grad()
    def set_to(self, weights: Array, means: Array, variances: Array) -> None:
        """Take the parameters of a mixture.

        Args:
            weights: Shape ``(K,)``, summing to 1.
            means: Shape ``(K, D)``.
            variances: Shape ``(K, D)``, all above zero.
        """
        logits = np.log(np.maximum(weights, LEAST_WEIGHT))
        for parameter, values in (
            (self.logits, logits),
            (self.means, means),
            (self.log_vars, np.log(variances)),
        ):
            parameter.copy_(torch.from_numpy(values))

    def log_joint(self, latents: Tensor) -> Tensor:
        r"""Log of the joint density of each latent and component, in nats.

        .. math:: \log \pi_k - \tfrac12 \sum_d \left( \log \sigma_{kd}^2
                  + \frac{(z_d - \mu_{kd})^2}{\sigma_{kd}^2} \right)

        The constant :math:`-\tfrac D2 \log 2 \pi` is left out, as in ``ImageModel.log_prior``.

        Args:
            latents: Shape ``(..., D)``; numbers are computed in their type.

        Returns:
            Shape ``(..., K)``.
        """
        means, log_vars = self.means.to(latents), self.log_vars.to(latents)
        log_weights = torch.log_softmax(self.logits.to(latents), dim=0)
        squares = (latents[..., None, :] - means).square() * exp(-log_vars)
        return log_weights - 0.5 * (log_vars + squares).sum(-1)

    def log_prob(self, latents: Tensor) -> Tensor:
        """Log-density of each latent but for the constant, shape ``(...)``; as ``log_joint``."""
        return logsumexp(self.log_joint(latents))

    def log_responsibilities(self, latents: Tensor) -> Tensor:
        r"""Log-probability of each component given each latent, :math:`\log p(k \mid z)`.

        Args:
            latents: Shape ``(B, D)``.

        Returns:
            Shape ``(B, K)``.
        """
        return torch.log_softmax(self.log_joint(latents), dim=-1)

    def kl(self, posterior: Posterior, latents: Tensor) -> Tensor:
        r"""KL divergence of latent and cluster from the prior, the cluster judged by a sample.

        .. math:: \sum_k \gamma_k \left( \operatorname{KL}(q(z \mid x) \,\|\, p(z \mid k))
                  + \log \frac{\gamma_k}{\pi_k} \right), \quad \gamma_k = p(k \mid z)

        Any :math:`\gamma` gives a lower bound on the log-likelihood; the paper's is that of the
        sample :math:`z` that is also decoded.

        Args:
            posterior: :math:`q(z \mid x)`, shape ``(B, D)``.
            latents: :math:`z`, a sample of each posterior, shape ``(B, D)``.

        Returns:
            Nats per image, shape ``(B,)``, zero or more.
        """
        mean, log_var = posterior
        assert log_var is not None
        log_ratio = log_var[:, None] - self.log_vars
        distances = (mean[:, None] - self.means).square() * exp(-self.log_vars)
        by_component = 0.5 * (exp(log_ratio) - log_ratio - 1 + distances).sum(2)
        log_weights = torch.log_softmax(self.logits, dim=0)
        log_gamma = self.log_responsibilities(latents)
        return (exp(log_gamma) * (by_component + log_gamma - log_weights)).sum(1)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw latents, in float64, shape ``(n, D)``.

        Args:
            n: How many.
            rng: Source of the draws.
        """
        parameters = (self.logits, self.means, self.log_vars)
        logits, means, log_vars = (each.detach().cpu().double().numpy() for each in parameters)
        weights = np.exp(logits - logits.max())
        components = rng.choice(len(weights), n, p=weights / weights.sum())
        noise = rng.standard_normal((n, means.shape[1]))
        draws: Array = means[components] + np.exp(0.5 * log_vars[components]) * noise
        return draws
