"""The words of the project are those of PyTorch, scikit-learn and the papers, in American."""

import re
import subprocess

import pytest

from tests.conftest import ROOT

# What is not said, and what is said instead.
INSTEAD = {
    r"suspicion|suspects?\b|\bstrange(r|st)?\b": "anomaly score, anomaly, anomalous",
    r"\bfooled\b|most suspect|least suspect": "misjudged by the score, highest, lowest score",
    r"\byardstick|must be beaten": "reference, baseline",
    r"by_neighbou?rs": "tsne",
    r"drawn_anew|binaris": "dynamic binarization, binarize",
    r"kept_epoch|column ``?kept": "best_epoch, is_best",
    r"max_iterations|regularis|\bgmm\.(starts|candidates|covariance)\b": "n_init, reg_covar, ...",
    r"log_density\b(?!_)|named_one_to_one": "score_samples, is_one_to_one",
    r"look(ed)?[ _]through|\bLITTER\b": "index_folder, IGNORED_NAMES",
    r"\blenders\b|\bnobody\b": "donors, unlabeled",
    r"\bhold_out\b": "split_off",
    r"AtLeastOne|AboveZero": "PositiveInt, PositiveFloat",
    r"nats an image|squared error an? (image|pixel)|images a step": "per image, per pixel, batch",
    r"carries (a|the|no) class|class that .{1,30} carries": "assigned to a class",
    r"one seed one draw|Some of many|Where weights start|one door to": "a plain sentence",
    r"\b(grey|gray)(?<=grey)|colour|\bcentre|neighbour": "gray, color, center, neighbor",
    r"initialis|normalis|standardis|labelled|optimis|maximis|minimis": "American spelling",
}
# What the words of an older version are called now; bundled code of others; this list.
EXEMPT = {
    "CHANGELOG.md",
    "dvc.lock",
    ".dvc/plots_page.html",
    "src/latentlab/explorer/asset/explorer.js",
    "tests/test_words.py",
}
OLD_KEYS = {"src/latentlab/params.py", "tests/test_params.py"}
ENDINGS = (
    ".py",
    ".js",
    ".mjs",
    ".css",
    ".md",
    ".yaml",
    ".yml",
    ".toml",
    ".cff",
    ".j2",
    ".json",
    "Makefile",
)


def texts():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split("\0"):
        if name.endswith(ENDINGS) and name not in EXEMPT | OLD_KEYS and (ROOT / name).exists():
            yield name, (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("pattern", INSTEAD)
def test_no_word_of_our_own_is_left(pattern):
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert found == [], f"write instead: {INSTEAD[pattern]}"
