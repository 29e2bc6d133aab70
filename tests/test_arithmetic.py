"""The kernels that are asked for are in force where a process computes, and only there."""

import os
import subprocess
import sys

import pytest

from latentlab import arithmetic
from latentlab.arithmetic import environment, put_in_force
from latentlab.params_file import find_arithmetic
from tests.conftest import ROOT

PORTABLE = environment("portable")

needs_kernels = pytest.mark.skipif(not PORTABLE, reason="no x86-64 CPU with AVX2")


def shown(code, **variables):
    """What a new process prints, which has only these of the variables."""
    own = {name: value for name, value in os.environ.items() if name not in PORTABLE}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=own | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_tests_compute_portably():
    assert {name: os.environ.get(name) for name in PORTABLE} == PORTABLE


@needs_kernels
def test_it_is_in_force_in_the_libraries():
    """As PyTorch and OpenBLAS say themselves."""
    code = """
from latentlab.arithmetic import put_in_force
put_in_force("portable")
import numpy, scipy.linalg, torch
from threadpoolctl import threadpool_info
cores = {each["architecture"] for each in threadpool_info() if each["internal_api"] == "openblas"}
print(torch.backends.cpu.get_cpu_capability(), *cores)
"""
    assert shown(code) == "AVX2 Haswell"


@needs_kernels
def test_native_takes_the_variables_back():
    code = """
import os
from latentlab.arithmetic import put_in_force
put_in_force("native")
print(sorted(set(os.environ) & set(%r)))
"""
    assert shown(code % list(PORTABLE), **PORTABLE) == "[]"


@needs_kernels
def test_strict_differs_in_the_products_of_mkl_only():
    strict = environment("strict")
    assert {name for name in strict if strict[name] != PORTABLE[name]} == {"MKL_CBWR"}


@needs_kernels
def test_it_is_refused_when_numpy_is_loaded():
    with pytest.raises(RuntimeError, match="'native' comes too late: numpy and torch"):
        put_in_force("native")
    put_in_force("portable")  # in force already: nothing to do


def test_it_needs_the_standard_library_only():
    code = """
import sys
before = set(sys.modules)
import latentlab.arithmetic
print(sorted({name.split(".")[0] for name in set(sys.modules) - before}
             - set(sys.stdlib_module_names)))
"""
    assert shown(code) == "['latentlab']"


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", "fma avx2", PORTABLE or arithmetic._PORTABLE),
        ("AMD64", None, arithmetic._PORTABLE),  # a system without /proc
        ("x86_64", "fma avx", {}),
        ("aarch64", "asimd", {}),
    ],
)
def test_only_cpus_that_have_the_kernels_are_held_to_them(machine, flags, expected, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(arithmetic, "_cpu_field", lambda name: flags)
    assert environment("portable") == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("arithmetic: native  # fast", "native"),
        ("{seed: 1, 'arithmetic': strict}", "strict"),
        ("arithmetic: fast", "portable"),
        ("arithmetic: [native]", "portable"),
        ("seed: 1", "portable"),
        ("seed: [", "portable"),
        ("- native", "portable"),
        ("", "portable"),
    ],
)
def test_the_params_file_says_which(content, expected, tmp_path):
    path = tmp_path / "some params.yaml"
    path.write_text(content)
    for given in (["--model", "vae", "--params", str(path)], [f"--params={path}", "--help"]):
        assert find_arithmetic(given) == expected


def test_without_a_params_file_it_is_portable(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_arithmetic([]) == find_arithmetic(["--params"]) == "portable"


@needs_kernels
def test_a_stage_computes_as_its_params_say(tmp_path):
    for value, capability in (("portable", "AVX2"), ("strict", "AVX2")):
        path = tmp_path / f"{value}.yaml"
        path.write_text(f"arithmetic: {value}")
        code = f"""
import os, sys
sys.argv = ["stage", "--params", {str(path)!r}]
import stages
loaded_early = "numpy" in sys.modules
import torch
print(loaded_early, torch.backends.cpu.get_cpu_capability(), os.environ["MKL_CBWR"])
"""
        expected = f"False {capability} {environment(value)['MKL_CBWR']}"
        assert shown(code) == expected
