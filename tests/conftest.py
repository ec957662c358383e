"""The environment of the kernels that nbval starts, and one more test for each notebook, after its cells."""

import functools
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from nbval import kernel
from nbval.plugin import IPyNbFile

from companion import claims, run as pipeline, verify

OUT = Path(tempfile.mkdtemp(prefix="entanglement-tests-"))
os.environ.update(pipeline.ENVIRONMENT, ENTANGLEMENT_OUT=str(OUT))
kernel.KernelManager = functools.partial(kernel.KernelManager, **pipeline.SOCKETS)


def pytest_unconfigure():
    shutil.rmtree(OUT, ignore_errors=True)


def pytest_collection_modifyitems(items):
    books = dict.fromkeys(item.parent for item in items if isinstance(item.parent, IPyNbFile) and item.path.parent == pipeline.NOTEBOOKS)
    for book in books:
        last = max(index for index, item in enumerate(items) if item.parent is book)
        items.insert(last + 1, Published.from_parent(book, name="published"))


class Published(pytest.Item):
    """The claims, tables and pictures that a notebook has just made, as nbval reran it, are those that figures/ holds."""

    def runtest(self):
        stem = self.path.stem
        fresh = [entry for path in sorted((OUT / "claims").glob("*.json")) for entry in claims.load(path) if entry["notebook"] == stem]
        assert fresh == [entry for entry in claims.load(pipeline.FIGURES / "claims.json") if entry["notebook"] == stem]
        made = {path.name: path for path in (OUT / "figures").glob(f"{stem.split('_')[0]}_*")}
        assert sorted(made) == pipeline.listed_figures(stem)
        for name, path in made.items():
            assert verify.file_outcome(pipeline.FIGURES / name, path) != verify.DIFFERENT, f"figures/{name} is not what its notebook makes"
        status = Path(f"/proc/{self.parent.kernel.km.provisioner.pid}/status")  # of its kernel; Linux
        if status.exists():
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 2**20
            assert peak < 1, f"{self.path.name} took {peak:.2f} GiB of memory, more than the 1 GiB that a small session has to spare"

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}: figures/ holds what it makes"
