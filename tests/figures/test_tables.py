"""Each model's rows hold that model's values, under the columns that the templates read."""

import numpy as np
import pandas as pd
import pytest

from latentlab.figures import tables


@pytest.fixture
def contexts(context_of):
    return [context_of("first"), context_of("second", offset=1.0)]


def rows(frame, model):
    return frame[frame["model"] == model].reset_index(drop=True)


def test_scores_stand_under_their_model_and_the_reference_comes_last(contexts):
    reference = pd.DataFrame({"group": ["probe"], "metric": ["knn_pixels"], "value": [0.9]})
    table = tables.scores(contexts, reference)
    assert rows(table, "first")["value"].tolist() == [0.5, 44 / 48]
    assert rows(table, "second")["value"].tolist() == [1.5, 44 / 48]
    assert table["model"].tolist()[-1] == "reference"


def test_curves_list_the_total_once_without_a_kl(contexts):
    table = tables.curves(contexts)
    assert set(table["term"]) == {"total"}
    train = rows(table, "second").query("split == 'train'")
    assert dict(zip(train["epoch"], train["loss"], strict=True)) == {1: 4.0, 2: 2.0}
    assert rows(table, "first").query("split == 'validation'")["loss"].tolist() == [4.0, 5.0]


def test_confusion_counts_by_true_class_first(contexts):
    table = rows(tables.confusion(contexts), "first").set_index(["actual", "predicted"])
    assert table.loc[("cat", "dog"), "images"] == 3
    assert table.loc[("dog", "cat"), "images"] == 0
    assert table.loc[("cat", "cat"), "share"] == round(20 / 24, 4)
    assert table.loc[("cat", ""), "images"] == 1
    assert ("dog", "") not in table.index


def test_curves_of_the_headline_score_are_thinned_from_end_to_end(contexts):
    table = rows(tables.roc(contexts), "first")
    assert set(table["score"]) == {"reconstruction"}
    assert len(table) == tables.CURVE_POINTS
    assert table.iloc[[0, -1]]["false_positive_rate"].tolist() == [0, 1]
    curve = table["false_positive_rate"] ** 0.5
    np.testing.assert_allclose(table["true_positive_rate"], curve)
    pairs = rows(tables.precision_recall(contexts), "second")
    assert pairs[["recall", "precision"]].to_numpy().tolist() == [[1.0, 0.5], [0.0, 1.0]]


def test_dimensions_fall_and_the_idle_one_stays_above_zero(contexts):
    table = rows(tables.dimensions(contexts), "second")
    assert table["mean_variance"].tolist() == [1.7, 0.1, 1e-8]
    assert table["rank"].tolist() == [1, 2, 3]


def test_components_and_latents_are_those_of_the_model(contexts):
    assert rows(tables.components(contexts), "second")["bic"].tolist() == [4.0, 2.0]
    table = rows(tables.latents(contexts), "first")
    run = contexts[0].run
    means = run.latents["test"].mean.astype(float)
    expected = np.linalg.svd(means - means.mean(0))[2][:2]
    points = (means - means.mean(0)) @ expected.T
    np.testing.assert_allclose(np.abs(table[["x", "y"]]), np.abs(points), atol=6e-4)
    assert table["class"].tolist() == [("cat", "dog")[i] for i in run.splits["test"].labels]
    np.testing.assert_array_equal(table["component"], 1 - run.splits["test"].labels)
