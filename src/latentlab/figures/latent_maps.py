"""Latents in the plane, or on a line, with the mixture over them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from latentlab.figures.context import FigureContext, FigureOf
from latentlab.figures.points import draw_points, spread_labels
from latentlab.figures.style import INK, as_text, color, new_figure
from latentlab.latents.projection import tsne

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
CURVE_POINTS = 400


class ProjectedGaussians(NamedTuple):
    """Components of a mixture, seen in the plane or on the line.

    Attributes:
        weights: Shape ``(K,)``.
        means: Shape ``(K, d)``, ``d`` 1 or 2.
        covariances: Shape ``(K, d, d)``.
        classes: Class that each component is assigned to, shape ``(K,)``; -1 for none.
    """

    weights: Array
    means: Array
    covariances: Array
    classes: npt.NDArray[np.int64]


def latent_scatter(
    points: Array,
    labels: npt.NDArray[np.int64],
    misassigned: Mask,
    class_names: Sequence[str],
    gaussians: ProjectedGaussians,
    axis_names: Sequence[str],
    title: str,
) -> Figure:
    """Latents colored by class, and each component's center with its 1 and 2 sigma ellipses.

    Args:
        points: Shape ``(N, 2)``.
        labels: Shape ``(N,)``; -1 without class.
        misassigned: Which points lie in a component of another class, shape ``(N,)``.
        class_names: One a label.
        gaussians: The mixture in the same plane.
        axis_names: Of the two axes.
        title: Above the picture.
    """
    figure = new_figure(6.5)
    axes = figure.subplots()
    draw_points(axes, points, labels, misassigned, class_names)
    names = []
    for index, (mean, covariance) in enumerate(
        zip(gaussians.means, gaussians.covariances, strict=True)
    ):
        assigned = gaussians.classes[index]
        shade = INK if assigned < 0 else color(assigned)
        variances, directions = np.linalg.eigh(covariance)
        angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))
        for sigmas in (1, 2):
            minor, major = 2 * sigmas * np.sqrt(np.maximum(variances, 0))
            axes.add_patch(
                Ellipse(
                    mean, major, minor, angle=angle, fill=False, edgecolor=shade,
                    linewidth=1.4, linestyle=("-", ":")[sigmas - 1], zorder=1,
                )
            )  # fmt: skip
        axes.plot(*mean, marker="+", color=INK, markersize=9, markeredgewidth=1.6)
        names.append(
            axes.annotate(
                component_name(index, assigned, class_names), mean, xytext=(4, 4),
                textcoords="offset points", fontsize="small", color=INK, zorder=5,
                bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1},
                arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.7, "shrinkB": 3},
            )
        )  # fmt: skip
    axes.set_xlabel(axis_names[0])
    axes.set_ylabel(axis_names[1])
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        title="class" if class_names else None, frameon=False, markerscale=1.5,
        loc="upper left", bbox_to_anchor=(1, 1),
    )  # fmt: skip
    figure.suptitle(title, color=INK)
    spread_labels(axes, names)
    return figure


def two_maps(
    maps: tuple[Array, Array],
    map_names: tuple[str, str],
    labels: npt.NDArray[np.int64],
    misassigned: Mask,
    class_names: Sequence[str],
    title: str,
) -> Figure:
    """The same latents on two maps side by side, colored by class.

    Args:
        maps: Points on each map, shape ``(N, 2)``.
        map_names: One a map.
        labels: Shape ``(N,)``; -1 without class.
        misassigned: Which points lie in a component of another class, shape ``(N,)``.
        class_names: One a label.
        title: Above the picture.
    """
    figure = new_figure(4.2)
    for axes, points, name in zip(figure.subplots(1, 2), maps, map_names, strict=True):
        draw_points(axes, points, labels, misassigned, class_names)
        axes.set_title(name, fontsize="medium", color=INK)
        # Neither axis of a t-SNE map has a unit, and those of both maps are not compared.
        axes.set_xticks([])
        axes.set_yticks([])
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, title="class" if class_names else None,
        frameon=False, markerscale=1.5, loc="outside right upper",
    )  # fmt: skip
    figure.suptitle(title, color=INK)
    return figure


def latent_densities(
    points: Array,
    labels: npt.NDArray[np.int64],
    class_names: Sequence[str],
    gaussians: ProjectedGaussians,
    axis_name: str,
    title: str,
) -> Figure:
    """A single latent dimension: a histogram of each class, and the mixture's components over it.

    Args:
        points: Shape ``(N, 1)``.
        labels: Shape ``(N,)``; -1 without class.
        class_names: One a label.
        gaussians: The mixture on the same line.
        axis_name: Of the dimension.
        title: Above the picture.
    """
    figure = new_figure(4.5)
    axes = figure.subplots()
    values = points[:, 0]
    # As far as the images and 3 sigma of every component reach, so that no range is empty.
    reach = 3 * np.sqrt(gaussians.covariances[:, 0, 0])
    low = min(values.min(), (gaussians.means[:, 0] - reach).min())
    high = max(values.max(), (gaussians.means[:, 0] + reach).max())
    edges = np.linspace(low, high, 61).tolist()
    present = np.unique(labels)
    for label in present:
        axes.hist(
            values[labels == label],
            bins=edges,
            weights=np.full((labels == label).sum(), 1 / (len(values) * (edges[1] - edges[0]))),
            color=INK if label < 0 else color(label),
            alpha=0.45,
            label="images" if label < 0 else as_text(class_names[label]),
        )
    at = np.linspace(low, high, CURVE_POINTS)
    total = np.zeros_like(at)
    for weight, mean, covariance in zip(*gaussians[:3], strict=True):
        variance = covariance[0, 0]
        density = weight * np.exp(-((at - mean[0]) ** 2) / (2 * variance))
        density /= np.sqrt(2 * np.pi * variance)
        total += density
        axes.plot(at, density, color=INK, linewidth=0.8)
    axes.plot(at, total, color=INK, linewidth=1.8, label="mixture")
    axes.set_xlabel(axis_name)
    axes.set_ylabel("density (all images: area 1)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        title="class" if class_names else None, frameon=False,
        loc="upper left", bbox_to_anchor=(1, 1),
    )  # fmt: skip
    figure.suptitle(title, color=INK)
    return figure


def component_name(index: int, assigned: int, class_names: Sequence[str]) -> str:
    """Name of a component in a picture.

    Example:
        >>> component_name(3, 1, ["cat", "dog"]), component_name(3, -1, [])
        ('3: dog', '3')
    """
    return f"{index}: {as_text(class_names[assigned])}" if assigned >= 0 else str(index)


def latents(context: FigureContext) -> Figure:
    """Test latents with the mixture over them, in the plane or on the line."""
    run, plane = context.run, context.plane
    indices = context.test_sample(context.settings.scatter_points)
    points = plane.points(run.latents["test"].mean[indices])
    labels, names = run.splits["test"].labels[indices], run.class_names
    gaussians = ProjectedGaussians(
        run.mixture.weights,
        plane.points(run.mixture.means),
        plane.covariances(run.mixture.full_covariances()),
        run.mixture.component_class,
    )
    title = context.title(f"{len(indices):,} test latents and the mixture (1 and 2 sigma)")
    if len(plane.axis_names) == 1:
        return latent_densities(points, labels, names, gaussians, plane.axis_names[0], title)
    return latent_scatter(
        points, labels, context.misassigned(indices), names, gaussians, plane.axis_names, title
    )


def pca_and_tsne(context: FigureContext) -> Figure:
    """The same test latents by principal components and by t-SNE."""
    indices = context.test_sample(context.settings.tsne_points)
    means = context.run.latents["test"].mean[indices]
    return two_maps(
        (context.plane.points(means), tsne(means, context.seed, context.threads)),
        ("PCA", "t-SNE"),
        context.run.splits["test"].labels[indices],
        context.misassigned(indices),
        context.run.class_names,
        context.title(f"{len(indices):,} test latents by PCA and by t-SNE"),
    )


FIGURES = (
    FigureOf("latents", latents),
    FigureOf("pca_and_tsne", pca_and_tsne, lambda c: c.run.network().latent_dim > 2),
)
