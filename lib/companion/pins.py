"""What every kernel that runs a notebook is given: pinned vector code, one thread, none of the
user's own settings. The one list; `make PINS= ...` leaves each processor its own vector code.

Every pin names code that all x86-64 processors with AVX2 have, so that all give the same bytes.
"""

import os
import platform
from pathlib import Path

from companion.tree import BUILD, LIB

KERNELS = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "ATEN_CPU_CAPABILITY": "avx2",  # torch
    "MKL_CBWR": "COMPATIBLE",  # the only value that Intel's and AMD's processors share
}
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
THREADS = {f"{library}_NUM_THREADS": "1" for library in LIBRARIES}
SETTINGS = BUILD / "settings"  # stands empty in the place of the user's folders
OWN = {
    "PYTHONPATH": str(LIB),  # this tree's library, even if the environment was made for another
    "PYTHONSTARTUP": "",
    "PYTHONOPTIMIZE": "",
    "PYTHONWARNINGS": "",
    "MPLBACKEND": "",
    "MATPLOTLIBRC": os.devnull,  # the fonts' cache stays where the user has it
    "IPYTHONDIR": str(SETTINGS / "ipython"),
    "JUPYTER_CONFIG_DIR": str(SETTINGS / "jupyter"),
    "JUPYTER_CONFIG_PATH": "",
    "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel, even if the user has one
}


def pinned():
    """Whether the vector code is pinned: on x86-64 with AVX2, unless `PINS` is set to nothing."""
    processor = Path("/proc/cpuinfo")
    return (
        os.environ.get("PINS") != ""
        and platform.machine() in ("x86_64", "AMD64")
        and processor.exists()
        and "avx2" in processor.read_text().split()
    )


def environment():
    """The variables that a kernel is given on top of those it inherits; makes their folder."""
    SETTINGS.mkdir(parents=True, exist_ok=True)
    return THREADS | OWN | (KERNELS if pinned() else {})
