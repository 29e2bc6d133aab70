import math

import numpy as np
import pytest
import torch

from latentlab.data.batches import shuffled, to_pixels
from latentlab.errors import LatentlabError
from latentlab.models.initialization import initialize
from latentlab.models.registry import build_model
from latentlab.pixels import to_range
from latentlab.randomness import generator, make_repeatable, resolve_device
from latentlab.training.loop import best_epoch, fit, mean_losses

CPU = torch.device("cpu")
NONE = torch.full((100,), -1)
KINDS = ["fcn_autoencoder", "conv_autoencoder", "vae", "conv_vae", "cvae"]


def labeled(images):
    """Images with labels, as `fit` takes them."""
    return images, torch.arange(len(images)) % 4


SETTINGS = {
    "scheduler": "constant",
    "pixel_range": "unit",
    "resample": False,
    "epochs": 3,
    "batch_size": 4,
    "learning_rate": 0.01,
    "optimizer": "adam",
    "seed": 0,
    "device": CPU,
}


def trained(settings, train, validation, epochs, *, seed=0, **changes):
    """A model fitted on bytes, and its rows."""
    torch.manual_seed(seed)
    model = build_model(settings, tuple(train.shape[1:]), 4, "unit", 4)
    arguments = SETTINGS | {"epochs": epochs, "seed": seed} | changes
    return model, list(fit(model, labeled(train), labeled(validation), **arguments))


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
    found = mean_losses(model, labeled(validation), pixel_range="unit", seed=0, device=CPU)
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
    model = build_model(params.models[kind], (1, 8, 8), 4, "unit", 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, foreach=False, fused=False)
    order, noise = (torch.Generator().manual_seed(0) for _ in range(2))
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
    model = build_model(params.models["fcn_autoencoder"], (1, 8, 8), 4, "unit", 4)
    arguments = {"pixel_range": "unit", "seed": 0, "device": CPU}
    ragged = mean_losses(model, labeled(tensors), **arguments, batch_size=32)["total"]
    losses = model.loss(to_pixels(tensors, "unit", CPU), NONE[:48], generator(0, CPU)).total
    assert ragged == pytest.approx(losses.mean().item(), rel=1e-6)


def test_train_losses_are_means_over_images_too(params, tensors):
    settings = params.models["fcn_autoencoder"]
    _, rows = trained(settings, tensors[:10], tensors[:0], 1, learning_rate=1e-12, optimizer="sgd")
    torch.manual_seed(0)
    model = build_model(settings, (1, 8, 8), 4, "unit", 4)
    losses = model.loss(to_pixels(tensors[:10], "unit", CPU), NONE[:10], generator(0, CPU)).total
    assert rows[0]["train_total"] == pytest.approx(losses.mean().item(), rel=1e-5)


def test_an_epoch_sees_every_image_once(tensors):
    batches = list(shuffled(*labeled(tensors), 7, generator(0, CPU)))
    assert [len(batch) for batch, _ in batches] == [7] * 6 + [6]
    seen = sorted(image.numpy().tobytes() for batch, _ in batches for image in batch)
    assert seen == sorted(image.numpy().tobytes() for image in tensors)


def test_labels_stay_with_their_images(tensors):
    """The bright quarter of an image is its class."""
    for batch, labels in shuffled(*labeled(tensors), 7, generator(0, CPU)):
        quarters = torch.nn.functional.avg_pool2d(batch.float(), 4).flatten(1)
        assert torch.equal(quarters.argmax(1), labels)


def test_epochs_come_in_different_orders(tensors):
    order = generator(0, CPU)
    first, second = (
        torch.cat([b for b, _ in shuffled(*labeled(tensors), 7, order)]) for _ in range(2)
    )
    assert not torch.equal(first, second)


@pytest.mark.parametrize("pixel_range", ["unit", "symmetric"])
def test_pixels_on_the_device_are_those_on_disk(pixel_range, images):
    ours = to_pixels(torch.from_numpy(images), pixel_range, CPU).numpy()
    np.testing.assert_allclose(ours, to_range(images, pixel_range), atol=1e-6)


