import subprocess
import sys

from tests.conftest import ROOT
from tools.docs import headline_table, metrics_table, with_tables


def test_a_table_is_written_between_its_comments_and_nowhere_else():
    page = (
        "before\n<!-- a:begin -->\nold\n<!-- a:end -->\nafter\n<!-- b:begin -->\n<!-- b:end -->\n"
    )
    new = with_tables(page, {"a": r"| \1 |", "c": "nowhere"})
    assert new == page.replace("old", r"| \1 |")
    assert with_tables(new, {"a": r"| \1 |"}) == new


def test_headline_metrics_are_bold_and_a_group_is_named_once():
    lines = metrics_table().splitlines()
    assert lines[2].startswith("| `reconstruction` | **`mse`** | ")
    assert lines[3].startswith("| | `psnr` | ")
    assert all(line.count(" | ") + line.count("| |") >= 4 for line in lines[2:])
    assert "| `reconstruction.mse` | " in headline_table()
    assert "psnr" not in headline_table()


def test_the_pages_of_the_checkout_are_up_to_date():
    command = [sys.executable, "-m", "tools.docs", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
