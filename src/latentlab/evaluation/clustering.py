"""Clustering metrics: how well the components that images are assigned to agree with classes.

Components are assigned to classes on train and scored on test, so that no test label takes part
in the assignment. Metrics of counts take many tables at once, such as the resampled ones behind
an interval.
"""

import numpy as np
from scipy.special import digamma, entr, hyperu
from sklearn.metrics import adjusted_mutual_info_score, silhouette_score
from sklearn.metrics.cluster import contingency_matrix

from latentlab.arrays import Floats, Integers
from latentlab.evaluation.intervals import Bootstrap, table_interval
from latentlab.evaluation.metric import Metric, Score
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.settings import MixtureSettings
from latentlab.mixture.space import fit_in_space, in_space
from latentlab.randomness import sample_indices

# Distances between all pairs: memory grows with the square of it.
SILHOUETTE_POINTS = 2000

ACCURACY = Metric(
    "clustering",
    "accuracy",
    "share of images whose component is assigned to their class, matched one to one on train",
    range="0 to 1",
    better="higher",
    is_headline=True,
)
ACCURACY_MAJORITY = Metric(
    "clustering",
    "accuracy_majority",
    "the same with each component assigned to its most frequent train class; it rises with the "
    "number of components",
    range="0 to 1",
    better="higher",
)
AMI = Metric(
    "clustering",
    "ami",
    "adjusted mutual information of components and classes (arithmetic mean); 0 is chance",
    range="up to 1",
    better="higher",
    is_headline=True,
)
NMI = Metric(
    "clustering",
    "nmi",
    "normalized mutual information of components and classes (arithmetic mean), larger for few "
    "images; its interval is that of `ami`, whose value for ever more images is the same",
    range="0 to 1",
    better="higher",
)
ARI = Metric(
    "clustering",
    "ari",
    "adjusted Rand index of components and classes; 0 is chance",
    range="-0.5 to 1",
    better="higher",
)
SILHOUETTE = Metric(
    "clustering",
    "silhouette",
    "silhouette of the components of at most 2,000 test latents; needs no label",
    range="-1 to 1",
    better="higher",
)
ACCURACY_TRANSDUCTIVE = Metric(
    "clustering",
    "accuracy_transductive",
    "accuracy of a mixture fitted on all images and matched on all labels, which is what papers "
    "print",
    range="0 to 1",
    better="higher",
)
NMI_TRANSDUCTIVE = Metric(
    "clustering",
    "nmi_transductive",
    "normalized mutual information of the same mixture",
    range="0 to 1",
    better="higher",
)
METRICS = (
    ACCURACY,
    ACCURACY_MAJORITY,
    AMI,
    NMI,
    ARI,
    SILHOUETTE,
    ACCURACY_TRANSDUCTIVE,
    NMI_TRANSDUCTIVE,
)


def silhouette(points: Floats, components: Integers) -> float:
    r"""How much nearer points are to their own component than to the next: -1 to 1, 1 is best.

    .. math:: \frac1N \sum_i \frac{b_i - a_i}{\max(a_i, b_i)}

    with :math:`a` the mean distance to points of the same component and :math:`b` to those of the
    nearest other one. Components of one point count 0.

    Args:
        points: Shape ``(N, D)``; distances are Euclidean, so memory grows with ``N`` squared.
        components: Shape ``(N,)``, at least two different ones, and fewer than points.

    References:
        Rousseeuw, Silhouettes (1987). https://doi.org/10.1016/0377-0427(87)90125-7
    """
    return float(silhouette_score(points, components))


def contingency(labels: Integers, components: Integers) -> Integers:
    """How many images of each class fell into each component, shape ``(classes, components)``.

    Classes and components without an image have no row or column.
    """
    counts: Integers = contingency_matrix(labels, components).astype(np.int64)
    return counts


def nmi(counts: Integers) -> Floats:
    r"""Normalized mutual information, in ``[0, 1]``; 1 is best.

    .. math:: \frac{2 I(Y; C)}{H(Y) + H(C)}

    Args:
        counts: Images by class and component, shape ``(..., classes, components)``.

    Returns:
        Shape ``(...)``; 1 for a single class in a single component.

    References:
        Strehl & Ghosh, Cluster Ensembles (2002). https://www.jmlr.org/papers/v3/strehl02a.html

    Example:
        >>> float(nmi(np.array([[5, 0], [0, 5]])))
        1.0
    """
    joint = counts / counts.sum(axis=(-2, -1), keepdims=True)
    classes, components = entr(joint.sum(-1)).sum(-1), entr(joint.sum(-2)).sum(-1)
    mutual = classes + components - entr(joint).sum((-2, -1))
    # Rounding may leave a mutual information of zero just below it.
    return _ratio(2 * np.maximum(mutual, 0), classes + components)


