"""Pretraining: its phase, the prior that comes of it, and that it resumes to the bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from latentlab.errors import LatentlabError
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.training import checkpoints
from latentlab.training.loop import TrainingPlan, fit
from latentlab.training.phase_checkpoints import PhaseCheckpoints
from latentlab.training.self_training import train_models

PLAN = TrainingPlan(
    epochs=6, batch_size=20, learning_rate=0.005, optimizer="adam", scheduler="cosine", seed=0
)


@pytest.fixture
def build(params):
    changes = {"hidden": (30,), "pretraining_epochs": 4, "loss": "bernoulli", "n_clusters": 4}

    def built(**more):
        settings = params.models["vade"].model_copy(update=changes | more)
        torch.manual_seed(0)
        return build_model(settings, ModelInputs((1, 8, 8), 2, "unit", 0))

    return built


@pytest.fixture
def self_training(params):
    return params.train.self_training


def run(model, data, settings, plan=PLAN, open_store=None, stop=None):
    """Train, and note each phase with its epochs and rows; ``stop`` ends it in a phase."""
    seen = {}

    def run_fit(trained, train, validation, plan, phase):
        before = {name: each.clone() for name, each in trained.state_dict().items()}
        rows = []
        store = open_store(phase, plan.epochs) if open_store else None
        for row in fit(trained, train, validation, plan, store):
            rows.append(row)
            if stop == (phase, len(rows)):
                raise KeyboardInterrupt
        seen[phase] = (plan, rows, before)
        return rows

    trained, rows = train_models(lambda teacher: model, *data, plan, settings, run_fit)
    return trained, rows, seen


def test_the_pretraining_comes_first_and_its_rows_are_not_those_of_the_model(
    build, data, self_training
):
    _, rows, seen = run(build(), data, self_training)
    assert list(seen) == ["pretraining", ""]
    plan, pretrained, _ = seen["pretraining"]
    assert plan == replace(PLAN, epochs=4, seed=plan.seed)
    assert plan.seed != PLAN.seed
    assert len(pretrained) == 4
    assert "train_kl" not in pretrained[0]
    assert seen[""][0] == PLAN
    assert rows == seen[""][1]
    assert "train_kl" in rows[0]


def test_the_prior_starts_as_the_mixture_of_the_pretrained_latents(build, data, self_training):
    """scikit-learn finds the same mixture of what the pretrained weights encode."""
    plan = replace(PLAN, epochs=1)
    *_, seen = run(build(pretraining_epochs=40), data, self_training, plan)
    start = seen[""][2]
    model = build()
    model.load_state_dict(start)
    with torch.no_grad():
        latents = model.embed(data[0][0].float() / 255).double().numpy()
    reg_covar = 1e-3 * latents.var(axis=0).mean()
    theirs = GaussianMixture(
        4, covariance_type="diag", n_init=5, tol=1e-8, max_iter=2000, reg_covar=reg_covar
    ).fit(latents)
    order = np.argsort(theirs.means_[:, 0])
    ours = np.argsort(start["prior.means"][:, 0].numpy())
    np.testing.assert_allclose(start["prior.means"][ours], theirs.means_[order], rtol=1e-2)
    variances = start["prior.log_vars"][ours].exp()
    np.testing.assert_allclose(variances, theirs.covariances_[order], rtol=0.05)
    weights = start["prior.logits"][ours].softmax(0)
    np.testing.assert_allclose(weights, theirs.weights_[order], atol=0.01)


def test_planted_clusters_are_found_without_a_class(build, data, labels, self_training):
    model, *_ = run(build(pretraining_epochs=40), data, self_training, replace(PLAN, epochs=40))
    with torch.no_grad():
        latents = model.embed(data[1][0].float() / 255)
        clusters = model.prior.log_responsibilities(latents).argmax(1).numpy()
    assert adjusted_rand_score(np.tile(labels, 3)[120:], clusters) == 1


@pytest.mark.parametrize("stop", [("pretraining", 2), ("pretraining", 4), ("", 1), ("", 5)])
def test_it_resumes_to_the_bit(stop, build, data, self_training, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))
    lines = []

    def stores():
        return PhaseCheckpoints(tmp_path, "m", "k" * 64, lines.append)

    expected, expected_rows, _ = run(build(), data, self_training)
    with pytest.raises(KeyboardInterrupt):
        run(build(), data, self_training, open_store=stores().open, stop=stop)
    model = build()
    torch.manual_seed(7)  # another process is elsewhere in the global stream
    last = stores()
    model, rows, _ = run(model, data, self_training, open_store=last.open)
    assert rows == expected_rows
    for name, weight in expected.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name
    assert any("resumes" in line for line in lines)
    last.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_the_pretraining_is_saved_however_short(
    build, data, self_training, tmp_path, monkeypatch
):
    monkeypatch.setattr(checkpoints, "SHARE", 1e-12)  # nothing else is, however slow the machine
    stores = PhaseCheckpoints(tmp_path, "m", "k" * 64, print)
    run(build(), data, self_training, open_store=stores.open)
    assert len(list(tmp_path.iterdir())) == 1


def test_members_of_self_training_are_pretrained_each(build, data, self_training):
    settings = self_training.model_copy(
        update={"rounds": 1, "members": 2, "epochs": 2, "n_clusters": 4, "agreement": 0.6}
    )
    *_, seen = run(build(), data, settings, replace(PLAN, epochs=2))
    assert list(seen) == [
        "member 1 of 2, pretraining",
        "member 1 of 2",
        "member 2 of 2, pretraining",
        "member 2 of 2",
        "round 1 of 1",
    ]
    assert len({plan.seed for plan, *_ in seen.values()}) == 5


def test_more_clusters_than_images_are_refused(build, data, self_training):
    with pytest.raises(LatentlabError, match="n_clusters: found 121, but there are 120 train"):
        run(build(n_clusters=121), data, self_training)


def test_latents_that_are_all_alike_are_refused(build, data, self_training):
    model = build()
    for weight in model.encoder.parameters():
        torch.nn.init.zeros_(weight)
    plan = replace(PLAN, learning_rate=1e-30)
    with pytest.raises(LatentlabError, match=r"no mixture of the pretrained latents.*constant"):
        run(model, data, self_training, plan)
