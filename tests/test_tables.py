import csv

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentlab.errors import LatentlabError
from latentlab.tables import read_table, write_rows, write_table

# What a folder can be called, and more.
names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1)


def test_empty_cells_are_missing_values(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,\n2,3\n")
    assert read_table(tmp_path / "t.csv", "a", "b")["b"].isna().tolist() == [True, False]


def test_floats_read_back_as_written(tmp_path):
    values = pd.DataFrame({"a": [0.1, 1 / 3, 2e-300, 123456789.123456789]})
    values.to_csv(tmp_path / "t.csv", index=False)
    assert read_table(tmp_path / "t.csv", "a")["a"].tolist() == values["a"].tolist()


@given(st.lists(names), names)
def test_text_reads_back_as_written(tmp_path_factory, cells, column):
    folder = tmp_path_factory.getbasetemp()
    write_rows(folder / "rows.csv", [column, "n"], [[cell, 1] for cell in cells])
    write_table(folder / "table.csv", pd.DataFrame({column: cells, "n": 1.0}))
    for path in (folder / "rows.csv", folder / "table.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            assert list(csv.reader(file)) == [[column, "n"], *([cell, "1"] for cell in cells)]


def test_tables_are_the_bytes_that_pandas_writes(tmp_path):
    frame = pd.DataFrame(
        {"a": ["x", 'y"', "z,", "line\nbreak", None], "b": [1 / 3, 2, None, 0, 1]}
    )
    write_table(tmp_path / "t.csv", frame)
    frame.to_csv(tmp_path / "plain.csv", index=False, float_format="%.6g", lineterminator="\n")
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()


@pytest.mark.parametrize("content", [None, "", "a,c\n1,2\n", '"'])
def test_a_table_that_cannot_be_read_is_named_with_what_to_do(content, tmp_path):
    if content is not None:
        (tmp_path / "t.csv").write_text(content)
    with pytest.raises(LatentlabError, match=r"t\.csv: not a readable table.*dvc checkout"):
        read_table(tmp_path / "t.csv", "a", "b")
