import numpy as np
import pytest
import torch

from latentlab.evaluation import samples as module
from latentlab.evaluation.classifier import Classifier, train_classifier
from latentlab.evaluation.samples import draw_samples
from latentlab.mixture.fitting import fit_mixture
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs


@pytest.mark.parametrize("name", ["vae", "cvae", "vade", "fcn_autoencoder"])
def test_what_can_be_sampled_is(name, images, labels, params):
    classifier = Classifier((1, 8, 8), 4)
    train_classifier(classifier, images, labels, steps=20, seed=0)
    model = build_model(params.models[name], ModelInputs((1, 8, 8), 3, "unit", 4))
    with torch.no_grad():
        latents = model.embed(torch.from_numpy(images).float() / 255).numpy()
    mixture = fit_mixture(latents, labels, classes=4, settings=params.gmm, seed=0)
    samples = draw_samples(model, mixture, classifier, n_samples=42, seed=0)
    assert samples.mixture.shape == (42, 64)
    assert (samples.prior is not None) == (name != "fcn_autoencoder")
    assert (samples.class_agreement is not None) == (name == "cvae")
    if samples.prior is not None:
        assert samples.prior.shape == (42, 64)
        assert not np.allclose(samples.prior, samples.mixture)
    if samples.class_agreement is not None:
        # As many of each of the four classes, 42 or more in all.
        assert samples.class_agreement.shape == (44,)


def test_agreement_is_with_the_class_that_was_asked_of_the_model(
    images, labels, params, monkeypatch
):
    def decode_unit(model, latents, label=-1):
        chosen = np.flatnonzero(labels == max(label, 0))
        return images[np.resize(chosen, len(latents))].astype(np.float32) / 255

    monkeypatch.setattr(module, "decode_unit", decode_unit)
    classifier = Classifier((1, 8, 8), 4)
    train_classifier(classifier, images, labels, steps=60, seed=0)
    model = build_model(params.models["cvae"], ModelInputs((1, 8, 8), 3, "unit", 4))
    points = np.random.default_rng(0).normal(size=(48, 3))
    mixture = fit_mixture(points, labels, classes=4, settings=params.gmm, seed=0)
    samples = draw_samples(model, mixture, classifier, n_samples=40, seed=0)
    assert samples.class_agreement.mean() > 0.9
