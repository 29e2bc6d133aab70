"""Many points in the plane by class, as marks or as a density, and labels that stay apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from latentlab.figures.style import INK, as_text, color, marker

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
# Points that full-sized marks leave room for.
UNCROWDED = 500
# Points above which marks hide one another, and a density is drawn.
CROWDED = 2000
# Share of misassigned points above which rings would be everywhere and tell nothing.
RINGED = 0.4
HEXAGONS = (70, 50)
# Least opacity of a hexagon, with a single point in it.
FAINTEST = 0.18
# Color of a hexagon in which no class has a share worth a color.
MIXED = "#9a9a9a"
# Where a label may stand, seen from its point: near first; in points of 1/72 inch.
DISTANCES = (16, 28, 42, 58, 76, 96, 120, 150, 190)
DIRECTIONS = 16
# Between labels, so that two do not read as one; in points of 1/72 inch.
GAP = 4


def draw_points(
    axes: Axes,
    points: Array,
    labels: npt.NDArray[np.int64],
    misassigned: Mask,
    class_names: Sequence[str],
) -> None:
    """Points by class, each with its color and marker; a ring around the misassigned.

    More than 2,000 points become hexagons: the color is that of the most frequent class, grayer
    where classes mix, and the deeper, the more points there are. Rings are left out there, and
    where more than 40 % of the points would have one; the legend gives the share of misassigned
    points in any case.

    Args:
        axes: Where they are drawn.
        points: Shape ``(N, 2)``.
        labels: Shape ``(N,)``; -1 without class.
        misassigned: Which points lie in a component of another class, shape ``(N,)``.
        class_names: One a label.
    """
    # Many points get smaller marks, or rings would hide the colors that they are about.
    scale = min(1.0, (UNCROWDED / max(1, len(points))) ** 0.5)
    is_crowded = len(points) > CROWDED
    for label in np.unique(labels):
        chosen = labels == label
        shown = points[:0] if is_crowded else points[chosen]
        axes.scatter(
            shown[:, 0],
            shown[:, 1],
            s=22 if is_crowded else 22 * scale,
            alpha=0.8,
            linewidths=0,
            color=INK if label < 0 else color(label),
            marker="h" if is_crowded else "o" if label < 0 else marker(label),
            label="images" if label < 0 else as_text(class_names[label]),
        )
    if is_crowded:
        _draw_density(axes, points, labels)
        axes.scatter([], [], s=22, linewidths=0, color=MIXED, marker="h", label="mixed classes")
    if misassigned.any():
        share = f"misassigned: {misassigned.mean():.0%}"
        if is_crowded or misassigned.mean() > RINGED:
            axes.plot([], [], linestyle="none", label=share)
            return
        axes.scatter(
            points[misassigned, 0],
            points[misassigned, 1],
            s=52 * scale,
            facecolors="none",
            edgecolors=INK,
            linewidths=0.7 * scale,
            label=share,
        )


def _draw_density(axes: Axes, points: Array, labels: npt.NDArray[np.int64]) -> None:
    """Hexagons in the color of their most frequent class, grayer where it has a smaller share."""
    found: list[tuple[int, int, int]] = []

    def describe(inside: Any) -> float:
        classes, counts = np.unique(inside, return_counts=True)
        found.append((int(classes[counts.argmax()]), int(counts.max()), int(counts.sum())))
        return 0.0

    hexagons = axes.hexbin(
        points[:, 0], points[:, 1], C=labels, reduce_C_function=describe, gridsize=HEXAGONS,
        linewidths=0.3,
    )  # fmt: skip
    depth = np.log1p([count for _, _, count in found])
    alphas = FAINTEST + (1 - FAINTEST) * depth / depth.max()
    shades = []
    for (label, most, count), alpha in zip(found, alphas, strict=True):
        shade = np.array(to_rgb(INK if label < 0 else color(label)))
        mixed = np.array(to_rgb(MIXED)) * (1 - most / count) + shade * most / count
        shades.append((*mixed, alpha))
    hexagons.set_array(None)
    hexagons.set_facecolor(shades)
    hexagons.set_edgecolor("white")


def spread_labels(axes: Axes, annotations: Sequence[Annotation]) -> None:
    """Move labels of points so that none lies on another one or on a point of another one.

    The first stay where they are; a label that is moved away gets a line to its point. Where
    there is no room at all, the place with the least overlap is taken.

    Args:
        axes: With the labels, everything else drawn.
        annotations: Labels with an arrow, their text in offset points.
    """
    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    per_point = figure.dpi / 72
    points = [axes.transData.transform(each.xy) for each in annotations]
    marks = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in points]
    taken: list[Bbox] = []
    for own, (each, point) in enumerate(zip(annotations, points, strict=True)):
        text = each.get_bbox_patch() or each
        box = text.get_window_extent()
        corner = np.array([box.x0, box.y0]) - point
        start = np.array(each.get_position())
        others = taken + [mark for index, mark in enumerate(marks) if index != own]
        best, least = start, np.inf
        for offset in _offsets(start, box.width / per_point, box.height / per_point):
            x, y = point + corner + (offset - start) * per_point
            tried = Bbox.from_bounds(x, y, box.width, box.height)
            cost = _overlap(tried, others) + _outside(tried, axes.bbox)
            if cost < least:
                best, least, kept = offset, cost, tried
            if cost == 0:
                break
        taken.append(kept.padded(GAP * per_point))
        each.set_position((float(best[0]), float(best[1])))
        assert each.arrow_patch is not None
        each.arrow_patch.set_visible(bool((best != start).any()))


def _offsets(start: Array, width: float, height: float) -> list[Array]:
    """Where the lower left corner of a label may stand, the nearest place first."""
    angles = np.pi / 4 + 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    middle = np.array([width, height]) / 2
    return [
        start,
        *(
            distance * np.array([np.cos(angle), np.sin(angle)])
            + middle * [np.cos(angle), np.sin(angle)]
            - middle
            for distance in DISTANCES
            for angle in angles
        ),
    ]


def _overlap(box: Bbox, others: Sequence[Bbox]) -> float:
    """Area that a box shares with others, in square pixels."""
    found = (Bbox.intersection(box, other) for other in others)
    return sum(each.width * each.height for each in found if each is not None)


def _outside(box: Bbox, frame: Bbox) -> float:
    """Area of a box that lies outside of a frame, in square pixels."""
    inside = Bbox.intersection(box, frame)
    return box.width * box.height - (inside.width * inside.height if inside is not None else 0)