def population_nmi(counts: Integers) -> Floats:
    """Estimate of the population's normalized mutual information, almost without bias.

    The NMI of few images is too large: many pairs of class and component that the population has
    are not among them, and the entropy of pairs comes out too small. Here the entropies are
    estimated by ``entropy``. The AMI of ever more images nears the same value.

    Args:
        counts: Images by class and component, shape ``(..., classes, components)``.

    Returns:
        At most 1, near 0 for chance and by chance just below it; shape ``(...)``.
    """
    classes, components = entropy(counts.sum(-1)), entropy(counts.sum(-2))
    joint = entropy(counts.reshape(*counts.shape[:-2], -1))
    mutual = classes + components - joint
    return np.minimum(_ratio(2 * mutual, classes + components), 1)


def entropy(counts: Integers) -> Floats:
    """Entropy in nats of the population that counts are drawn from, almost without bias.

    What was seen once or twice tells how much was not seen.

    Args:
        counts: Of each kind, shape ``(..., kinds)``.

    Returns:
        Shape ``(...)``.

    References:
        Chao, Wang & Jost, Entropy and the Species Accumulation Curve (2013); its series is summed
        in the limit of many counts. https://doi.org/10.1111/2041-210X.12108
    """
    total = counts.sum(-1).astype(np.float64)
    seen = counts * (digamma(total)[..., None] - digamma(np.maximum(counts, 1)))
    once, twice = (counts == 1).sum(-1), (counts == 2).sum(-1)
    # Of what the next draw adds: how much was seen once or never, by Good and Turing.
    ratio = np.where(twice > 0, 2 * twice, 2) / np.where(
        twice > 0, (total - 1) * once + 2 * twice, (total - 1) * np.maximum(once - 1, 0) + 2
    )
    unseen = once * (1 - ratio) * hyperu(1, 1, total * ratio)
    entropies: Floats = (seen.sum(-1) + unseen) / total
    return entropies


def ari(counts: Integers) -> Floats:
    """Rand index adjusted for chance: 1 is best, 0 is chance, -0.5 the least.

    Args:
        counts: Images by class and component, shape ``(..., classes, components)``.

    Returns:
        Shape ``(...)``; 1 where every pair of images is together, or none, in both.

    References:
        Hubert & Arabie, Comparing Partitions (1985), equation 5.
        https://doi.org/10.1007/BF01908075

    Example:
        >>> float(ari(np.array([[5, 0], [0, 5]])))
        1.0
    """
    classes, components = _pairs(counts.sum(-1)).sum(-1), _pairs(counts.sum(-2)).sum(-1)
    expected = classes * components / np.maximum(_pairs(counts.sum((-2, -1))), 1)
    found = _pairs(counts).sum((-2, -1))
    return _ratio(found - expected, (classes + components) / 2 - expected)


def silhouette_scores(latents: Floats, components: Integers, seed: int) -> list[Score]:
    """Silhouette of a sample of latents; empty where it is not defined.

    Args:
        latents: Posterior means of the test images, shape ``(N, D)``.
        components: Component of each, shape ``(N,)``.
        seed: Of the sample.
    """
    chosen = sample_indices(len(components), SILHOUETTE_POINTS, seed, "silhouette")
    if not 2 <= len(np.unique(components[chosen])) < len(chosen):
        return []
    return [SILHOUETTE.score(silhouette(latents[chosen], components[chosen]))]


def clustering_scores(
    labels: Integers, components: Integers, mixture: Mixture, bootstrap: Bootstrap
) -> list[Score]:
    """Agreement of components with classes.

    Args:
        labels: Test labels, shape ``(N,)``.
        components: Component of each test image, shape ``(N,)``.
        mixture: Its components assigned to classes on train labels.
        bootstrap: Of the intervals.
    """
    agreement = contingency(labels, components)
    mutual = table_interval(agreement, population_nmi)
    return [
        bootstrap.mean(ACCURACY, mixture.one_to_one_class[components] == labels),
        bootstrap.mean(ACCURACY_MAJORITY, mixture.majority_class[components] == labels),
        AMI.score(float(adjusted_mutual_info_score(labels, components)), mutual),
        NMI.score(float(nmi(agreement)), mutual),
        ARI.score(float(ari(agreement)), table_interval(agreement, ari, lowest=-0.5)),
    ]


def transductive_scores(
    latents: Floats, labels: Integers, classes: int, settings: MixtureSettings, seed: int
) -> list[Score]:
    """Scores as papers print them: a mixture fitted on all images and matched on all labels.

    Args:
        latents: Of train, validation and test together, shape ``(N, D)``.
        labels: Their classes, shape ``(N,)``.
        classes: Number of classes.
        settings: Of the mixture; it always starts from k-means.
        seed: Of the starts.
    """
    unsupervised = settings.model_copy(update={"init": "kmeans"})
    spaces = in_space(latents, unsupervised, seed)
    mixture = fit_in_space(
        latents, spaces, labels, classes=classes, settings=unsupervised, seed=seed
    )
    components = mixture.predict(latents)
    correct = mixture.one_to_one_class[components] == labels
    return [
        ACCURACY_TRANSDUCTIVE.score(float(correct.mean())),
        NMI_TRANSDUCTIVE.score(float(nmi(contingency(labels, components)))),
    ]


def _pairs(counts: Integers) -> Floats:
    return counts * (counts - 1.0) / 2


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Their quotient; 1 where the divisor is 0."""
    result: Floats = np.divide(part, whole, out=np.ones_like(whole), where=whole != 0)
    return result
