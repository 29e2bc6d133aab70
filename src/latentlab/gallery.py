"""Which pictures a run shows, each computed here and drawn by ``latentlab.plots``."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from latentlab.config import ModelParams, PixelRange
from latentlab.encoding import decode
from latentlab.images import ImageSplit, to_range, to_unit
from latentlab.models.base import ImageModel
from latentlab.plots.confusion import confusion_matrix
from latentlab.plots.curves import loss_curves, roc_curve
from latentlab.plots.grids import image_grid
from latentlab.plots.latent_space import (
    Gaussians,
    component_name,
    latent_densities,
    latent_scatter,
)
from latentlab.projection import to_plane
from latentlab.results import Results

Named = tuple[str, Figure]
PRIOR_ROWS = 5
BATCH = 1000


def dataset_figure(
    train: ImageSplit, class_names: Sequence[str], dataset: str, examples: int, colour_map: str
) -> Figure:
    """The first training images of each class, or of the set where it has no classes."""
    rows, names = [], []
    for label in np.unique(train.labels):
        rows.append(
            to_range(train.images[np.flatnonzero(train.labels == label)[:examples]], "unit")
        )
        names.append(class_names[label] if label >= 0 else "images")
    return image_grid(rows, names, f"{dataset}: training images by class", colour_map)


def anomalies_figure(
    anomalies: ImageSplit, dataset: str, examples: int, colour_map: str
) -> Figure:
    """Anomalies spread over their set."""
    count = min(len(anomalies.images), 2 * examples)
    chosen = np.linspace(0, len(anomalies.images) - 1, count).astype(int)
    images = to_range(anomalies.images[chosen], "unit")
    rows = [images[:examples], images[examples:]][: -(-count // examples)]
    return image_grid(rows, ["anomalies", ""][: len(rows)], f"{dataset}: anomalies", colour_map)


def model_figures(
    results: Results,
    network: ImageModel,
    test: ImageSplit,
    class_names: Sequence[str],
    *,
    params: ModelParams,
    pixel_range: PixelRange,
    examples: int,
    colour_map: str,
    scatter_points: int,
    seed: int,
    device: torch.device,
) -> Iterator[Named]:
    """Pictures of one model, each with its file's name.

    Args:
        results: What the stages wrote about the model.
        network: The trained model, on the device.
        test: Test images.
        class_names: One a label.
        params: The model's settings.
        pixel_range: Range of the pixels that the model makes.
        examples: Images a row.
        colour_map: Of grey images.
        scatter_points: At most so many latents in a scatter.
        seed: Of samples and subsamples.
        device: Where to decode.
    """
    model, mixture = results.model, results.mixture
    rng = np.random.default_rng(seed)

    def decoded(latents: np.ndarray) -> np.ndarray:
        return to_unit(decode(network, latents, batch_size=BATCH, device=device), pixel_range)

    unit = "squared error an image" if params.loss == "mse" else "nats an image"
    yield "loss", loss_curves(results.history, unit, f"{model}: loss")

    yield "reconstructions", _reconstructions(results, test, pixel_range, examples, colour_map)

    if results.test.log_var is not None:
        noise = rng.standard_normal((PRIOR_ROWS * examples, network.latent_dim))
        images = np.split(decoded(noise), PRIOR_ROWS)
        title = f"{model}: samples from the prior"
        yield "samples_prior", image_grid(images, [""] * PRIOR_ROWS, title, colour_map)

    components = range(len(mixture.weights))
    images = [decoded(mixture.sample(component, examples, rng)) for component in components]
    names = [component_name(i, mixture.component_class[i], class_names) for i in components]
    title = f"{model}: samples from the mixture, a row a component (number: class)"
    yield "samples_mixture", image_grid(images, names, title, colour_map)

    yield "latents", _latent_figure(results, test.labels, class_names, scatter_points, rng)

    if results.confusion is not None:
        accuracy = results.score("classification", "accuracy")
        title = f"{model}: classes by the mixture, accuracy {accuracy:.3f} on test"
        yield "confusion", confusion_matrix(results.confusion.to_numpy(), class_names, title)

    if results.roc is not None:
        auroc = results.score("anomaly", "auroc")
        title = f"{model}: anomalies by reconstruction error"
        yield (
            "roc",
            roc_curve(
                results.roc["false_positive_rate"].to_numpy(),
                results.roc["true_positive_rate"].to_numpy(),
                auroc,
                title,
            ),
        )


def _reconstructions(
    results: Results, test: ImageSplit, pixel_range: PixelRange, examples: int, colour_map: str
) -> Figure:
    """The first test images over their reconstructions, in three pairs of rows."""
    reconstructions = results.test.kept_reconstructions()
    rows, names = [], []
    for start in range(0, min(3 * examples, len(test.images)), examples):
        chosen = slice(start, start + examples)
        rows.append(to_range(test.images[chosen], "unit"))
        rows.append(to_unit(reconstructions[chosen], pixel_range))
        names += ["original", "reconstruction"]
    error = results.score("reconstruction", "mse")
    title = f"{results.model}: test images and reconstructions, mean squared error {error:.4f}"
    return image_grid(rows, names, title, colour_map)


def _latent_figure(
    results: Results,
    labels: np.ndarray,
    class_names: Sequence[str],
    scatter_points: int,
    rng: np.random.Generator,
) -> Figure:
    """Test latents with the mixture over them, in the plane or on the line."""
    mixture, plane = results.mixture, to_plane(results.train.mean)
    count = min(scatter_points, len(labels))
    chosen = np.sort(rng.choice(len(labels), count, replace=False))
    points = plane.points(results.test.mean[chosen])
    gaussians = Gaussians(
        mixture.weights,
        plane.points(mixture.means),
        plane.covariances(mixture.full_covariances()),
        mixture.component_class,
    )
    title = f"{results.model}: {count:,} test latents and the mixture (1 and 2 sigma)"
    if len(plane.axis_names) == 1:
        return latent_densities(
            points, labels[chosen], class_names, gaussians, plane.axis_names[0], title
        )
    return latent_scatter(points, labels[chosen], class_names, gaussians, plane.axis_names, title)
