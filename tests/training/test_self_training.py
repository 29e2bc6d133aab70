"""Self-training: its phases, what it learns without a class, and that it resumes to the bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab.errors import LatentlabError
from latentlab.estimator.recipe import UNCHANGED
from latentlab.models.clustering_head import WithClusteringHead
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.training import checkpoints
from latentlab.training.loop import TrainingPlan, fit
from latentlab.training.phase_checkpoints import PhaseCheckpoints
from latentlab.training.self_training import phases, train_models
from latentlab.training.settings import SelfTrainingSettings

PLAN = TrainingPlan(
    epochs=4,
    batch_size=20,
    learning_rate=0.005,
    optimizer="adam",
    scheduler="constant",
    seed=0,
)
SETTINGS = SelfTrainingSettings(
    rounds=2,
    members=2,
    epochs=3,
    n_clusters=4,
    n_neighbors=5,
    agreement=0.6,
    weight=5,
    consistency=1,
    teacher=None,
)


@pytest.fixture
def build(params):
    settings = params.models["fcn_autoencoder"].model_copy(update={"hidden": (30,)})

    def built(teacher=None):
        return build_model(teacher or settings, ModelInputs((1, 8, 8), 4, "unit", 4))

    return built


def run(build, data, settings=SETTINGS, plan=PLAN, open_store=None, stop=None):
    """Train, and note each phase with its rows; ``stop`` ends the process in a phase."""
    torch.manual_seed(0)
    seen = {}

    def run_fit(model, train, validation, plan, phase):
        store = open_store(phase, plan.epochs) if open_store else None
        rows = []
        for row in fit(model, train, validation, plan, store):
            rows.append(row)
            if stop == (phase, len(rows)):
                raise KeyboardInterrupt
        seen[phase] = (plan, rows, model, train[1])
        return rows

    model, rows = train_models(build, *data, plan, settings, run_fit)
    return model, rows, seen


def test_without_rounds_one_model_is_trained_as_ever(build, data):
    settings = SETTINGS.model_copy(update={"rounds": 0})
    model, rows, seen = run(build, data, settings)
    torch.manual_seed(0)
    plain = build()
    assert rows == list(fit(plain, *data, PLAN))
    assert list(seen) == [""]
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name])


def test_every_phase_is_run_in_turn(build, data):
    model, rows, seen = run(build, data)
    assert list(seen) == [
        "member 1 of 2",
        "member 2 of 2",
        "round 1 of 2, member 1 of 2",
        "round 1 of 2, member 2 of 2",
        "round 2 of 2",
    ]
    assert [name for name, _ in phases(SETTINGS)] == list(seen)
    assert len({plan.seed for plan, *_ in seen.values()}) == 5
    assert seen["member 1 of 2"][0] == PLAN  # the first model begins as it would alone
    assert seen["round 2 of 2"][2].model is model
    assert rows == seen["round 2 of 2"][1]
    assert len(rows) == 3
    assert rows[0].keys() >= {"train_clusters", "validation_clusters"}


def test_labels_are_clusters_and_no_class(build, data, labels):
    *_, seen = run(build, data, plan=replace(PLAN, epochs=60))
    learned = seen["round 2 of 2"][3].numpy()
    sure = learned >= 0
    true = np.tile(labels, 3)[:120]
    assert sure.mean() > 0.6
    for cluster in range(4):
        assert len(np.unique(true[sure & (learned == cluster)])) == 1


def test_self_training_pushes_clusters_apart(build, data, labels):
    def ratio(model):
        with torch.no_grad():
            latents = model.embed(data[0][0].float() / 255).numpy()
        true = np.tile(labels, 3)[:120]
        means = np.stack([latents[true == k].mean(axis=0) for k in range(4)])
        within = np.square(latents - means[true]).sum(axis=1).mean()
        return np.square(means - means.mean(axis=0)).sum(axis=1).mean() / within

    plan = replace(PLAN, epochs=40)
    strong = SETTINGS.model_copy(update={"epochs": 40, "weight": 50.0, "members": 1})
    alone = SETTINGS.model_copy(update={"rounds": 0})
    assert ratio(run(build, data, strong, plan)[0]) > 2 * ratio(run(build, data, alone, plan)[0])


@pytest.mark.parametrize(
    "stop",
    [
        ("member 1 of 2", 2),
        ("member 2 of 2", 4),
        ("round 1 of 2, member 2 of 2", 1),
        ("round 2 of 2", 2),
    ],
)
def test_it_resumes_to_the_bit(stop, build, data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))
    lines = []

    def stores():
        return PhaseCheckpoints(tmp_path, "m", "k" * 64, lines.append)

    expected, expected_rows, _ = run(build, data)
    with pytest.raises(KeyboardInterrupt):
        run(build, data, open_store=stores().open, stop=stop)
    torch.manual_seed(7)  # another process is elsewhere in the global stream
    last = stores()
    model, rows, _ = run(build, data, open_store=last.open)
    assert rows == expected_rows
    for name, weight in expected.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name
    assert any("resumes" in line for line in lines)
    last.remove()
    assert list(tmp_path.iterdir()) == []


def test_finished_phases_are_saved_however_short(build, data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", 1e-12)  # nothing else is, however slow the machine
    stores = PhaseCheckpoints(tmp_path, "m", "k" * 64, print)
    run(build, data, open_store=stores.open)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_single_training_saves_no_end(build, data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", 1e-12)
    stores = PhaseCheckpoints(tmp_path, "m", "k" * 64, print)
    run(build, data, SETTINGS.model_copy(update={"rounds": 0}), open_store=stores.open)
    assert list(tmp_path.iterdir()) == []


def test_the_loss_is_the_model_s_own_and_the_cross_entropy(build):
    torch.manual_seed(0)
    model = WithClusteringHead(build(), 4, 5.0, 1.0)
    images, noise = torch.rand(6, 1, 8, 8), torch.Generator()
    clusters = torch.tensor([0, 3, -1, 2, 1, -1])
    losses = model.loss(images, clusters, noise)
    own = model.model.loss(images, torch.full((6,), -1), noise)
    logits = model.head(model.model.embed(images)).double()
    chances = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    expected = -chances[torch.arange(6), clusters].log()
    expected[clusters < 0] = 0
    torch.testing.assert_close(losses.clusters.double(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(losses.total, own.total + 5 * losses.clusters)
    torch.testing.assert_close(losses.reconstruction, own.reconstruction)


def test_the_consistency_is_the_cross_entropy_of_an_image_and_its_original(build):
    torch.manual_seed(0)
    model = WithClusteringHead(build(), 4, 5.0, 0.5)
    images, originals, noise = torch.rand(6, 1, 8, 8), torch.rand(6, 1, 8, 8), torch.Generator()
    clusters = torch.tensor([0, 3, -1, 2, 1, -1])
    losses = model.training_loss(images, originals, clusters, noise, images)
    plain = model.loss(images, clusters, noise)

    def chances(each):
        logits = model.head(model.model.embed(each)).double()
        return logits.exp() / logits.exp().sum(dim=1, keepdim=True)

    agreement = -(chances(originals) * chances(images).log()).sum(dim=1)
    torch.testing.assert_close(
        losses.clusters.double(), plain.clusters + 0.5 * agreement, rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(
        losses.total, plain.total + 2.5 * agreement.float(), rtol=1e-5, atol=1e-5
    )
    # What is said of the original is the target, and learns nothing from it.
    originals.requires_grad_()
    model.training_loss(images, originals, clusters, noise, images).total.sum().backward()
    assert originals.grad is None


@pytest.mark.parametrize("consistency", [0.0, 1.0])
def test_the_target_is_what_the_model_reconstructs(build, consistency):
    torch.manual_seed(0)
    model = WithClusteringHead(build(), 4, 5.0, consistency)
    images, originals, noise = torch.rand(6, 1, 8, 8), torch.rand(6, 1, 8, 8), torch.Generator()
    clusters = torch.tensor([0, 3, -1, 2, 1, -1])
    targets = originals.flip(0)
    losses = model.training_loss(images, originals, clusters, noise, targets)
    decoded = model.decode(model.embed(images))
    expected = (decoded - targets).square().flatten(1).sum(1)
    torch.testing.assert_close(losses.reconstruction, expected)


@pytest.mark.parametrize("consistency", [0.0, 1.0])
def test_without_augmentation_there_is_no_consistency(build, consistency):
    torch.manual_seed(0)
    model = WithClusteringHead(build(), 4, 5.0, consistency)
    images, noise = torch.rand(6, 1, 8, 8), torch.Generator()
    clusters = torch.tensor([0, 3, -1, 2, 1, -1])
    originals = images if consistency else torch.rand(6, 1, 8, 8)
    losses = model.training_loss(images, originals, clusters, noise, images)
    torch.testing.assert_close(losses.total, model.loss(images, clusters, noise).total)


def test_the_original_of_an_augmented_image_is_the_image_itself(build, data):
    seen = []

    class Watched(type(build())):
        def training_loss(self, images, originals, labels, generator, targets):
            seen.append((images.clone(), originals.clone()))
            return self.loss(images, labels, generator, targets)

    model = build()
    model.__class__ = Watched
    augment = UNCHANGED.model_copy(update={"rotation": 30, "shift": 0.2})
    list(fit(model, *data, replace(PLAN, epochs=1, augment=augment)))
    originals = torch.cat([each for _, each in seen])
    known = data[0][0].float() / 255
    distances = torch.cdist(originals.flatten(1), known.flatten(1))
    assert (distances.min(dim=1).values < 0.01).all()  # the nearest other one is 0.5 away
    assert (distances.min(dim=0).values < 0.01).all()
    assert all(not torch.equal(images, original) for images, original in seen)


def test_a_model_of_another_kind_learns_from_its_teachers(build, params, data, labels):
    teacher = params.models["vae"]
    settings = SETTINGS.model_copy(update={"teacher": teacher, "rounds": 2, "epochs": 60})
    model, rows, seen = run(build, data, settings, replace(PLAN, epochs=60))
    assert [name for name, _ in phases(settings)] == list(seen)
    assert [index for _, index in phases(settings)] == [0, 1, 0, 1, 2]
    kinds = [type(getattr(each, "model", each)).__name__ for _, _, each, _ in seen.values()]
    assert kinds == ["VAE"] * 4 + ["Autoencoder"]
    assert seen["round 2 of 2"][2].model is model
    assert len(rows) == 60
    # It has learned the clusters, whatever they are called.
    with torch.no_grad():
        found = seen["round 2 of 2"][2].head(model.embed(data[0][0].float() / 255)).argmax(1)
    true = np.tile(labels, 3)[:120]
    assert len({(int(a), int(b)) for a, b in zip(found, true, strict=True)}) == 4


def test_without_classes_the_number_of_clusters_must_be_given(build, data):
    unlabeled = tuple((images, torch.full_like(labels, -1)) for images, labels in data)
    settings = SETTINGS.model_copy(update={"n_clusters": None})
    with pytest.raises(LatentlabError, match=r"n_clusters: .* has no class; give a number"):
        run(build, unlabeled, settings)
