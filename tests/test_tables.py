import pandas as pd
import pytest

from latentlab.errors import LatentlabError
from latentlab.tables import read_table


def test_class_names_stay_text(tmp_path):
    (tmp_path / "t.csv").write_text("actual,007,NA\n007,1,2\nNA,3,4\n")
    table = read_table(tmp_path / "t.csv", index="actual")
    assert table.index.tolist() == ["007", "NA"]
    assert table.to_numpy().tolist() == [[1, 2], [3, 4]]


def test_empty_cells_are_missing_values(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,\n2,3\n")
    assert read_table(tmp_path / "t.csv", "a", "b")["b"].isna().tolist() == [True, False]


def test_floats_read_back_as_written(tmp_path):
    values = pd.DataFrame({"a": [0.1, 1 / 3, 2e-300, 123456789.123456789]})
    values.to_csv(tmp_path / "t.csv", index=False)
    assert read_table(tmp_path / "t.csv", "a")["a"].tolist() == values["a"].tolist()


@pytest.mark.parametrize("content", [None, "", "a,c\n1,2\n", '"'])
def test_a_table_that_cannot_be_read_is_named_with_what_to_do(content, tmp_path):
    if content is not None:
        (tmp_path / "t.csv").write_text(content)
    with pytest.raises(LatentlabError, match=r"t\.csv: not a readable table.*dvc checkout"):
        read_table(tmp_path / "t.csv", "a", "b")
