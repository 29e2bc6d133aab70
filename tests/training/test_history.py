import pytest

from latentlab.errors import LatentlabError
from latentlab.training.history import best_epoch, read_history, write_history

LOSSES = [3.0, 1.25, 2.0]
ROWS = [
    {
        "epoch": float(epoch),
        "train_total": 4.0 - epoch,
        "train_reconstruction": 4.0 - epoch,
        "validation_total": loss,
        "validation_reconstruction": loss,
    }
    for epoch, loss in enumerate(LOSSES, start=1)
]


def test_the_best_epoch_has_the_lowest_validation_loss():
    assert best_epoch(ROWS) == 2


def test_the_first_of_equal_epochs_is_best():
    """As in training, where a later epoch must be better to replace the weights."""
    assert best_epoch([row | {"validation_total": 1.0} for row in ROWS]) == 1


def test_the_last_epoch_is_best_without_validation():
    rows = [{k: v for k, v in row.items() if k.startswith(("e", "t"))} for row in ROWS]
    assert best_epoch(rows) == 3


def test_a_history_is_the_same_when_read_back(tmp_path):
    write_history(tmp_path / "history.csv", ROWS)
    frame = read_history(tmp_path / "history.csv")
    assert list(frame) == [*ROWS[0], "is_best"]
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert frame["validation_total"].tolist() == LOSSES
    assert frame["is_best"].tolist() == [0, 1, 0]


def test_losses_have_six_significant_digits(tmp_path):
    write_history(tmp_path / "history.csv", [ROWS[0] | {"train_total": 123.456789}])
    assert (tmp_path / "history.csv").read_text().splitlines()[1].split(",")[1] == "123.457"


def test_a_history_of_another_version_is_refused_by_its_column(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,train_total,train_reconstruction,kept\n1,2,2,1\n")
    with pytest.raises(LatentlabError, match=r"history\.csv: .*is_best"):
        read_history(tmp_path / "history.csv")


HEADER = "epoch,train_total,train_reconstruction,is_best"


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ["1,nan,2,1"],
        ["1,inf,2,1"],
        ["1,word,2,1"],
        ["2,2,2,1"],
        ["1,2,2,0"],
        ["1,2,2,1", "2,2,2,1"],
        ["1,2,2,0", "1,2,2,1"],
        ["1,2,,1"],
    ],
)
def test_a_table_that_is_no_history_is_refused(rows, tmp_path):
    (tmp_path / "history.csv").write_text("\n".join([HEADER, *rows, ""]))
    with pytest.raises(LatentlabError, match=r"history\.csv: expected one row of finite losses"):
        read_history(tmp_path / "history.csv")
