"""A fingerprint that repeats, and tells kernels apart."""

import os
import subprocess
import sys

import pytest
import torch
from threadpoolctl import threadpool_limits

from latentlab.arithmetic import environment
from latentlab.fingerprint import fingerprint
from tests.conftest import ROOT


def test_it_repeats_and_does_not_depend_on_what_was_drawn_before():
    first = fingerprint()
    torch.rand(100)
    assert fingerprint() == first
    assert len(set(first.values())) == len(first)


def test_threads_of_numpy_alone_do_not_change_it():
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            found.append(fingerprint())
    assert found[0] == found[1]


@pytest.mark.skipif(not environment("portable"), reason="no x86-64 CPU with AVX2")
def test_other_kernels_give_another_fingerprint():
    """Kernels of SSE, which every such CPU has, against those of AVX2."""
    code = """
from latentlab.fingerprint import fingerprint
import torch
torch.set_num_threads(1)
print(fingerprint())
"""
    old = {"OPENBLAS_CORETYPE": "Prescott", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | old,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    here, there = fingerprint(), eval(done.stdout)
    differ = {name for name in here if here[name] != there[name]}
    assert differ == {"torch convolutions", "numpy products", "numpy factorizations"}
