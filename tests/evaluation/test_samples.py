import numpy as np
import pytest
import torch

from latentlab.evaluation.classifier import Classifier, classify, train_classifier
from latentlab.evaluation.samples import generate
from latentlab.mixture.fitting import fit_mixture
from latentlab.models.registry import build_model

CPU = torch.device("cpu")


@pytest.fixture
def classifier(images, labels):
    classifier = Classifier((1, 8, 8), 4)
    train_classifier(classifier, images, labels, steps=60, seed=0, device=CPU)
    return classifier


def test_the_classifier_learns_planted_classes(classifier, images, labels):
    features, classes = classify(classifier, images, CPU)
    assert features.shape == (48, 64)
    assert (classes == labels).mean() > 0.95


def test_bytes_and_unit_floats_have_the_same_features(classifier, images):
    features, _ = classify(classifier, images, CPU)
    again, _ = classify(classifier, images.astype(np.float32) / 255, CPU)
    np.testing.assert_allclose(features, again, atol=1e-5)


def test_images_without_class_teach_nothing(images, labels):
    half = np.where(np.arange(48) < 24, labels, -1)
    made = []
    for some in (slice(None, 24), slice(None)):
        torch.manual_seed(0)
        made.append(Classifier((1, 8, 8), 4))
        train_classifier(made[-1], images[some], half[some], steps=1, seed=0, device=CPU)
    for one, other in zip(*(each.parameters() for each in made), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ["vae", "cvae", "fcn_autoencoder"])
def test_what_can_be_sampled_is(name, classifier, images, labels, params):
    model = build_model(params.models[name], (1, 8, 8), 3, "unit", 4)
    with torch.no_grad():
        latents = model.embed(torch.from_numpy(images).float() / 255).numpy()
    mixture = fit_mixture(latents, labels, classes=4, settings=params.gmm, seed=0)
    has_prior = name != "fcn_autoencoder"
    samples = generate(
        model,
        mixture,
        classifier,
        count=40,
        has_prior=has_prior,
        pixel_range="unit",
        seed=0,
        device=CPU,
    )
    assert samples.mixture.shape == (40, 64)
    assert (samples.prior is not None) == has_prior
    assert (samples.class_agreement is not None) == (name == "cvae")
    if samples.class_agreement is not None:
        assert samples.class_agreement.shape == (40,)
