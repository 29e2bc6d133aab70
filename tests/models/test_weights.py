import pytest
import torch

from latentlab.errors import LatentlabError
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.models.weights import load_weights, save_weights

CLASSES = 3


def test_saved_weights_make_the_same_model(settings, tmp_path):
    images = torch.rand(6, 1, 12, 12)
    model = build_model(settings, ModelInputs((1, 12, 12), 4, "unit", CLASSES))
    save_weights(model, tmp_path / "w.safetensors")
    torch.manual_seed(99)
    other = build_model(settings, ModelInputs((1, 12, 12), 4, "unit", CLASSES))
    assert not torch.equal(other.embed(images), model.embed(images))
    load_weights(other, tmp_path / "w.safetensors")
    assert torch.equal(other.embed(images), model.embed(images))


def test_damaged_weights_are_named(params, tmp_path):
    model = build_model(params.models["vae"], ModelInputs((1, 8, 8), 4, "unit", CLASSES))
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(LatentlabError, match=r"w\.safetensors: not readable weights"):
        load_weights(model, path)
    with pytest.raises(LatentlabError, match=r"missing\.safetensors: not readable weights"):
        load_weights(model, tmp_path / "missing.safetensors")


def test_weights_of_another_architecture_are_refused(params, tmp_path):
    save_weights(
        build_model(params.models["vae"], ModelInputs((1, 8, 8), 4, "unit", CLASSES)),
        tmp_path / "w",
    )
    other = build_model(params.models["vae"], ModelInputs((1, 8, 8), 5, "unit", CLASSES))
    with pytest.raises(LatentlabError, match="weights of another architecture"):
        load_weights(other, tmp_path / "w")
