import json
import subprocess
import sys

from latentlab.evaluation.metric import Score
from latentlab.evaluation.scores import HEADLINE, HIGHER_IS_BETTER, headline, readable


def test_the_headline_is_a_choice_of_the_scores_that_json_can_hold():
    scores = [
        Score("reconstruction", "mse", 0.0123456, 0.012, 0.013),
        Score("reconstruction", "nll", 1.0),
        Score("anomaly", "auroc", 1.0),
        Score("anomaly.density", "auroc", 0.5),
    ]
    assert json.loads(json.dumps(headline(scores), allow_nan=False)) == {
        "reconstruction": {"mse": 0.01235},
        "anomaly": {"auroc": 1.0},
    }


def test_the_headline_is_what_reviewers_are_used_to():
    assert HEADLINE == {
        "reconstruction": ("mse", "ssim"),
        "vae": ("elbo", "objective", "kl", "iwae"),
        "clustering": ("accuracy", "ami"),
        "classification": ("f1",),
        "probe": ("knn",),
        "generation": ("classifier_kid_mixture",),
        "anomaly": ("auroc",),
    }


def test_errors_and_distances_are_better_low_and_the_rest_high():
    low = {"reconstruction.mse", "generation.classifier_kid_mixture"}
    assert {name for name, higher in HIGHER_IS_BETTER.items() if not higher} == low
    keys = {f"{group}.{metric}" for group, metrics in HEADLINE.items() for metric in metrics}
    assert set(HIGHER_IS_BETTER) == keys - {"vae.kl"}


def test_small_values_keep_four_digits():
    assert [readable(value) for value in (12.34567, 0.00123456)] == [12.3457, 0.001235]


def test_reports_read_the_headline_without_torch():
    code = "import sys, latentlab.evaluation.scores; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
