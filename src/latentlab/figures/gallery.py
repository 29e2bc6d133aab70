"""Which pictures a run shows, each computed here and drawn by ``latentlab.plots``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from latentlab.anomaly.settings import AnomalyScore
from latentlab.arrays import NO_CLASS
from latentlab.data.processed import ImageSplit
from latentlab.figures.anomalies import score_histogram
from latentlab.figures.confusion import confusion_matrix
from latentlab.figures.curves import bic_curve, loss_curves, roc_curves
from latentlab.figures.grids import decoded_plane, image_grid
from latentlab.figures.latent_maps import (
    Gaussians,
    component_name,
    latent_densities,
    latent_scatter,
    two_maps,
)
from latentlab.figures.settings import PlotSettings
from latentlab.latents import paths as traversal
from latentlab.latents.encoding import decode
from latentlab.latents.projection import to_plane, tsne
from latentlab.models.base import ImageModel
from latentlab.models.settings import Loss
from latentlab.pixels import PixelRange, to_range, to_unit
from latentlab.run import Results
from latentlab.subsample import subsample

Floats = npt.NDArray[np.float32]

UNITS: dict[AnomalyScore, str] = {
    "reconstruction": "squared error a pixel",
    "objective": "loss and KL of an image (nats)",
    "density": "negative log-density under the mixture (nats)",
    "mahalanobis": "Mahalanobis distance to the train latents",
    "neighbors": "distance to the nearest train latents",
    "combined": "standard deviations above validation images",
}

BATCH = 1000
PRIOR_ROWS = 5
PAIRS = 3
MOST_ROWS = 32
PLANE_TILES = 20


def dataset_figure(
    train: ImageSplit, class_names: Sequence[str], dataset: str, look: PlotSettings
) -> Figure:
    """The first training images of each class, or of the set where it has no classes."""
    rows, names = [], []
    for label in np.unique(train.labels):
        chosen = np.flatnonzero(train.labels == label)
        for start in range(0, look.examples * (1 if label >= 0 else 4), look.examples):
            some = chosen[start : start + look.examples]
            if len(some):
                rows.append(to_range(train.images[some], "unit"))
                names.append(class_names[label] if label >= 0 else "")
    by_class = " by class" if class_names else ""
    return image_grid(rows, names, f"{dataset}: training images{by_class}", look.colormap)


def anomalies_figure(anomalies: ImageSplit, dataset: str, look: PlotSettings) -> Figure:
    """Anomalies spread over their set."""
    count = min(len(anomalies.images), 2 * look.examples)
    chosen = np.linspace(0, len(anomalies.images) - 1, count).astype(int)
    images = to_range(anomalies.images[chosen], "unit")
    rows = [images[: look.examples], images[look.examples :]]
    rows = [row for row in rows if len(row)]
    return image_grid(rows, [""] * len(rows), f"{dataset}: anomalies", look.colormap)


@final
@dataclass(frozen=True)
class Gallery:
    """The pictures of one model.

    Attributes:
        results: What the stages wrote about the model.
        network: The trained model, on the device.
        test: Test images.
        anomalies: Images that do not belong; may be empty.
        class_names: One a label.
        loss: What the model was trained to lower.
        anomaly_score: The one that counts.
        pixel_range: Range of the pixels that the model makes.
        look: How many examples, and in which colors.
        seed: Of samples and subsamples, anew for each picture.
        threads: CPU threads of the t-SNE map.
        device: Where to decode.
    """

    results: Results
    network: ImageModel
    test: ImageSplit
    anomalies: ImageSplit
    class_names: Sequence[str]
    loss: Loss
    anomaly_score: AnomalyScore
    pixel_range: PixelRange
    look: PlotSettings
    seed: int
    threads: int
    device: torch.device

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Every picture that the model and the data set have, with the name of its file."""
        yield "loss", self.loss_curves()
        yield "reconstructions", self.reconstructions()
        yield "best_and_worst", self.best_and_worst()
        if self.results.test.log_var is not None:
            yield "samples_prior", self.samples_prior()
        yield "samples_mixture", self.samples_mixture()
        if self.network.classes:
            yield "samples_class", self.samples_class()
        if self.network.latent_dim == 2:
            yield "plane", self.plane()
        yield "interpolation", self.interpolation()
        yield "traversal", self.traversal()
        if len(self.class_names) > 1:
            yield "arithmetic", self.arithmetic()
        yield "latents", self.latents()
        if self.network.latent_dim > 2:
            yield "pca_and_tsne", self.pca_and_tsne()
        if len(self.results.candidates) > 1:
            yield "components", self.components()
        if self.results.confusion is not None:
            yield "confusion", self.confusion()
        if self.results.roc is not None:
            yield "roc", self.roc()
            yield "errors", self.errors()
            yield "fooled", self.fooled()

    def loss_curves(self) -> Figure:
        """Loss terms over epochs."""
        unit = "squared error an image" if self.loss == "mse" else "nats an image"
        return loss_curves(self.results.history, unit, self._title("loss"))

    def reconstructions(self) -> Figure:
        """The first test images over their reconstructions, in three pairs of rows."""
        first = range(min(3 * self.look.examples, len(self.test.images)))
        rows: list[Floats] = []
        for start in range(0, len(first), self.look.examples):
            rows += self._over_reconstructions(first[start : start + self.look.examples])
        error = self.results.score("reconstruction", "mse")
        title = f"test images and reconstructions, mean squared error {error:.4f}"
        return self._grid(rows, ["original", "reconstruction"] * (len(rows) // 2), title)

    def best_and_worst(self) -> Figure:
        """Test images with the lowest and the highest reconstruction error."""
        order = np.argsort(self.results.test.measured_errors().squared_error, kind="stable")
        examples = min(self.look.examples, len(order))
        rows = self._over_reconstructions(order[:examples])
        rows += self._over_reconstructions(order[::-1][:examples])
        names = ["lowest error", "reconstruction", "highest error", "reconstruction"]
        return self._grid(rows, names, "test images by reconstruction error")

    def samples_prior(self) -> Figure:
        """Images decoded from draws of the standard normal prior."""
        draws = self._rng().standard_normal(
            (PRIOR_ROWS * self.look.examples, self.network.latent_dim)
        )
        rows = np.split(self._decoded(draws), PRIOR_ROWS)
        return self._grid(rows, [""] * PRIOR_ROWS, "samples from the prior")

    def samples_mixture(self) -> Figure:
        """Images decoded from draws of each component, a row a component."""
        rng, mixture = self._rng(), self.results.mixture
        components = range(min(len(mixture.weights), MOST_ROWS))
        rows = [self._decoded(mixture.sample(i, self.look.examples, rng)) for i in components]
        names = [
            component_name(i, mixture.component_class[i], self.class_names) for i in components
        ]
        told = "number: class" if self.class_names else "number"
        return self._grid(rows, names, f"samples from the mixture, a row a component ({told})")

    def samples_class(self) -> Figure:
        """Images of each class from the same draws of the prior: style stays down a column."""
        draws = self._rng().standard_normal((self.look.examples, self.network.latent_dim))
        rows = [self._decoded(draws, label) for label in range(len(self.class_names))]
        return self._grid(rows, self.class_names, "samples by class, one style a column")

    def plane(self) -> Figure:
        """Images decoded from a grid over the latent plane."""
        latents = np.asarray(self.results.train.mean, dtype=np.float64)
        low, high = np.quantile(latents, [0.01, 0.99], axis=0)
        x, y = (np.linspace(low[i], high[i], PLANE_TILES) for i in range(2))
        # The second dimension rises upwards, as it does in the scatter of latents.
        grid = np.stack(np.meshgrid(x, y[::-1]), axis=-1)
        images = self._decoded(grid.reshape(-1, 2))
        tiles = images.reshape(PLANE_TILES, PLANE_TILES, *images.shape[1:])
        title = self._title("the decoded latent plane")
        return decoded_plane(tiles, (x[0], x[-1]), (y[0], y[-1]), title, self.look.colormap)

    def interpolation(self) -> Figure:
        """Between pairs of test images, of two classes each where there are classes."""
        means, labels = self.results.test.mean, self.test.labels
        steps = np.linspace(0, 1, max(2, self.look.examples - 2))
        rows, names = [], []
        for first, second in traversal.pairs(labels, PAIRS):
            ends = to_range(self.test.images[[first, second]], "unit")
            for name, between in (("linear", traversal.lerp), ("spherical", traversal.slerp)):
                decoded = self._decoded(between(means[first], means[second], steps))
                rows.append(np.concatenate([ends[:1], decoded, ends[1:]]))
                names.append(name)
        return self._grid(rows, names, "interpolation between two test images (first and last)")

    def traversal(self) -> Figure:
        """The first test image with one latent dimension changed from low to high, a row each."""
        order, shares, unit = traversal.dimensions_by_use(self.results.test)
        shown = order[:MOST_ROWS]
        steps = np.linspace(-3, 3, self.look.examples)
        latents = traversal.along_dimensions(
            self.results.test.mean[0], self.results.train.mean, shown, steps
        )
        rows = [self._decoded(row) for row in latents]
        names = [f"{dimension}: {shares[dimension]:.2f} {unit}" for dimension in shown]
        some = f" (the first {MOST_ROWS} of {len(order)})" if len(order) > MOST_ROWS else ""
        return self._grid(rows, names, f"one latent dimension a row, -3 to 3 sigma{some}")

    def arithmetic(self) -> Figure:
        """Test images moved along the difference of two class means."""
        means = traversal.class_means(
            self.results.train.mean, self.results.train_labels, len(self.class_names)
        )
        if self.look.directions is None:
            directions = traversal.to_nearest(means)
        else:
            directions = traversal.named(self.look.directions, self.class_names)
        steps = np.linspace(0, 1.5, self.look.examples - 1 or 1)
        rows, names = [], []
        for start, end in directions:
            ones = np.flatnonzero(self.test.labels == start)
            if len(ones):
                image = ones[0]
                path = steps[:, None] * (means[end] - means[start])
                decoded = self._decoded(self.results.test.mean[image] + path)
                original = to_range(self.test.images[image : image + 1], "unit")
                rows.append(np.concatenate([original, decoded]))
                names.append(f"{self.class_names[start]} to {self.class_names[end]}")
        return self._grid(
            rows, names, "a test image plus 0 to 1.5 times a difference of class means"
        )

    def latents(self) -> Figure:
        """Test latents with the mixture over them, in the plane or on the line."""
        mixture, plane = self.results.mixture, to_plane(self.results.train.mean)
        chosen = self._some(self.look.scatter_points)
        points, labels = plane.points(self.results.test.mean[chosen]), self.test.labels[chosen]
        gaussians = Gaussians(
            mixture.weights,
            plane.points(mixture.means),
            plane.covariances(mixture.full_covariances()),
            mixture.component_class,
        )
        title = self._title(f"{len(chosen):,} test latents and the mixture (1 and 2 sigma)")
        names = self.class_names
        if len(plane.axis_names) == 1:
            return latent_densities(points, labels, names, gaussians, plane.axis_names[0], title)
        return latent_scatter(
            points, labels, self._misassigned(chosen), names, gaussians, plane.axis_names, title
        )

    def pca_and_tsne(self) -> Figure:
        """The same test latents by principal components and by neighbors."""
        chosen = self._some(self.look.tsne_points)
        latents = self.results.test.mean[chosen]
        plane = to_plane(self.results.train.mean)
        return two_maps(
            (plane.points(latents), tsne(latents, self.seed, self.threads)),
            ("PCA", "t-SNE"),
            self.test.labels[chosen],
            self._misassigned(chosen),
            self.class_names,
            self._title(f"{len(chosen):,} test latents by PCA and by t-SNE"),
        )

    def components(self) -> Figure:
        """BIC over the number of components."""
        fitted = len(self.results.mixture.weights)
        title = self._title("how many components the train latents ask for")
        return bic_curve(self.results.candidates, fitted, title)

    def confusion(self) -> Figure:
        """True classes by the class of the cluster."""
        assert self.results.confusion is not None
        accuracy = self.results.score("classification", "accuracy")
        title = self._title(f"classes by the mixture, accuracy {accuracy:.3f} on test")
        return confusion_matrix(self.results.confusion.to_numpy(), self.class_names, title)

    def roc(self) -> Figure:
        """Anomalies found over normal images mistaken for them."""
        assert self.results.roc is not None
        names = self.results.roc["score"].unique().tolist()
        names.sort(key=lambda name: name != self.anomaly_score)
        areas = {name: self.results.score(f"anomaly.{name}", "auroc") for name in names}
        return roc_curves(self.results.roc, areas, self._title("anomalies by each score"))

    def errors(self) -> Figure:
        """Scores of test images and anomalies, and the threshold between them."""
        return score_histogram(
            *self._suspicion(),
            self.results.score("anomaly", "threshold"),
            UNITS[self.anomaly_score],
            self._title("anomaly scores of test images and anomalies"),
        )

    def fooled(self) -> Figure:
        """The images that the anomaly score judges worst."""
        normal, strange = self._suspicion()
        highest = np.argsort(normal, kind="stable")[::-1][: self.look.examples]
        lowest = np.argsort(strange, kind="stable")[: self.look.examples]
        rows = self._over_reconstructions(highest) + self._over_reconstructions(lowest, True)
        names = ["most suspect", "reconstruction", "least suspect", "reconstruction"]
        return self._grid(rows, names, "which images fool the score: test images, then anomalies")

    def _misassigned(self, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Which of some test images lie in a component that carries another class than theirs."""
        clusters = self.results.mixture.predict(self.results.test.mean[chosen])
        labels = self.test.labels[chosen]
        wrong: npt.NDArray[np.bool_] = self.results.mixture.component_class[clusters] != labels
        return wrong & (labels >= 0)

    def _suspicion(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Headline anomaly scores of test images and of anomalies."""
        table = self.results.suspicion
        normal, strange = (
            table.loc[table["split"] == split, self.anomaly_score].to_numpy(np.float64)
            for split in ("test", "anomalies")
        )
        return normal, strange

    def _grid(self, rows: Sequence[Floats], names: Sequence[str], title: str) -> Figure:
        return image_grid(rows, names, self._title(title), self.look.colormap)

    def _title(self, text: str) -> str:
        return f"{self.results.model}: {text}"

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def _some(self, count: int) -> npt.NDArray[np.intp]:
        """Test images for a scatter: a seeded subsample, in their order."""
        return subsample(len(self.test.labels), count, self.seed)

    def _decoded(self, latents: npt.NDArray[np.floating], label: int = NO_CLASS) -> Floats:
        """Images in ``[0, 1]`` of some latents."""
        images = decode(self.network, latents, batch_size=BATCH, device=self.device, label=label)
        return to_unit(images, self.pixel_range)

    def _over_reconstructions(
        self, chosen: Sequence[int] | npt.NDArray[np.intp], anomalous: bool = False
    ) -> list[Floats]:
        """A row of images and a row of their reconstructions."""
        images = self.anomalies.images if anomalous else self.test.images
        latents = self.results.anomalies if anomalous else self.results.test
        indices = np.asarray(chosen)
        return [
            to_range(images[indices], "unit"),
            to_unit(latents.kept_reconstructions()[indices], self.pixel_range),
        ]
