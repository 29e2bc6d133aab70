"""One contract over all kinds of models, at odd sizes too."""

import numpy as np
import pytest
import torch

from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.randomness import generator

CPU = torch.device("cpu")
CLASSES = 3
LABELS = torch.tensor([0, 1, 2, 0, 1, -1])


def random_images(shape, low=0.0):
    return low + (1 - low) * torch.rand(6, *shape)


def noise(seed=0):
    return generator(seed, "test", CPU)


@pytest.mark.parametrize("pixel_range", ["unit", "symmetric"])
@pytest.mark.parametrize("latent_dim", [1, 16])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 9), (1, 28, 28), (3, 31, 31)])
def test_shapes_and_ranges(settings, shape, latent_dim, pixel_range):
    settings = settings.model_copy(update={"loss": "mse"})
    model = build_model(settings, ModelInputs(shape, latent_dim, pixel_range, CLASSES))
    images = random_images(shape)
    latents = model.embed(images)
    assert latents.shape == (6, model.latent_dim)
    decoded = model.decode(latents)
    assert decoded.shape == images.shape
    low = {"unit": 0, "symmetric": -1}[pixel_range]
    assert low <= decoded.min()
    assert decoded.max() <= 1
    losses = model.loss(images, LABELS, noise())
    assert all(term.shape == (6,) for term in losses.named().values())


def test_the_latent_has_the_dimensions_of_the_inputs(settings):
    model = build_model(settings, ModelInputs((1, 28, 28), 5, "unit", CLASSES))
    without_bottleneck = not getattr(settings, "bottleneck", True)
    assert model.latent_dim == (48 * 3 * 3 if without_bottleneck else 5)


def test_every_parameter_gets_a_gradient(settings):
    model = build_model(settings, ModelInputs((1, 12, 12), 4, "unit", CLASSES))
    if model.pretraining is not None:  # components of a prior that are alike have no gradient
        k, means = model.pretraining.n_components, torch.randn(CLASSES, 4).numpy()
        model.pretraining.finish(np.full(k, 1 / k), means, np.ones_like(means))
    model.loss(random_images((1, 12, 12)), LABELS, noise()).total.mean().backward()
    missing = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert missing == []


def test_a_learned_scale_gets_a_gradient_and_a_fixed_one_is_no_parameter(settings):
    def names(scale):
        changed = settings.model_copy(update={"loss": "gaussian", "scale": scale})
        model = build_model(changed, ModelInputs((1, 8, 8), 4, "unit", CLASSES))
        model.loss(random_images((1, 8, 8)), LABELS, noise()).total.mean().backward()
        return {name for name, p in model.named_parameters() if p.grad is not None}

    assert names(None) - names(0.5) == {"likelihood.log_scale"}


def test_embedding_repeats_and_draws_nothing(settings):
    model = build_model(settings, ModelInputs((1, 12, 12), 4, "unit", CLASSES))
    images = random_images((1, 12, 12))
    state = torch.random.get_rng_state()
    torch.testing.assert_close(model.embed(images), model.embed(images), rtol=0, atol=0)
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_loss_draws_from_its_generator_only(settings):
    model = build_model(settings, ModelInputs((1, 12, 12), 4, "unit", CLASSES))
    images = random_images((1, 12, 12))
    state = torch.random.get_rng_state()
    first, again = (model.loss(images, LABELS, noise(7)).total for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert torch.equal(state, torch.random.get_rng_state())


def test_losses_of_an_image_do_not_depend_on_the_rest_of_the_batch(settings):
    """Catches a mean or a sum over the wrong axis, and any normalization by the batch."""
    model = build_model(settings, ModelInputs((1, 12, 12), 4, "unit", CLASSES))
    images = random_images((1, 12, 12))
    others = torch.cat([images[:1], 1 - images[1:]])
    first, second = (model.loss(batch, LABELS, noise()).total for batch in (images, others))
    torch.testing.assert_close(first[:1], second[:1])
    assert not torch.isclose(first[1:], second[1:]).any()


def test_the_loss_compares_with_its_targets(settings):
    """And the KL, where there is one, with what was encoded."""
    settings = settings.model_copy(update={"loss": "mse"})
    model = build_model(settings, ModelInputs((1, 12, 12), 4, "unit", CLASSES)).eval()
    images, targets = random_images((1, 12, 12)), random_images((1, 12, 12))
    plain = model.loss(images, LABELS, noise())
    same = model.loss(images, LABELS, noise(), images)
    other = model.loss(images, LABELS, noise(), targets)
    assert all(map(torch.equal, plain.named().values(), same.named().values()))
    # The squared error is quadratic in the target: halfway between two, by their distance.
    halfway = model.loss(images, LABELS, noise(), (images + targets) / 2)
    distance = (images - targets).square().flatten(1).sum(1)
    expected = (plain.reconstruction + other.reconstruction) / 2 - distance / 4
    torch.testing.assert_close(halfway.reconstruction, expected)
    assert not torch.isclose(other.reconstruction, plain.reconstruction).any()
    if plain.kl is not None:
        assert torch.equal(other.kl, plain.kl)


def test_building_repeats_under_a_seed_and_leaves_settings_alone(settings):
    before = settings.model_dump()
    torch.manual_seed(3)
    first = build_model(settings, ModelInputs((1, 8, 8), 4, "unit", CLASSES)).state_dict()
    torch.manual_seed(3)
    again = build_model(settings, ModelInputs((1, 8, 8), 4, "unit", CLASSES)).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert settings.model_dump() == before


def test_default_networks_are_those_of_the_readme(params):
    """Counts of parameters worked out by hand from the widths."""
    shape, d = (1, 28, 28), 16
    fcn = 784 * 144 + 144 + 144 * 72 + 72 + 72 * d + d
    fcn += d * 72 + 72 + 72 * 144 + 144 + 144 * 784 + 784
    conv = 12 * 16 + 12 + 24 * 12 * 16 + 24 + 48 * 24 * 16 + 48 + 432 * d + d
    conv += d * 432 + 432 + 48 * 24 * 16 + 24 + 24 * 12 * 16 + 12 + 12 * 16 + 1
    vae = 784 * 400 + 400 + 400 * 2 * d + 2 * d + d * 400 + 400 + 400 * 784 + 784
    conv_vae = 16 * 16 + 16 + 32 * 16 * 16 + 32 + 1568 * 256 + 256 + 256 * 2 * d + 2 * d
    conv_vae += d * 256 + 256 + 256 * 1568 + 1568 + 32 * 16 * 16 + 16 + 16 * 16 + 1
    expected = {
        "fcn_autoencoder": fcn,
        "conv_autoencoder": conv,
        "vae": vae,
        "conv_vae": conv_vae,
    }
    built = {
        n: build_model(params.models[n], ModelInputs(shape, d, "unit", CLASSES)) for n in expected
    }
    assert {n: sum(p.numel() for p in m.parameters()) for n, m in built.items()} == expected


def test_beta_weighs_the_kl(params):
    images = random_images((1, 8, 8))
    for beta in (0.0, 1.0, 4.0):
        torch.manual_seed(0)
        settings = params.models["vae"].model_copy(update={"beta": beta})
        losses = build_model(settings, ModelInputs((1, 8, 8), 4, "unit", CLASSES)).loss(
            images, LABELS, noise()
        )
        torch.testing.assert_close(losses.total, losses.reconstruction + beta * losses.kl)
