"""The kernels that nbval starts, and one more test for each notebook, after its cells."""

import functools
import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from nbval import kernel
from nbval.plugin import IPyNbFile

from companion import claims, pins, run, verify
from companion.tree import FIGURES, NOTEBOOKS, figures_of, number

HELD = ExitStack()
OUT = HELD.enter_context(run.workplace())
MANAGER = HELD.enter_context(run.kernel_manager())
kernel.KernelManager = functools.partial(kernel.KernelManager, **MANAGER)


def pytest_unconfigure():
    HELD.close()


def pytest_collection_modifyitems(items):
    ours = [item for item in items if isinstance(item.parent, IPyNbFile)]
    for book in dict.fromkeys(item.parent for item in ours if item.path.parent == NOTEBOOKS):
        last = max(index for index, item in enumerate(items) if item.parent is book)
        items.insert(last + 1, Published.from_parent(book, name="published"))


def memory(process):
    """(peak, most), in MB, of a kernel in /proc: most is what a small session has to spare, 600.

    So with torch's CPU build; the libraries of its CUDA build, where loaded, take up to 700 more.
    """
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())[1]) * 1024 / 1e6
    return peak, 1300 if "libtorch_cuda" in (process / "maps").read_text() else 600


class Published(pytest.Item):
    """What a notebook has just made, as nbval reran it, is what figures/ holds."""

    def runtest(self):
        stem = self.path.stem
        made = {path.name: path for path in (OUT / "figures").glob(f"{number(stem)}_*")}
        assert sorted(made) == figures_of(stem)
        near = {verify.IDENTICAL, verify.TOLERATED}
        exact = {verify.IDENTICAL} if pins.pinned() else near
        for name, path in made.items():  # letters may be drawn in another way, numbers not
            allowed = exact if name.endswith(".csv") else near
            alike = verify.outcome(FIGURES / name, path)
            assert alike in allowed, f"figures/{name} is not what its notebook makes"
        stored, fresh = (
            claims.dumps([entry for entry in entries if entry["notebook"] == stem])
            for entries in (claims.load(FIGURES / "claims.json"), run.recorded(OUT))
        )
        assert verify.numbers(stored, fresh) in exact, "figures/claims.json has other claims"
        process = Path(f"/proc/{self.parent.kernel.km.provisioner.pid}")  # Linux
        if process.exists():
            peak, most = memory(process)
            assert peak <= most, f"{peak:.0f} MB of memory, more than {most}"

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}: figures/ holds what it makes"
