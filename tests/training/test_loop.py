import math
from dataclasses import replace

import pytest
import torch

from latentlab.data.augmentation import Augmentation
from latentlab.data.batches import shuffled, to_pixels
from latentlab.data.settings import AugmentSettings
from latentlab.errors import LatentlabError
from latentlab.estimator.recipe import UNCHANGED
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.randomness import generator
from latentlab.training.history import best_epoch
from latentlab.training.loop import TrainingPlan, fit, mean_losses

CPU = torch.device("cpu")
NONE = torch.full((100,), -1)
KINDS = ["fcn_autoencoder", "conv_autoencoder", "vae", "conv_vae", "cvae", "vade"]


AUGMENT = AugmentSettings(
    rotation=20,
    shift=0.2,
    scale=0.1,
    shear=0.1,
    crop=0.1,
    flip=True,
    brightness=0.2,
    target="augmented",
)


def labeled(images):
    """Images with labels, as `fit` takes them."""
    return images, torch.arange(len(images)) % 4


PLAN = TrainingPlan(
    epochs=3,
    batch_size=4,
    learning_rate=0.01,
    optimizer="adam",
    scheduler="constant",
    seed=0,
)


def trained(settings, train, validation, epochs, *, seed=0, **changes):
    """A model fitted on bytes, and its rows."""
    torch.manual_seed(seed)
    model = build_model(settings, ModelInputs(tuple(train.shape[1:]), 4, "unit", 4))
    plan = replace(PLAN, epochs=epochs, seed=seed, **changes)
    return model, list(fit(model, labeled(train), labeled(validation), plan))


