"""The figures of a model show what they say they show."""

import numpy as np

from latentlab.figures.anomalies import headline_scores, misjudged
from latentlab.figures.catalog import SUBJECTS
from latentlab.figures.reconstructions import best_and_worst, reconstructions


def tile(figure, row, column, side=8):
    """Pixels of one image of a grid."""
    canvas = figure.axes[0].images[0].get_array()
    step = side + 1
    return canvas[row * step : row * step + side, column * step : column * step + side]


def row_names(figure):
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


def test_every_figure_that_applies_is_listed_once(context_of):
    context = context_of("m")
    names = [f.name for subject in SUBJECTS for f in subject.FIGURES if f.applies(context)]
    assert len(names) == len(set(names))
    assert {"loss", "confusion", "misjudged", "latents"} <= set(names)
    assert not {"plane", "samples_class", "samples_prior"} & set(names)


def test_best_and_worst_are_the_ends_of_the_errors(context_of):
    context = context_of("m")
    figure = best_and_worst(context)
    images = context.run.splits["test"].images[:, 0] / 255
    assert row_names(figure) == [
        "lowest error", "reconstruction", "highest error", "reconstruction",
    ]  # fmt: skip
    np.testing.assert_allclose(tile(figure, 0, 0), images[0], atol=1e-6)
    np.testing.assert_allclose(tile(figure, 2, 0), images[47], atol=1e-6)
    np.testing.assert_allclose(tile(figure, 3, 0), (images[47] + 1) / 2, atol=1e-6)


def test_misjudged_are_the_highest_of_test_and_the_lowest_of_the_anomalies(context_of):
    context = context_of("m")
    figure = misjudged(context)
    images = context.run.splits["test"].images[:, 0] / 255
    np.testing.assert_allclose(tile(figure, 0, 0), images[47], atol=1e-6)
    np.testing.assert_allclose(tile(figure, 2, 0), images[0], atol=1e-6)
    normal, anomalous = headline_scores(context)
    assert normal.max() < anomalous.min()


def test_reconstructions_alternate_and_the_title_has_the_error(context_of):
    figure = reconstructions(context_of("m", offset=0.25))
    assert row_names(figure) == ["original", "reconstruction"] * 3
    assert "0.7500" in figure.get_suptitle()
    assert figure.get_suptitle().startswith("m: ")


def test_the_plane_is_fitted_once(context_of):
    context = context_of("m")
    assert context.plane is context.plane


def test_misassigned_needs_a_label_and_another_class(context_of):
    context = context_of("m")
    table = context.evaluated.images
    table.loc[:2, "predicted"] = [1, 1, 1]
    table.loc[2, "label"] = -1
    found = context.misassigned(np.arange(4))
    assert found.tolist() == [True, False, False, False]
