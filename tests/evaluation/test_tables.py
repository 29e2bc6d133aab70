import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from latentlab.errors import LatentlabError
from latentlab.evaluation.metric import Score
from latentlab.evaluation.tables import (
    Evaluated,
    image_table,
    read_evaluated,
    read_scores,
    score_table,
    write_evaluated,
    write_scores,
)


def images_of(split, count, seed):
    rng = np.random.default_rng(seed)
    return image_table(
        split,
        labels=np.arange(count) % 3 - 1,
        components=np.arange(count) % 5,
        predicted=np.arange(count) % 2,
        squared_errors=rng.random(count).astype(np.float32) * np.float32(1e-3),
        anomaly_scores=rng.normal(size=count),
        scores={"reconstruction": rng.random(count), "density": rng.normal(size=count)},
    )


@pytest.fixture
def evaluated():
    images = pd.concat([images_of("test", 20, 0), images_of("anomalies", 7, 1)], ignore_index=True)
    return Evaluated(
        scores=score_table([Score("a", "b", 0.1, 0.05, 0.15), Score("c", "d", 2.0)]),
        images=images,
        confusion=np.array([[3, 1, 0], [0, 2, 2]]),
        roc=pd.DataFrame(
            {
                "score": ["density", "density"],
                "false_positive_rate": [0.0, 1.0],
                "true_positive_rate": [0.25, 1.0],
            }
        ),
        precision_recall=pd.DataFrame({"recall": [1.0, 0.5], "precision": [0.5, 1.0]}),
        dimensions=pd.DataFrame({"dimension": [0, 1], "mean_variance": [0.5, 0.25]}),
    )


def test_tables_read_back_as_written(evaluated, tmp_path):
    write_evaluated(tmp_path, evaluated)
    found = read_evaluated(tmp_path)
    np.testing.assert_array_equal(found.confusion, evaluated.confusion)
    for name in ("scores", "images", "roc", "precision_recall", "dimensions"):
        written, read = getattr(evaluated, name), getattr(found, name)
        # Text columns may be of either of pandas' string types.
        assert_frame_equal(
            read, written, check_dtype=False, check_index_type=False, check_column_type=False
        )


def test_squared_errors_and_scores_read_back_to_the_last_bit(evaluated, tmp_path):
    write_evaluated(tmp_path, evaluated)
    found = read_evaluated(tmp_path).images
    assert found["squared_error"].dtype == np.float32
    for column in ("squared_error", "anomaly_score", "score_reconstruction", "score_density"):
        np.testing.assert_array_equal(found[column], evaluated.images[column])


def test_columns_are_those_of_each_image(evaluated):
    assert list(evaluated.images) == [
        "split",
        "label",
        "component",
        "predicted",
        "squared_error",
        "anomaly_score",
        "score_reconstruction",
        "score_density",
    ]
    anomalies = evaluated.of("anomalies")
    assert anomalies["component"].tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert anomalies.index.tolist() == list(range(7))
    assert len(evaluated.of("test")) == 20


def test_what_a_data_set_does_not_have_is_no_file(evaluated, tmp_path):
    bare = Evaluated(evaluated.scores, evaluated.images, None, None, None, evaluated.dimensions)
    write_evaluated(tmp_path, bare)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dimensions.csv",
        "images.csv",
        "scores.csv",
    ]
    found = read_evaluated(tmp_path)
    assert found.confusion is None
    assert found.roc is None
    assert found.precision_recall is None


def test_confusion_is_counted_by_labels_and_not_by_names(evaluated, tmp_path):
    write_evaluated(tmp_path, evaluated)
    rows = (tmp_path / "confusion.csv").read_text().splitlines()
    assert rows == [
        "actual,predicted,images",
        "0,0,3",
        "0,1,1",
        "0,-1,0",
        "1,0,0",
        "1,1,2",
        "1,-1,2",
    ]


@pytest.mark.parametrize("change", [("0,-1,0\n", ""), ("0,1,1", "0,0,1"), ("0,1,1", "0,1,many")])
def test_a_damaged_confusion_is_refused(change, evaluated, tmp_path):
    write_evaluated(tmp_path, evaluated)
    path = tmp_path / "confusion.csv"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(LatentlabError, match=r"confusion\.csv: found \d rows, expected one for"):
        read_evaluated(tmp_path)


def test_a_score_is_found_by_group_and_metric(evaluated):
    assert evaluated.score("c", "d") == 2.0
    with pytest.raises(LatentlabError, match=r"no c\.b"):
        evaluated.score("c", "b")


def test_a_score_without_interval_leaves_its_cells_empty(tmp_path):
    scores = score_table([Score("a", "b", 1.0), Score("c", "d", 2.0, 1.5, 2.5)])
    write_scores(tmp_path / "s.csv", scores)
    assert (tmp_path / "s.csv").read_text() == (
        "group,metric,value,low,high\na,b,1,,\nc,d,2,1.5,2.5\n"
    )
    assert read_scores(tmp_path / "s.csv")["low"].isna().tolist() == [True, False]


def test_a_missing_column_is_named(evaluated, tmp_path):
    write_evaluated(tmp_path, evaluated)
    evaluated.images.drop(columns="component").to_csv(tmp_path / "images.csv", index=False)
    with pytest.raises(LatentlabError, match=r"images\.csv.*component"):
        read_evaluated(tmp_path)


def test_tables_are_read_without_torch_and_scikit_learn():
    code = (
        "import sys, latentlab.evaluation.tables; "
        "assert not {'torch', 'sklearn', 'skimage'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["images", "dimensions", "precision_recall", "roc"])
def test_a_table_without_rows_or_with_words_for_numbers_is_refused(name, evaluated, tmp_path):
    write_evaluated(tmp_path, evaluated)
    path = tmp_path / f"{name}.csv"
    header, row, *rows = path.read_text().splitlines()
    for lines in ([header], [header, ",".join([*row.split(",")[:-1], "word"]), *rows]):
        path.write_text("\n".join(lines) + "\n")
        with pytest.raises(LatentlabError, match=rf"{name}\.csv: expected rows of numbers"):
            read_evaluated(tmp_path)
