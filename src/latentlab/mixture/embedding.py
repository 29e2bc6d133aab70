"""Embedding of latents in the plane by their neighbors, in which clusters move apart."""

import numpy as np

from latentlab.arrays import Array, Floats
from latentlab.errors import LatentlabError
from latentlab.randomness import stream_seed

# Steps of the optimization with each exaggeration of the attraction between neighbors: a larger
# one arranges clusters, the later one, near the spectrum's place of UMAP, keeps them compact.
EARLY_EXAGGERATION, EARLY_STEPS = 12, 150
LATE_EXAGGERATION, LATE_STEPS = 4, 150
# From so many points on, repulsion is interpolated on a grid, which takes time in proportion to
# their number.
INTERPOLATED = 10_000


def embed(latents: Floats, n_neighbors: int, seed: int) -> Array:
    """t-SNE map whose clusters keep apart: uniform affinities and a late exaggeration of 4.

    Runs on one thread, so that sums have one order.

    Args:
        latents: Shape ``(N, D)``, more rows than neighbors.
        n_neighbors: How many neighbors attract a point, all alike.
        seed: Of the optimization, which starts from the first two principal components.

    Returns:
        Shape ``(N, 2)``.

    Raises:
        LatentlabError: If openTSNE is not installed.

    References:
        Boehm, Berens & Kobak, Attraction-Repulsion Spectrum in Neighbor Embeddings (2022), which
        places UMAP near an exaggeration of 4. https://jmlr.org/papers/v23/21-0055.html
        Linderman et al., Fast interpolation-based t-SNE (2019).
        https://doi.org/10.1038/s41592-018-0308-4
    """
    # Importing openTSNE takes a second, and most runs fit their mixtures on the latents.
    try:
        from openTSNE import TSNEEmbedding
        from openTSNE.affinity import Uniform
        from openTSNE.initialization import pca
    except ImportError as error:
        raise LatentlabError(
            "openTSNE is not installed, which finds clusters on the manifold; run `pip install "
            "openTSNE`, or install latentlab[pipeline]"
        ) from error

    points = np.asarray(latents, dtype=np.float64)
    random_state = stream_seed(seed, "embedding")
    affinities = Uniform(points, k_neighbors=n_neighbors, method="exact", n_jobs=1)
    embedding = TSNEEmbedding(
        pca(points, random_state=random_state) if points.shape[1] > 1 else _beside_zero(points),
        affinities,
        negative_gradient_method="fft" if len(points) >= INTERPOLATED else "bh",
        n_jobs=1,
        random_state=random_state,
    )
    embedding.optimize(EARLY_STEPS, exaggeration=EARLY_EXAGGERATION, momentum=0.5, inplace=True)
    embedding.optimize(LATE_STEPS, exaggeration=LATE_EXAGGERATION, momentum=0.8, inplace=True)
    return np.array(embedding)


def _beside_zero(points: Array) -> Array:
    """A start in the plane for points on a line, as small as that of principal components."""
    line = (points - points.mean()) / max(float(points.std()), 1e-12)
    return 1e-4 * np.hstack([line, np.zeros_like(line)])