@pytest.fixture
def tensors(images):
    return torch.from_numpy(images)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loop_overfits_four_images(kind, params, tensors):
    four = tensors[:4]
    settings = params.models[kind].model_copy(update={"loss": "mse"})
    model, rows = trained(settings, four, four[:0], 300)
    pixels = to_pixels(four, "unit", CPU)
    # A conditional model leaves the class out of the latent: all four differ in it.
    decoded = model.decode(model.embed(pixels), torch.arange(4))
    error = (decoded - pixels).square().mean().item()
    spread = (pixels - pixels.mean(0)).square().mean().item()
    assert error < 0.1 * spread
    assert rows[-1]["train_total"] < 0.5 * rows[0]["train_total"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(params, tensors):
    def weights(seed):
        model, _ = trained(params.models["vae"], tensors, tensors[:0], 2, seed=seed)
        return torch.cat([p.flatten() for p in model.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_evaluating_does_not_disturb_training(params, tensors):
    """Rows with and without validation agree on the training side, to the last bit."""
    settings = params.models["vae"]
    _, without = trained(settings, tensors[:40], tensors[:0], 3)
    _, with_validation = trained(settings, tensors[:40], tensors[40:], 3)
    assert [r["train_total"] for r in without] == [r["train_total"] for r in with_validation]


def test_the_best_epoch_on_validation_is_kept(params, tensors):
    """A learning rate that overshoots makes the last epoch worse than an earlier one."""
    settings, validation = params.models["vae"], tensors[40:]
    model, rows = trained(settings, tensors[:40], validation, 12, learning_rate=0.05)
    best = best_epoch(rows)
    assert best < 12, "the test needs a run whose last epoch is not its best"
    found = mean_losses(model, labeled(validation), seed=0)
    assert found["total"] == pytest.approx(rows[best - 1]["validation_total"], rel=1e-6)
    again, _ = trained(settings, tensors[:40], validation, best, learning_rate=0.05)
    for name, weight in again.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name])


def test_without_validation_the_last_epoch_is_kept(params, tensors):
    _, rows = trained(params.models["vae"], tensors, tensors[:0], 3)
    assert best_epoch(rows) == 3
    assert not any(name.startswith("validation") for name in rows[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_curves_are_those_of_the_plain_loop(kind, params, tensors):
    """Floats, an optimizer that is not fused, contiguous weights, a number read at every step."""
    _, rows = trained(params.models[kind], tensors, tensors[:0], 3, batch_size=5)
    torch.manual_seed(0)
    model = build_model(params.models[kind], ModelInputs((1, 8, 8), 4, "unit", 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, foreach=False, fused=False)
    order = generator(0, "batch order", CPU)
    noise = generator(0, "posterior samples of training", CPU)
    pixels, labels = tensors.float() / 255, torch.arange(48) % 4
    for row in rows:
        total = 0.0
        for chosen in torch.randperm(48, generator=order).split(5):
            losses = model.loss(pixels[chosen], labels[chosen], noise).total
            optimizer.zero_grad()
            losses.mean().backward()
            optimizer.step()
            total += losses.sum().item()
        assert row["train_total"] == pytest.approx(total / 48, rel=1e-4)


def test_means_are_over_images_and_not_over_batches(params, tensors):
    """Of batches of 32 and 16, a mean of batch means would weigh the last images double."""
    model = build_model(params.models["fcn_autoencoder"], ModelInputs((1, 8, 8), 4, "unit", 4))
    ragged = mean_losses(model, labeled(tensors), seed=0, batch_size=32)["total"]
    noise = generator(0, "posterior samples of validation", CPU)
    losses = model.loss(to_pixels(tensors, "unit", CPU), NONE[:48], noise).total
    assert ragged == pytest.approx(losses.mean().item(), rel=1e-6)


def test_train_losses_are_means_over_images_too(params, tensors):
    settings = params.models["fcn_autoencoder"]
    _, rows = trained(settings, tensors[:10], tensors[:0], 1, learning_rate=1e-12, optimizer="sgd")
    torch.manual_seed(0)
    model = build_model(settings, ModelInputs((1, 8, 8), 4, "unit", 4))
    noise = generator(0, "posterior samples of training", CPU)
    losses = model.loss(to_pixels(tensors[:10], "unit", CPU), NONE[:10], noise).total
    assert rows[0]["train_total"] == pytest.approx(losses.mean().item(), rel=1e-5)


def test_a_batch_larger_than_the_set_is_refused(params, tensors):
    message = "batch_size: found 49, but there are 48 training images; allowed: 1 to 48"
    with pytest.raises(LatentlabError, match=message):
        trained(params.models["vae"], tensors, tensors[:0], 1, batch_size=49)


def test_a_loss_that_is_no_number_stops_with_epoch_and_batch(params, tensors):
    settings = params.models["vae"]
    torch.manual_seed(0)
    model = build_model(settings, ModelInputs((1, 8, 8), 4, "unit", 4))
    calls = iter(range(100))
    loss = model.loss

    def spoiled(*given):
        losses = loss(*given)
        # 48 images in batches of 4: call 16 is the fifth batch of the second epoch.
        factor = math.nan if next(calls) == 16 else 1.0
        return losses._replace(total=losses.total * factor)

    model.loss = spoiled
    rows = fit(model, labeled(tensors), labeled(tensors[:0]), PLAN)
    assert next(rows)["epoch"] == 1
    with pytest.raises(
        LatentlabError, match=r"training loss is nan in epoch 2, batch 5; lower le"
    ):
        next(rows)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_learns(optimizer, params, tensors):
    rate = 1e-3 if optimizer == "sgd" else 0.01
    settings = params.models["fcn_autoencoder"]
    changes = {"optimizer": optimizer, "learning_rate": rate}
    _, rows = trained(settings, tensors, tensors[:0], 20, **changes)
    assert rows[-1]["train_total"] < 0.9 * rows[0]["train_total"]


def test_a_validation_loss_that_is_no_number_is_refused(params, tensors):
    """One step of a huge rate: the only training loss is that of the first weights."""
    settings = params.models["vae"]
    changes = {"batch_size": 40, "learning_rate": 1e30}
    with pytest.raises(LatentlabError, match=r"validation loss is (nan|inf) after epoch 1; lower"):
        trained(settings, tensors[:40], tensors[40:], 1, **changes)


def test_weights_that_are_no_numbers_are_refused(params, tensors):
    settings = params.models["vae"]
    changes = {"batch_size": 48, "learning_rate": 1e39, "optimizer": "sgd"}
    with pytest.raises(
        LatentlabError, match=r"weights of .* are not all finite after the last ep"
    ):
        trained(settings, tensors, tensors[:0], 1, **changes)


def test_dynamic_binarization_samples_new_images_at_every_step(params, tensors):
    """The model must get black and white images only, and never twice the same."""
    model = build_model(params.models["vae"], ModelInputs((1, 8, 8), 4, "unit", 4))
    seen = []
    loss = model.loss

    def watched(*given):
        seen.append(given[0].clone())
        return loss(*given)

    model.loss = watched
    gray = torch.full_like(tensors, 100)
    plan = replace(PLAN, dynamic_binarization=True, epochs=2, batch_size=48)
    list(fit(model, labeled(gray), labeled(gray[:0]), plan))
    first, second = seen
    assert set(first.unique().tolist()) == {0, 1}
    assert not torch.equal(first, second)
    assert first.mean().item() == pytest.approx(100 / 255, abs=0.03)


def test_training_images_are_augmented_at_every_step_and_validation_images_are_not(
    params, tensors
):
    settings = params.models["fcn_autoencoder"]
    train, validation = tensors[:40], tensors[40:]
    model, rows = trained(settings, train, validation, 1, batch_size=40, augment=AUGMENT)
    _, plain_rows = trained(settings, train, validation, 1, batch_size=40)
    assert rows[0]["train_total"] != plain_rows[0]["train_total"]
    # The one step of the epoch, taken by hand.
    torch.manual_seed(0)
    untrained = build_model(settings, ModelInputs((1, 8, 8), 4, "unit", 4))
    order = generator(0, "batch order", CPU)
    batch, labels = next(shuffled(*labeled(train), 40, order))
    augment = Augmentation(AUGMENT, generator(0, "augmentation", CPU))
    pixels = to_pixels(augment(batch), "unit", CPU)
    expected = untrained.loss(pixels, labels, generator(0, "noise", CPU)).total.mean().item()
    assert rows[0]["train_total"] == pytest.approx(expected, rel=1e-6)
    losses = mean_losses(model, labeled(validation), seed=0)
    assert rows[0]["validation_total"] == pytest.approx(losses["total"], rel=1e-6)


@pytest.mark.parametrize("target", ["augmented", "original"])
def test_the_target_is_what_a_changed_image_is_reconstructed_as(params, tensors, target):
    """The one step of an epoch by hand: encode the changed images, compare with the target."""
    settings = params.models["conv_autoencoder"]
    augment = AUGMENT.model_copy(update={"target": target})
    _, rows = trained(settings, tensors, tensors[:0], 1, batch_size=len(tensors), augment=augment)
    torch.manual_seed(0)
    untrained = build_model(settings, ModelInputs((1, 8, 8), 4, "unit", 4))
    batch, _ = next(shuffled(*labeled(tensors), len(tensors), generator(0, "batch order", CPU)))
    changed = Augmentation(augment, generator(0, "augmentation", CPU))(batch)
    targets = {"augmented": changed, "original": batch}[target].double() / 255
    decoded = untrained.decode(untrained.embed(to_pixels(changed, "unit", CPU)))
    expected = (decoded - targets).square().flatten(1).sum(1).mean().item()
    assert rows[0]["train_total"] == pytest.approx(expected, rel=1e-5)


def test_latents_tell_less_of_what_changes_hide_where_originals_are_the_target(params, tensors):
    """Of brightness, that is: how far half of it moves a latent, beside how far images differ."""

    def moved(target):
        augment = UNCHANGED.model_copy(update={"brightness": 0.6, "target": target})
        settings = params.models["conv_autoencoder"]
        model, _ = trained(
            settings, tensors[:40], tensors[:0], 200, batch_size=20, augment=augment
        )
        bright, dark = (
            model.embed(to_pixels(each, "unit", CPU)).detach()
            for each in (tensors[:40], tensors[:40] // 2)
        )
        spread = (bright - bright.mean(0)).square().sum(1).mean()
        return ((bright - dark).square().sum(1).mean() / spread).sqrt().item()

    assert moved("original") < 0.7 * moved("augmented")


def test_an_augmentation_that_changes_nothing_leaves_every_bit(params, tensors):
    settings = params.models["vae"]
    model, rows = trained(settings, tensors, tensors[:4], 2, augment=UNCHANGED)
    plain, plain_rows = trained(settings, tensors, tensors[:4], 2)
    assert rows == plain_rows
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name])


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_learns_nearly_as_well(kind, params, tensors):
    """Weights are float32. The best losses are compared: the last ones jump at this rate."""
    settings = params.models[kind]
    model, rows = trained(settings, tensors[:40], tensors[40:], 20, precision="bfloat16")
    _, plain_rows = trained(settings, tensors[:40], tensors[40:], 20)
    assert {weight.dtype for weight in model.state_dict().values()} == {torch.float32}
    assert rows != plain_rows
    learned = plain_rows[0]["train_total"] - plain_rows[-1]["train_total"]
    for name in ("train_total", "validation_total"):
        best, plain_best = (min(row[name] for row in each) for each in (rows, plain_rows))
        assert best < plain_best + 0.1 * learned


def test_losses_are_float32_in_bfloat16(params, tensors):
    """A sum of 4,096 pixels in bfloat16 would have an error of a hundredth."""
    seen = []
    for kind in KINDS:
        torch.manual_seed(0)
        model = build_model(params.models[kind], ModelInputs((1, 8, 8), 4, "unit", 4))
        loss = model.loss

        def watched(*given, loss=loss):
            seen.append(loss(*given))
            return seen[-1]

        model.loss = watched
        plan = replace(PLAN, precision="bfloat16", epochs=1, batch_size=48)
        list(fit(model, labeled(tensors), labeled(tensors[:0]), plan))
    assert len(seen) == len(KINDS)
    assert {term.dtype for losses in seen for term in losses.named().values()} == {torch.float32}
