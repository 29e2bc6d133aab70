"""The same floating-point results on every x86-64 CPU: which kernels the numerical libraries use.

OpenBLAS, oneDNN, MKL, NumPy and PyTorch choose their kernels by the CPU, and two kernels of one
function round differently. Environment variables, read while the libraries load, hold all of them
to kernels that every CPU with AVX2 has. So this module is imported first and needs the standard
library only. ``docs/reproducibility.md`` says what was tried on which CPU.

References:
    Intel, oneMKL Developer Guide: Conditional Numerical Reproducibility.
    https://www.intel.com/content/www/us/en/docs/onemkl/developer-guide-linux/2024-1/introduction-to-conditional-numerical-reproducibility.html
    OpenBLAS, Runtime variables.
    http://www.openmathlib.org/OpenBLAS/docs/runtime_variables/
    oneDNN, CPU Dispatcher Control.
    https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html
    NumPy, CPU/SIMD optimizations.
    https://numpy.org/doc/stable/reference/simd/build-options.html
"""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Literal

Arithmetic = Literal["portable", "native", "strict"]

# What AVX-512 is called by NumPy, from version 2.4 on and before; it warns of other names.
_AVX512 = "X86_V4 AVX512_ICL AVX512_SPR"
_OLD_AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
_IS_OLD = tuple(map(int, version("numpy").split(".")[:2])) < (2, 4)
_PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels
    "MKL_CBWR": "AVX2,STRICT",  # float32 products of PyTorch
    "NPY_DISABLE_CPU_FEATURES": _OLD_AVX512 if _IS_OLD else _AVX512,  # exp, log, pow of NumPy
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions of PyTorch
    "OPENBLAS_CORETYPE": "Haswell",  # products and factorizations of NumPy and SciPy
}
_STRICT = _PORTABLE | {"MKL_CBWR": "COMPATIBLE"}
_LIBRARIES = ("numpy", "torch")


def environment(arithmetic: Arithmetic) -> dict[str, str]:
    """The environment variables that hold numerical libraries to an arithmetic.

    Args:
        arithmetic: ``portable`` for kernels that give the same bits on CPUs of Intel and AMD, with
            and without AVX-512; ``strict`` for slower products of MKL, where a CPU does not keep
            the promise of ``portable``; ``native`` for what the machine does fastest.

    Returns:
        Values by variable; empty for ``native``, and on CPUs that have no such kernels: other
        architectures than x86-64, and x86-64 without AVX2.
    """
    if arithmetic == "native" or not _has_avx2():
        return {}
    return dict(_STRICT if arithmetic == "strict" else _PORTABLE)


def put_in_force(arithmetic: Arithmetic) -> None:
    """Set the environment variables of an arithmetic in this process and those that it starts.

    Variables of another arithmetic are removed. Call it before NumPy or PyTorch is imported: they
    read the variables once.

    Args:
        arithmetic: ``portable``, ``native`` or ``strict``.

    Raises:
        RuntimeError: If NumPy or PyTorch is loaded already, with other variables.
    """
    wanted = environment(arithmetic)
    found = {name: os.environ[name] for name in _PORTABLE if name in os.environ}
    if found == wanted:
        return
    loaded = [name for name in _LIBRARIES if name in sys.modules]
    if loaded:
        raise RuntimeError(
            f"arithmetic {arithmetic!r} comes too late: {' and '.join(loaded)} is loaded already; "
            "put it in force before the first import of either"
        )
    for name in found.keys() - wanted.keys():
        del os.environ[name]
    os.environ |= wanted


def in_force() -> Arithmetic:
    """The arithmetic whose variables are set; ``native`` where they are those of none."""
    found = {name: os.environ[name] for name in _PORTABLE if name in os.environ}
    for arithmetic in ("portable", "strict"):
        if found and found == environment(arithmetic):
            return arithmetic
    return "native"


def cpu_name() -> str:
    """Name of the CPU model, as the operating system gives it."""
    return _cpu_field("model name") or platform.processor() or platform.machine()


def _has_avx2() -> bool:
    """Whether this is an x86-64 CPU with AVX2; where the system does not say, all recent are."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    flags = _cpu_field("flags")
    return flags is None or "avx2" in flags.split()


def _cpu_field(name: str) -> str | None:
    """The first field of that name in Linux's description of the CPU; ``None`` without one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    fields = (line.split(":", 1) for line in lines if ":" in line)
    return next((value.strip() for key, value in fields if key.strip() == name), None)