def test_a_batch_larger_than_the_set_is_refused(params, tensors):
    message = "batch_size: found 49, but there are 48 training images; allowed: 1 to 48"
    with pytest.raises(LatentlabError, match=message):
        trained(params.models["vae"], tensors, tensors[:0], 1, batch_size=49)


def test_a_loss_that_is_no_number_stops_with_epoch_and_batch(params, tensors):
    settings = params.models["vae"]
    torch.manual_seed(0)
    model = build_model(settings, (1, 8, 8), 4, "unit", 4)
    calls = iter(range(100))
    loss = model.loss

    def spoiled(images, labels, noise):
        losses = loss(images, labels, noise)
        # 48 images in batches of 4: call 16 is the fifth batch of the second epoch.
        factor = math.nan if next(calls) == 16 else 1.0
        return losses._replace(total=losses.total * factor)

    model.loss = spoiled
    rows = fit(model, labeled(tensors), labeled(tensors[:0]), **SETTINGS)
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


def test_a_gpu_that_is_not_there_is_refused_with_the_remedy():
    if torch.cuda.is_available():
        assert resolve_device("cuda").type == resolve_device("auto").type == "cuda"
        return
    with pytest.raises(
        LatentlabError, match=r"device: found 'cuda', but torch .* sees no GPU; set"
    ):
        resolve_device("cuda")
    assert resolve_device("auto") == CPU


def test_only_deterministic_kernels_are_allowed():
    make_repeatable(0, 1)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("constant", [0.1] * 8),
        ("cosine", [0.1 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]),
    ],
)
def test_schedulers_are_their_formulas(scheduler, expected, monkeypatch, params, tensors):
    rates = []
    step = torch.optim.SGD.step

    def noted(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.SGD, "step", noted)
    settings = params.models["fcn_autoencoder"]
    changes = {"optimizer": "sgd", "learning_rate": 1e-4, "scheduler": scheduler, "batch_size": 12}
    trained(settings, tensors, tensors[:0], 2, **changes)
    assert rates == pytest.approx([rate / 1000 for rate in expected])


def test_one_cycle_rises_to_the_learning_rate_and_falls_to_almost_nothing(
    monkeypatch, params, tensors
):
    rates = []
    step = torch.optim.SGD.step
    monkeypatch.setattr(
        torch.optim.SGD,
        "step",
        lambda self, *a, **k: rates.append(self.param_groups[0]["lr"]) or step(self, *a, **k),
    )
    changes = {"optimizer": "sgd", "learning_rate": 1e-4, "scheduler": "one_cycle"}
    trained(params.models["fcn_autoencoder"], tensors, tensors[:0], 10, **changes)
    assert max(rates) == pytest.approx(1e-4, rel=0.01)
    assert 0.25 < rates.index(max(rates)) / len(rates) < 0.35
    assert rates[-1] < 1e-7


def test_glorot_weights_have_the_spread_of_the_formula(params):
    torch.manual_seed(0)
    model = build_model(params.models["vae"], (1, 28, 28), 16, "unit", 4)
    initialize(model, "glorot")
    weight, bias = model.encoder[1].weight, model.encoder[1].bias
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (784 + 400)), rel=0.02)
    assert not bias.any()


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


def test_resampled_images_are_drawn_anew_at_every_step(params, tensors):
    """The model must see black and white only, and not twice the same."""
    model = build_model(params.models["vae"], (1, 8, 8), 4, "unit", 4)
    seen = []
    loss = model.loss

    def watched(images, labels, noise):
        seen.append(images.clone())
        return loss(images, labels, noise)

    model.loss = watched
    gray = torch.full_like(tensors, 100)
    changes = {"resample": True, "epochs": 2, "batch_size": 48}
    list(fit(model, labeled(gray), labeled(gray[:0]), **SETTINGS | changes))
    first, second = seen
    assert set(first.unique().tolist()) == {0, 1}
    assert not torch.equal(first, second)
    assert first.mean().item() == pytest.approx(100 / 255, abs=0.03)
