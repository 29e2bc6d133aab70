"""Sweeps over a param, from what `dvc exp show --json` prints."""

import numpy as np
import pytest

from tools.seeds import experiments, over, summary


def shown(name, mse, state="success", **params):
    """One experiment in the form of DVC 3.67; one that failed shows its baseline's metrics."""
    revision = {
        "rev": "0123456789",
        "name": name,
        "data": {
            "params": {"params.yaml": {"data": params}},
            "metrics": {"metrics/vae.json": {"data": {"reconstruction": {"mse": mse}}}},
        },
    }
    executor = {"state": state, "name": "dvc-task"} if state else None
    return {"revs": [revision], "executor": executor, "name": name}


SHOWN = [
    {"rev": "workspace", "name": None, "data": {"metrics": {}}, "experiments": None},
    {
        "rev": "f" * 40,
        "name": "main",
        "data": {"metrics": {"metrics/vae.json": {"data": {"reconstruction": {"mse": 9.0}}}}},
        "experiments": [
            shown("a", 1.0, seed=0, latent_dim=2, data={"limit": None}),
            shown("b", 4.0, seed=1, latent_dim=2, data={"limit": None}),
            shown("c", 100.0, seed=0, latent_dim=8, data={"limit": None}),
            shown("in the workspace", 2.0, None, seed=7, latent_dim=3, data={"limit": None}),
            shown("failed", 9.0, "failed", seed=2, latent_dim=2, data={"limit": None}),
            shown("running", 9.0, "running", seed=3, latent_dim=2, data={"limit": None}),
            shown("a again", 1.0, seed=0, latent_dim=2, data={"limit": None}),
            {"revs": [{"rev": "0", "name": "queued", "data": None}], "name": "queued"},
        ],
    },
    {
        "rev": "e" * 40,
        "name": "older",
        "data": {"metrics": {}},
        "experiments": [
            shown("of other code", 1.0, seed=5, latent_dim=2, data={"limit": None}),
        ],
    },
]


def test_only_finished_experiments_count_and_no_baseline():
    found = experiments(SHOWN)
    names = ["a", "b", "c", "in the workspace", "a again", "of other code"]
    assert [each.name for each in found] == names
    assert found[0].params == {"seed": 0, "latent_dim": 2, "data.limit": None}
    assert found[0].metrics == {"vae reconstruction.mse": 1.0}


@pytest.mark.parametrize(
    ("key", "expected"), [("seed", [["a", "b"]]), ("latent_dim", [["a", "c"]]), ("data", [])]
)
def test_groups_differ_in_the_one_param_only(key, expected):
    groups = over(experiments(SHOWN), key)
    assert [[each.name for each in group] for group in groups] == expected


def test_the_deviation_is_that_of_a_sample():
    row = summary(over(experiments(SHOWN), "seed")[0]).loc["vae reconstruction.mse"]
    values = np.array([1.0, 4.0])
    assert row["mean"] == values.mean()
    assert row["std"] == pytest.approx(values.std(ddof=1))
    assert (row["min"], row["max"], row["count"]) == (1, 4, 2)
