"""Criteria without labels: against SciPy's correlation, and choices known beforehand."""

import subprocess

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from latentlab.errors import LatentlabError
from tests.checkout import commit
from tools.criterion import TRUTH, agreement, check_images, compare, print_table, scores, varied
from tools.seeds import Experiment

TABLE = """\
model,group,metric,value,low,high
vae,clustering,accuracy,0.75,,
vae,mixture,neighbor_agreement,0.5,,
reference,generation,images,100,,
"""


def experiments():
    """Two seeds each of three settings, of which agreement and error choose different ones."""
    table = pd.DataFrame({"latent_dim": ["2", "2", "8", "8", "32", "32"]})
    table[TRUTH] = [0.5, 0.6, 0.9, 0.8, 0.7, 0.65]
    table["mixture.neighbor_agreement"] = [0.1, 0.3, 0.9, 0.95, 0.5, 0.2]
    table["reconstruction.mse"] = [3.0, 3.0, 2.0, 2.5, 0.5, 1.0]
    return table


def test_correlations_are_those_of_scipy_and_the_sign_that_of_the_metric():
    table = experiments()
    found = compare(table, ["latent_dim"]).set_index("criterion")
    assert list(found.index) == ["mixture.neighbor_agreement", "reconstruction.mse"]
    means = table.groupby("latent_dim").mean()
    for metric, sign in (("mixture.neighbor_agreement", 1), ("reconstruction.mse", -1)):
        row = found.loc[metric]
        expected = spearmanr(table[metric], table[TRUTH]).statistic
        assert row["experiments"] == pytest.approx(sign * expected)
        expected = spearmanr(means[metric], means[TRUTH]).statistic
        assert row["settings"] == pytest.approx(sign * expected)


def test_the_chosen_setting_has_the_mean_accuracy_of_its_seeds():
    found = compare(experiments(), ["latent_dim"]).set_index("criterion")["accuracy"]
    assert found["mixture.neighbor_agreement"] == pytest.approx(0.85)
    assert found["reconstruction.mse"] == pytest.approx(0.675)


def test_a_criterion_that_an_experiment_lacks_is_left_out(capsys):
    table = experiments()
    table.loc[2, "mixture.neighbor_agreement"] = np.nan
    assert compare(table, ["latent_dim"])["criterion"].tolist() == ["reconstruction.mse"]
    print_table(table, ["latent_dim"])
    assert "all 3 settings: 0.550 to 0.850, mean 0.692" in capsys.readouterr().out


def test_agreement_is_that_with_other_settings_whatever_the_numbers_of_clusters():
    truth = np.repeat([0, 1, 2], 20)
    renamed = (truth + 1) % 3
    random = np.random.default_rng(0).integers(0, 3, 60)
    found = agreement([truth, renamed, random], ["a", "b", "c"])
    assert found[:2] == pytest.approx([0.5, 0.5], abs=0.05)
    assert found[2] == pytest.approx(0, abs=0.1)
    # The second seed of a setting is no other setting.
    assert np.isnan(agreement([truth, renamed], ["a", "a"])).all()


def test_params_that_vary_are_found_whatever_their_type():
    found = [
        Experiment(f"s-{i}", "0", {"seed": i, "a": [i // 2], "b": None, "c": "x"}, {})
        for i in range(4)
    ]
    assert varied(found) == ["a"]


def test_scores_are_those_of_the_experiments_commit(tmp_path):
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/scores.csv").write_text(TABLE)
    (tmp_path / "params.yaml").write_text("dataset: digits\nlatent_dim: 2\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    commit(tmp_path, "Experiment")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.strip()
    # One of another commit has the same name.
    for commits in ("ab/cdef", f"{head[:2]}/{head[2:]}"):
        ref = f"refs/exps/{commits}/s-1"
        subprocess.run(["git", "update-ref", ref, "HEAD"], cwd=tmp_path, check=True)
    (tmp_path / "plots/scores.csv").write_text(TABLE.replace("0.75", "0.1"))
    model, found = scores(tmp_path, "s-1", None)
    assert model == "vae"
    assert found.to_dict() == {TRUTH: 0.75, "mixture.neighbor_agreement": 0.5}
    with pytest.raises(LatentlabError, match=r"--model: found 'no\\nsuch'; .*vae"):
        scores(tmp_path, "s-1", "no\nsuch")
    with pytest.raises(LatentlabError, match="'s-2': HEAD has no such experiment"):
        scores(tmp_path, "s-2", None)
    (tmp_path / "params.yaml").write_text("dataset: digits\nlatent_dim: 8\n")
    check_images(tmp_path, "s-1")
    (tmp_path / "params.yaml").write_text("dataset: mnist\nlatent_dim: 2\n")
    with pytest.raises(LatentlabError, match="s-1: dataset is 'digits', but 'mnist'"):
        check_images(tmp_path, "s-1")
