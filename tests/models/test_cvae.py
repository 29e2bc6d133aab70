import pytest
import torch

from latentlab.errors import LatentlabError
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.randomness import generator

CPU = torch.device("cpu")
CLASSES = 3


@pytest.fixture
def cvae(params):
    return build_model(params.models["cvae"], ModelInputs((1, 8, 8), 4, "unit", CLASSES))


def test_a_cvae_encodes_without_the_label(cvae):
    """Neither the posterior nor its loss under the null label can tell the class."""
    images = torch.rand(6, 1, 8, 8)
    cvae.eval()
    hidden = torch.full((6,), -1)
    losses = cvae.loss(images, hidden, generator(0, "test", CPU))
    mean, log_var = cvae.posterior(images)
    expected = 0.5 * (mean.square() + log_var.exp() - log_var - 1).sum(1)
    torch.testing.assert_close(losses.kl, expected)


def test_a_cvae_decodes_by_class(cvae):
    latents = torch.randn(1, 4).expand(4, 4)
    decoded = cvae.decode(latents, torch.tensor([0, 1, 2, -1]))
    assert len({image.detach().numpy().tobytes() for image in decoded}) == 4
    torch.testing.assert_close(decoded[3:], cvae.decode(latents[3:]))


def test_a_cvae_hides_labels_in_training_only(cvae, monkeypatch):
    seen = []
    one_hot = cvae._one_hot
    monkeypatch.setattr(cvae, "_one_hot", lambda labels: seen.append(labels) or one_hot(labels))
    images, labels = torch.rand(4000, 1, 8, 8), torch.zeros(4000, dtype=torch.long)
    cvae.train().loss(images, labels, generator(0, "test", CPU))
    assert (seen[0] == -1).float().mean().item() == pytest.approx(0.1, abs=0.02)
    seen.clear()
    cvae.eval().loss(images, labels, generator(0, "test", CPU))
    assert not (seen[0] == -1).any()


def test_a_cvae_without_classes_is_refused(params):
    with pytest.raises(
        LatentlabError, match="a cvae needs class labels, and the data set has non"
    ):
        build_model(params.models["cvae"], ModelInputs((1, 8, 8), 4, "unit", 0))
