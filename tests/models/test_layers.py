import pytest
import torch
from torch import nn

from latentlab.errors import LatentlabError
from latentlab.models.layers import Linear, feature_shape


@pytest.mark.parametrize("rows", [1, 3, 4, 70, 200])
@pytest.mark.parametrize(
    ("inputs", "outputs"), [(2, 30), (30, 2), (3, 5), (40, 50), (256, 10), (30, 301), (200, 256)]
)
def test_a_padded_layer_is_the_layer(rows, inputs, outputs):
    """Outputs and all gradients are those of PyTorch's own."""
    ours, theirs = Linear(inputs, outputs), nn.Linear(inputs, outputs)
    theirs.load_state_dict(ours.state_dict())
    first = torch.randn(rows, inputs, requires_grad=True)
    second = first.detach().clone().requires_grad_()
    for layer, values in ((ours, first), (theirs, second)):
        made = layer(values)
        assert made.shape == (rows, outputs)
        made.square().mean().backward()
    torch.testing.assert_close(ours(first), theirs(second))
    torch.testing.assert_close(first.grad, second.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)


def test_what_are_no_rows_is_refused():
    with pytest.raises(ValueError, match=r"found shape \(2, 5, 10\); give rows, shape \(B, 10\)"):
        Linear(10, 8)(torch.randn(2, 5, 10))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_row_does_not_depend_on_the_rows_beside_it(threads):
    torch.set_num_threads(threads)
    layer, rows = Linear(100, 3), torch.randn(200, 100)
    whole = layer(rows)
    for size in (1, 2, 3, 5, 64):
        assert torch.equal(torch.cat([layer(part) for part in rows.split(size)]), whole)


def test_too_many_convolutions_are_refused_with_the_limit():
    with pytest.raises(
        LatentlabError, match="4 convolutions halve an image of 8 pixels to nothin"
    ):
        feature_shape((1, 8, 8), [4, 4, 4, 4])
    assert feature_shape((1, 8, 8), [4, 4, 4]) == (4, 1, 1)
