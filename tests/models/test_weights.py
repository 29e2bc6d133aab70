import pytest
import torch

from latentlab.errors import LatentlabError
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.models.weights import check_history, load_weights, save_weights

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


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused(value, tmp_path):
    model = torch.nn.Linear(2, 3)
    with torch.no_grad():
        model.weight[2, 1] = value
    save_weights(model, tmp_path / "w")
    with pytest.raises(LatentlabError, match="w: weight is not finite everywhere"):
        load_weights(torch.nn.Linear(2, 3), tmp_path / "w")


def test_weights_of_another_type_are_refused_in_one_line(tmp_path):
    save_weights(torch.nn.Linear(2, 3).half(), tmp_path / "w")
    with pytest.raises(
        LatentlabError, match=r"float16 of shape \(3,\), expected float32"
    ) as error:
        load_weights(torch.nn.Linear(2, 3), tmp_path / "w")
    assert "\n" not in str(error.value)


def test_weights_know_the_losses_of_their_training(tmp_path):
    (tmp_path / "history.csv").write_text("losses")
    save_weights(torch.nn.Linear(2, 3), tmp_path / "w", tmp_path / "history.csv")
    check_history(tmp_path / "w", tmp_path / "history.csv")
    (tmp_path / "history.csv").write_text("others")
    with pytest.raises(LatentlabError, match=r"history\.csv: not the losses of the training"):
        check_history(tmp_path / "w", tmp_path / "history.csv")
