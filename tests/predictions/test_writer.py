import csv

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latentlab.evaluation.tables import image_table
from latentlab.pixels import to_range
from latentlab.predictions import writer as predictions
from latentlab.predictions.writer import (
    SplitPredictions,
    pixel_megabytes,
    write_parquet,
    write_predictions,
)

NAMES = ("cat", "dog", "T-shirt, top", 'quote"')


@pytest.fixture
def part(images, labels):
    rng = np.random.default_rng(0)
    reconstructions = rng.random(images.shape, dtype=np.float32)
    errors = np.square(to_range(images, "unit") - reconstructions).mean((1, 2, 3))
    predicted = labels.copy()
    predicted[0] = -1
    table = image_table(
        "test",
        labels=labels,
        components=labels + 4,
        predicted=predicted,
        squared_errors=errors,
        anomaly_scores=errors / 0.2,
        scores={},
    )
    return SplitPredictions(images, reconstructions, table)


def written(path, *parts, **changes):
    arguments = {"class_names": NAMES, "pixel_range": "unit"} | changes
    write_predictions(path, parts, **arguments)
    return pd.read_csv(path, keep_default_na=False)


def test_pixels_alternate_and_come_back_to_six_decimals(part, tmp_path):
    frame = written(tmp_path / "p.csv", part)
    expected = [f"{kind}_px{i}" for i in range(64) for kind in ("orig", "recon")]
    assert list(frame.columns[1:129]) == expected
    originals = frame[[f"orig_px{i}" for i in range(64)]].to_numpy()
    np.testing.assert_allclose(originals, part.images.reshape(48, -1) / 255, atol=5.1e-7)
    copies = frame[[f"recon_px{i}" for i in range(64)]].to_numpy()
    np.testing.assert_allclose(copies, part.reconstructions.reshape(48, -1), atol=5.1e-7)


def test_pixels_stand_in_the_order_channel_row_column(tmp_path):
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 2, 2)
    zero = np.zeros(1, np.int64)
    table = image_table(
        "test",
        labels=zero,
        components=zero,
        predicted=zero,
        squared_errors=zero + 0.1,
        anomaly_scores=zero,
        scores={},
    )
    part = SplitPredictions(image, to_range(image, "unit"), table)
    frame = written(tmp_path / "p.csv", part)
    pixels = frame[[f"orig_px{i}" for i in range(12)]].to_numpy() * 255
    np.testing.assert_allclose(pixels[0], np.arange(12), atol=1e-3)


def test_the_last_columns_are_class_component_and_scores(part, tmp_path):
    frame = written(tmp_path / "p.csv", part)
    assert list(frame.columns[129:]) == [
        "split",
        "label",
        "predicted_label",
        "component",
        "reconstruction_error",
        "anomaly_score",
        "is_anomaly",
    ]
    assert frame["label"].tolist() == [NAMES[label] for label in part.table["label"]]
    assert frame["predicted_label"].tolist()[:2] == ["", "dog"]
    np.testing.assert_array_equal(frame["component"], part.table["component"])
    np.testing.assert_allclose(
        frame["reconstruction_error"], part.table["squared_error"], atol=1e-6
    )
    np.testing.assert_allclose(
        frame["anomaly_score"], part.table["squared_error"] / 0.2, atol=1e-5
    )
    np.testing.assert_array_equal(frame["is_anomaly"], frame["anomaly_score"] > 1)


def test_anomalies_follow_and_rows_are_numbered_through(part, tmp_path):
    anomalies = part._replace(table=part.table.assign(split="anomalies", label=-1))
    frame = written(tmp_path / "p.csv", part, anomalies)
    assert frame["row_id"].tolist() == list(range(96))
    assert frame["split"].tolist() == ["test"] * 48 + ["anomaly"] * 48
    assert set(frame["label"][48:]) == {""}


def test_chunks_make_the_same_bytes(part, tmp_path, monkeypatch):
    written(tmp_path / "whole.csv", part, part)
    monkeypatch.setattr(predictions, "CHUNK", 7)
    written(tmp_path / "parts.csv", part, part)
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "parts.csv").read_bytes()


def test_pixels_are_in_the_training_range(part, tmp_path):
    frame = written(tmp_path / "p.csv", part, pixel_range="symmetric")
    assert frame["orig_px0"].min() < 0
    np.testing.assert_allclose(frame["orig_px0"], part.images[:, 0, 0, 0] / 127.5 - 1, atol=1e-6)


def test_the_estimated_size_is_that_of_the_pixels_in_the_file(part, tmp_path):
    written(tmp_path / "with.csv", part, part)
    written(tmp_path / "without.csv", part, part, pixels=False)
    rows = [
        (tmp_path / name).read_text().split("\n", 1)[1] for name in ("with.csv", "without.csv")
    ]
    assert pixel_megabytes([part.images] * 2) == (len(rows[0]) - len(rows[1])) / 1e6


def test_without_pixels_nothing_else_changes(part, tmp_path):
    whole = written(tmp_path / "with.csv", part)
    frame = written(tmp_path / "without.csv", part, pixels=False)
    pd.testing.assert_frame_equal(frame, whole[[c for c in whole if "_px" not in c]])


@pytest.mark.parametrize("pixels", [True, False])
def test_parquet_holds_the_same_table_with_types(pixels, part, tmp_path, monkeypatch):
    names = ("7", "NA", 'quo"te', "a\r\nb, c")
    monkeypatch.setattr(predictions, "CHUNK", 20)
    path = tmp_path / "p.parquet"
    frame = written(tmp_path / "p.csv", part, class_names=names, pixels=pixels)
    write_parquet(path, tmp_path / "p.csv")
    read = pl.read_parquet(path)
    assert read.columns == list(frame.columns)
    assert read["label"].to_list() == [names[label] for label in part.table["label"]]
    assert read["predicted_label"].to_list()[0] is None
    assert read["is_anomaly"].to_list() == frame["is_anomaly"].tolist()
    assert read["row_id"].to_list() == list(range(48))
    np.testing.assert_array_equal(read["anomaly_score"], frame["anomaly_score"])
    if pixels:
        assert read["recon_px3"].dtype == pl.Float32
        np.testing.assert_allclose(read["recon_px3"], frame["recon_px3"], atol=1e-7)
    written(tmp_path / "again.csv", part, class_names=names, pixels=pixels)
    write_parquet(tmp_path / "again.parquet", tmp_path / "again.csv")
    assert path.read_bytes() == (tmp_path / "again.parquet").read_bytes()


def test_no_row_at_all_leaves_no_anomalies_behind(part, tmp_path):
    empty = SplitPredictions(*(values[:0] for values in part))
    assert len(written(tmp_path / "p.csv", part, empty)) == 48


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            ["label", "split", "none", "test", "NA", "nan", "7", "a\rb", "\r\n", '"', "="]
        )
        | st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1),
        min_size=4,
        max_size=4,
        unique=True,
    )
)
def test_classes_of_any_name_read_back_as_they_are(part, tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "names.csv"
    write_predictions(path, [part], class_names=names, pixel_range="unit")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [names[label] for label in part.table["label"]]
    predicted = [names[label] if label >= 0 else "" for label in part.table["predicted"]]
    assert [row["predicted_label"] for row in rows] == predicted
    write_parquet(path.with_suffix(".parquet"), path)
    read = pl.read_parquet(path.with_suffix(".parquet"))
    assert read["label"].to_list() == [names[label] for label in part.table["label"]]
    assert read["predicted_label"].to_list() == [name or None for name in predicted]
