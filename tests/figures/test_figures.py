"""Figures are read back by their artists; bytes are compared, pixels are for eyes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Ellipse

from latentlab.figures.anomalies import roc_curves, score_histogram
from latentlab.figures.confusion import confusion_matrix
from latentlab.figures.curves import bic_curve, loss_curves
from latentlab.figures.grids import decoded_plane, image_grid
from latentlab.figures.latent_maps import (
    ProjectedGaussians,
    latent_densities,
    latent_scatter,
    two_maps,
)
from latentlab.figures.style import color, save_png
from latentlab.latents.projection import to_plane

ROC = pd.DataFrame(
    {
        "score": ["density"] * 3 + ["neighbors"] * 2,
        "false_positive_rate": [0, 0.5, 1, 0, 1],
        "true_positive_rate": [0, 0.9, 1, 0, 1],
    }
)
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "train_total": [3.0, 2.0, 1.5],
        "train_reconstruction": [2.0, 1.0, 0.5],
        "train_kl": [1.0, 1.0, 1.0],
        "validation_total": [3.0, 2.1, 2.2],
        "validation_reconstruction": [2.0, 1.1, 1.2],
        "validation_kl": [1.0, 1.0, 1.0],
        "is_best": [0, 1, 0],
    }
)


def line_gaussians():
    return ProjectedGaussians(
        np.array([0.5, 0.5]),
        np.array([[-2.0], [2.0]]),
        np.array([[[1.0]], [[0.25]]]),
        np.array([0, 1]),
    )


def test_images_stand_the_right_way_up_on_a_scale_from_zero_to_one():
    image = np.zeros((1, 1, 8, 8), np.float32)
    image[0, 0, 0, -1] = 0.5  # top right
    axes = image_grid([image], ["row"], "title", "gray").axes[0]
    shown = axes.images[0]
    assert shown.get_clim() == (0, 1)
    assert shown.origin == "upper"
    assert shown.get_array()[0, 7] == 0.5


def test_color_images_keep_their_channels():
    image = np.zeros((1, 3, 8, 8), np.float32)
    image[0, 0] = 1
    axes = image_grid([image], [""], "", "gray").axes[0]
    assert axes.images[0].get_array()[4, 4].tolist() == [1, 0, 0]


def test_rows_of_different_length_leave_white():
    rows = [np.zeros((3, 1, 8, 8), np.float32), np.zeros((1, 1, 8, 8), np.float32)]
    shown = image_grid(rows, ["a", "b"], "", "gray").axes[0].images[0].get_array()
    assert shown.mask[-1, -1]
    assert not shown.mask[0, -1]


@pytest.mark.parametrize("name", ["7", "reconstruction", "Sneaker to Ankle boot"])
def test_no_name_of_a_row_is_cut_off(name):
    figure = image_grid([np.zeros((12, 1, 8, 8), np.float32)], [name], "", "gray")
    figure.canvas.draw()
    label = figure.axes[0].get_yticklabels()[0]
    assert label.get_window_extent().x0 >= 0


def test_curves_mark_the_epoch_kept_and_name_their_unit():
    figure = loss_curves(HISTORY, "nats per image", "vae: loss")
    assert len(figure.axes) == 3
    total = figure.axes[0]
    np.testing.assert_array_equal(total.lines[0].get_ydata(), HISTORY["train_total"])
    np.testing.assert_array_equal(total.lines[1].get_ydata(), HISTORY["validation_total"])
    assert total.lines[2].get_xdata()[0] == 2
    assert total.get_ylabel() == "total\n(nats per image)"


def test_a_kl_is_in_nats_whatever_the_loss_and_no_label_is_cut_off():
    figure = loss_curves(HISTORY, "squared error per image", "vae: loss")
    figure.draw_without_rendering()
    assert figure.axes[1].get_ylabel() == "reconstruction\n(squared error per image)"
    assert figure.axes[2].get_ylabel() == "kl\n(nats per image)"
    whole = figure.bbox
    for axes in figure.axes:
        label = axes.yaxis.label.get_window_extent()
        assert whole.y0 <= label.y0 < label.y1 <= whole.y1


def test_a_model_without_kl_has_one_panel_and_none_is_empty():
    history = HISTORY[["epoch", "train_total", "train_reconstruction", "is_best"]]
    figure = loss_curves(history, "squared error per image", "")
    assert len(figure.axes) == 1
    assert len(figure.axes[0].lines) == 2


def test_ellipses_have_the_axes_of_the_covariance():
    gaussians = ProjectedGaussians(
        np.ones(1), np.array([[1.0, 2.0]]), np.array([[[4.0, 0.0], [0.0, 1.0]]]), np.array([0])
    )
    points, labels = np.zeros((4, 2)), np.array([0, 0, -1, -1])
    axes = latent_scatter(points, labels, labels < -1, ["cat"], gaussians, ["x", "y"], "").axes[0]
    one_sigma, two_sigma = [patch for patch in axes.patches if isinstance(patch, Ellipse)]
    assert tuple(one_sigma.center) == (1, 2)
    assert (one_sigma.width, one_sigma.height) == pytest.approx((4, 2))
    assert (two_sigma.width, two_sigma.height) == pytest.approx((8, 4))
    assert one_sigma.angle % 180 == pytest.approx(0)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["images", "cat"]
    assert axes.texts[0].get_text() == "0: cat"


def test_densities_of_a_line_integrate_to_one():
    points = np.random.default_rng(0).normal(0, 3, (1000, 1))
    labels = np.arange(1000) % 2
    axes = latent_densities(points, labels, ["a", "b"], line_gaussians(), "z", "").axes[0]
    bars = sum(bar.get_width() * bar.get_height() for bar in axes.patches)
    assert bars == pytest.approx(1)
    mixture = axes.lines[-1]
    assert np.trapezoid(mixture.get_ydata(), mixture.get_xdata()) == pytest.approx(1, abs=0.01)


def test_the_confusion_matrix_shows_every_count_and_hides_an_empty_column():
    counts = np.array([[3, 1, 0], [0, 2, 0]])
    axes = confusion_matrix(counts, ["cat", "dog"], "").axes[0]
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "2"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog"]
    counts[0, 2] = 1
    axes = confusion_matrix(counts, ["cat", "dog"], "").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog", "no class"]


def test_the_same_figure_is_the_same_bytes_without_a_version_in_it(tmp_path):
    for name in ("a", "b"):
        figure = roc_curves(ROC, {"density": 0.7, "neighbors": 0.5}, "title")
        save_png(figure, tmp_path / f"{name}.png")
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    assert b"Software" not in content


@pytest.mark.parametrize("dimensions", [1, 2])
def test_few_dimensions_are_shown_as_they_are(dimensions):
    latents = np.random.default_rng(0).normal(3, 2, (10, dimensions))
    np.testing.assert_array_equal(to_plane(latents).points(latents), latents)


def test_tiles_of_the_plane_stand_over_their_latents():
    """The center of each outer tile lies at the end of the range."""
    tiles = np.zeros((3, 5, 1, 8, 8), np.float32)
    tiles[0, -1] = 1  # top right: high in both dimensions
    axes = decoded_plane(tiles, (-2.0, 2.0), (-1.0, 1.0), "", "gray").axes[0]
    image = axes.images[0]
    assert image.get_extent() == pytest.approx([-2.5, 2.5, -1.5, 1.5])
    assert image.get_array()[0, -1] == 1
    assert image.get_array().sum() == 64
    assert image.origin == "upper"


def test_the_histogram_tells_how_many_lie_above_the_threshold():
    normal, anomalous = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.35, 3.0])
    axes = score_histogram(normal, anomalous, 0.32, "error", "").axes[0]
    assert axes.get_xscale() == "log"
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert set(names) == {"test: 25.0% above", "anomalies: 100.0% above", "threshold 0.32"}
    heights = [patch.get_height() for patch in axes.patches]
    assert sum(heights) == pytest.approx(2)


def test_the_histogram_of_negative_scores_has_a_linear_axis():
    axes = score_histogram(np.array([-3.0, 1.0]), np.array([2.0]), 0.0, "nats", "").axes[0]
    assert axes.get_xscale() == "linear"
    assert axes.get_xlabel() == "nats"
    assert sum(patch.get_height() for patch in axes.patches) == pytest.approx(2)


def test_each_anomaly_score_has_its_curve_and_its_area():
    axes = roc_curves(ROC, {"neighbors": 0.5, "density": 0.7}, "").axes[0]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["neighbors: 0.5000", "density: 0.7000", "chance: 0.5"]
    first, second = axes.lines[:2]
    np.testing.assert_array_equal(first.get_ydata(), [0, 1])
    np.testing.assert_array_equal(second.get_ydata(), [0, 0.9, 1])


def test_the_lowest_bic_and_the_components_in_use_are_marked():
    table = pd.DataFrame({"n_components": [5, 20, 10], "bic": [3.0, 2.0, -1.0]})
    axes = bic_curve(table, 7, "").axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[5, 3], [10, -1], [20, 2]])
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["lowest: 10", "used: 7"]


def test_misassigned_points_have_a_ring():
    points, labels = np.random.default_rng(0).normal(size=(20, 2)), np.zeros(20, int)
    wrong = np.arange(20) < 5
    figure = two_maps((points, points), ("a", "b"), labels, wrong, ["cat"], "")
    for axes in figure.axes:
        rings = axes.collections[-1]
        np.testing.assert_allclose(rings.get_offsets(), points[:5])
        assert rings.get_label() == "misassigned: 25%"


def test_two_maps_show_the_same_images_and_one_legend():
    points, labels = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    figure = two_maps((points, -points), ("a", "b"), labels, labels < 0, ["cat", "dog"], "")
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    first, second = (np.concatenate([c.get_offsets() for c in a.collections]) for a in figure.axes)
    np.testing.assert_allclose(first, -second)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("count", "share", "rings"), [(100, 0.3, 1), (100, 0.6, 0), (2500, 0.1, 0)]
)
def test_rings_are_drawn_only_while_they_tell_something(count, share, rings):
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(count, 2)), np.arange(count) % 2
    wrong = np.arange(count) < share * count
    figure = two_maps((points, points), ("a", "b"), labels, wrong, ["cat", "dog"], "")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    mixed = ["mixed classes"] if count > 2000 else []
    assert names == ["cat", "dog", *mixed, f"misassigned: {share:.0%}"]
    for axes in figure.axes:
        drawn = [c for c in axes.collections if c.get_label().startswith("misassigned")]
        assert len(drawn) == rings


def test_many_points_become_a_density_in_the_color_of_the_most_frequent_class():
    rng = np.random.default_rng(0)
    labels = np.arange(4000) % 2
    points = rng.normal(0, 0.3, (4000, 2)) + np.array([[-3, 0], [3, 0]])[labels]
    axes = two_maps((points, points), ("", ""), labels, labels < 0, ["cat", "dog"], "").axes[0]
    *marks, hexagons, _ = axes.collections
    assert sum(len(each.get_offsets()) for each in marks) == 0
    shades, places = hexagons.get_facecolor(), hexagons.get_offsets()
    for side, label in ((places[:, 0] < -1, 0), (places[:, 0] > 1, 1)):
        assert side.sum() > 20
        np.testing.assert_allclose(shades[side][:, :3], np.tile(color(label), (side.sum(), 1)))
    depth = shades[:, 3]
    assert depth.max() == pytest.approx(1)
    assert depth[np.abs(places[:, 0]) > 3.8].mean() < depth[np.abs(places[:, 0] - 3) < 0.2].mean()


def test_labels_of_components_stay_apart_and_inside():
    rng = np.random.default_rng(0)
    means = np.concatenate([rng.normal(0, 0.05, (12, 2)), [[9.9, 9.9], [-9.9, -9.9]]])
    covariances = np.tile(np.eye(2), (14, 1, 1))
    gaussians = ProjectedGaussians(np.ones(14), means, covariances, np.arange(14) % 3)
    points = rng.uniform(-10, 10, (50, 2))
    labels = np.arange(50) % 3
    names = ["airplane", "automobile", "bird"]
    figure = latent_scatter(points, labels, labels < 0, names, gaussians, ["x", "y"], "")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = [text.get_bbox_patch().get_window_extent() for text in axes.texts]
    assert len(boxes) == 14
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])
        assert axes.bbox.x0 <= box.x0 < box.x1 <= axes.bbox.x1
    assert axes.texts[11].arrow_patch.get_visible()


def test_the_label_of_a_lonely_component_stays_beside_it():
    gaussians = line_gaussians()
    plane = ProjectedGaussians(
        gaussians.weights,
        np.array([[-5.0, 0], [5, 0]]),
        np.tile(np.eye(2), (2, 1, 1)),
        gaussians.classes,
    )
    points = np.random.default_rng(0).uniform(-10, 10, (50, 2))
    axes = latent_scatter(
        points, np.zeros(50, int), points[:, 0] > 99, ["a", "b"], plane, "xy", ""
    ).axes[0]
    assert [text.get_position() for text in axes.texts] == [(4, 4), (4, 4)]
