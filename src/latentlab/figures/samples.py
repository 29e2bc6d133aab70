"""Figures of sampled images: from the prior, the mixture and each class, and the decoded plane."""

import numpy as np
from matplotlib.figure import Figure

from latentlab.figures.context import FigureContext, FigureOf
from latentlab.figures.grids import decoded_plane
from latentlab.figures.latent_maps import component_name
from latentlab.figures.style import as_text
from latentlab.sampling import decode_unit, sample_mixture, sample_prior

PRIOR_ROWS = 5
MAX_ROWS = 32
# Images per side of the decoded plane, and the quantiles of train latents that it spans.
PLANE_TILES = 20
PLANE_QUANTILES = (0.01, 0.99)


def samples_prior(context: FigureContext) -> Figure:
    """Images decoded from samples of the prior."""
    count = PRIOR_ROWS * context.settings.examples
    images = sample_prior(context.run.network(), count, context.rng("samples_prior"))
    rows = np.split(images, PRIOR_ROWS)
    return context.grid(rows, [""] * PRIOR_ROWS, "samples from the prior")


def samples_mixture(context: FigureContext) -> Figure:
    """Images decoded from samples of the mixture, one row per component."""
    rng, mixture, names = (
        context.rng("samples_mixture"),
        context.run.mixture,
        context.run.class_names,
    )
    components = range(min(mixture.n_components, MAX_ROWS))
    rows = [
        sample_mixture(context.run.network(), mixture, context.settings.examples, rng, component)
        for component in components
    ]
    labels = [component_name(i, mixture.component_class[i], names) for i in components]
    legend = "number: class" if names else "number"
    title = f"samples from the mixture, one row per component ({legend})"
    return context.grid(rows, labels, title)


def samples_class(context: FigureContext) -> Figure:
    """Images of each class from the same samples of the prior: a column shares one latent."""
    model, names = context.run.network(), context.run.class_names
    latents = model.sample_prior(context.settings.examples, context.rng("samples_class"))
    rows = [decode_unit(model, latents, label) for label in range(len(names))]
    labels = [as_text(name) for name in names]
    return context.grid(rows, labels, "samples by class, one latent per column")


def plane(context: FigureContext) -> Figure:
    """Images decoded from a grid over the latent plane."""
    latents = np.asarray(context.run.latents["train"].mean, dtype=np.float64)
    low, high = np.quantile(latents, PLANE_QUANTILES, axis=0)
    x, y = (np.linspace(low[i], high[i], PLANE_TILES) for i in range(2))
    # The second dimension rises upward, as it does in the scatter of latents.
    grid = np.stack(np.meshgrid(x, y[::-1]), axis=-1)
    images = decode_unit(context.run.network(), grid.reshape(-1, 2))
    tiles = images.reshape(PLANE_TILES, PLANE_TILES, *images.shape[1:])
    title = context.title("the decoded latent plane")
    return decoded_plane(tiles, (x[0], x[-1]), (y[0], y[-1]), title, context.settings.colormap)


FIGURES = (
    FigureOf("samples_prior", samples_prior, lambda c: c.run.network().is_variational),
    FigureOf("samples_mixture", samples_mixture),
    FigureOf("samples_class", samples_class, lambda c: c.run.network().classes > 0),
    FigureOf("plane", plane, lambda c: c.run.network().latent_dim == 2),
)
