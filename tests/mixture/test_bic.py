import pytest

from latentlab.errors import LatentlabError
from latentlab.mixture.bic import BicRow, read_bic, write_bic


def test_rows_come_back_to_eight_digits(tmp_path):
    path = tmp_path / "bic.csv"
    write_bic(path, [BicRow(5, -1234.56789), BicRow(10, 2.0)])
    assert path.read_text() == "n_components,bic\n5,-1234.5679\n10,2\n"
    assert read_bic(path)["n_components"].tolist() == [5, 10]


def test_no_row_at_all_is_a_table_too(tmp_path):
    write_bic(tmp_path / "bic.csv", [])
    assert read_bic(tmp_path / "bic.csv").empty


@pytest.mark.parametrize("row", ["5,nan", "5,inf", "5,word", "five,2", "5,"])
def test_a_row_that_is_no_number_is_refused(row, tmp_path):
    (tmp_path / "bic.csv").write_text(f"n_components,bic\n10,3\n{row}\n")
    with pytest.raises(LatentlabError, match=r"bic\.csv: expected finite numbers"):
        read_bic(tmp_path / "bic.csv")
