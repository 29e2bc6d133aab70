import json

import pandas as pd

from latentlab.evaluation.scores import HEADLINE, HIGHER_IS_BETTER, Score, headline, write_scores


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


def test_a_figure_without_interval_leaves_its_cells_empty(tmp_path):
    write_scores(tmp_path / "s.csv", [Score("a", "b", 1.0), Score("c", "d", 2.0, 1.5, 2.5)])
    assert (tmp_path / "s.csv").read_text() == (
        "group,metric,value,low,high\na,b,1,,\nc,d,2,1.5,2.5\n"
    )
    assert pd.read_csv(tmp_path / "s.csv")["low"].isna().tolist() == [True, False]


def test_errors_and_distances_are_better_low_and_the_rest_high():
    low = {"reconstruction.mse", "generation.classifier_frechet_mixture"}
    assert {name for name, higher in HIGHER_IS_BETTER.items() if not higher} == low
    told = {f"{group}.{metric}" for group, metrics in HEADLINE.items() for metric in metrics}
    assert set(HIGHER_IS_BETTER) == told - {"vae.kl"}
