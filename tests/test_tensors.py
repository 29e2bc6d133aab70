"""Tensor functions against NumPy's in double precision."""

import ast

import numpy as np
import torch
from scipy import special

from latentlab.tensors import exp, logsumexp
from tests.conftest import ROOT


def test_exp_is_the_exponential():
    values = torch.linspace(-20, 20, 10_001)
    expected = np.exp(values.double().numpy())
    allowed = 3e-7 * (1 + values.abs().numpy())
    assert (np.abs(exp(values).numpy() / expected - 1) <= allowed).all()


def test_its_gradient_is_itself():
    values = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(exp, values)


def test_logsumexp_is_that_of_scipy():
    values = 30 * torch.randn(2000, 3, 7)
    expected = special.logsumexp(values.double().numpy(), axis=-1)
    np.testing.assert_allclose(logsumexp(values), expected, rtol=1e-6, atol=1e-5)
    double = logsumexp(values.double())
    np.testing.assert_allclose(double, expected, rtol=1e-14, atol=1e-13)


def test_its_gradient_is_the_softmax():
    values = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(logsumexp, values)
    equal = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    logsumexp(equal).backward()
    torch.testing.assert_close(equal.grad, torch.full((3,), 1 / 3, dtype=torch.float64))


def test_the_library_calls_nothing_that_depends_on_the_vendor():
    """Of tensors: NumPy's functions are held to the same kernels everywhere."""
    vendors = {"exp", "log", "sqrt", "erf", "pow", "svd", "Linear"}
    found = [
        f"{path.name}: {ast.unparse(node)}"
        for path in sorted((ROOT / "src/latentlab").rglob("*.py"))
        # What it builds is computed by ONNX Runtime.
        if path.name != "onnx_export.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in vendors
        and ast.unparse(node.func.value) not in ("np", "np.linalg", "math", "layers")
    ]
    assert found == []
