"""Names of the anomaly scores, and what each is."""

from typing import Literal

AnomalyScore = Literal[
    "reconstruction", "objective", "density", "mahalanobis", "neighbors", "combined"
]

# What each score is, as one line of Markdown; larger is more anomalous.
DESCRIPTIONS: dict[AnomalyScore, str] = {
    "reconstruction": "squared error per pixel of the posterior-mean reconstruction",
    "objective": (
        "loss of one posterior sample plus KL with weight 1, whatever `beta` was trained with, "
        "nats: the negative ELBO where the loss is a likelihood; variational models only"
    ),
    "density": "negative log-density of the posterior mean under the mixture, nats",
    "mahalanobis": (
        "distance of the posterior mean from the mean of train, in units of the train covariance "
        "plus what the mixture adds to its own (`mixture.reg_covar`): it ranks as `density` would "
        "with a single full component, and no direction that hardly varies in train decides alone"
    ),
    "neighbors": (
        "distance of the posterior mean to the `evaluate.n_neighbors`-th nearest of train"
    ),
    "combined": (
        "mean of `reconstruction` and `neighbors`, each as standard deviations of its logarithm "
        "above the validation images"
    ),
}
