"""The environment of the kernels that nbval starts, and one more test for each notebook, after its cells."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from nbval.plugin import IPyNbFile

from entanglement import claims, pipeline

OUT = Path(tempfile.mkdtemp(prefix="entanglement-tests-"))
os.environ.update(pipeline.ENVIRONMENT, ENTANGLEMENT_OUT=str(OUT))
PNG_TOLERANCE = 2  # root mean square of 255: other versions of freetype, not other data


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
            committed = pipeline.FIGURES / name
            if path.suffix == ".csv":
                assert_same_table(committed, path)
            if path.suffix == ".png":
                assert_same_picture(committed, path)

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}: figures/ holds what it makes"


def assert_same_table(expected, actual):
    """Two csv files hold the same numbers to 1e-4: another processor rounds differently."""
    (head, *rows), (same_head, *same_rows) = ([line.split(",") for line in path.read_text().splitlines()] for path in (expected, actual))
    numbers, same_numbers = (np.array(lines, dtype=float) for lines in (rows, same_rows))
    assert head == same_head and numbers.shape == same_numbers.shape and np.allclose(numbers, same_numbers, rtol=1e-4, atol=1e-12), (
        f"{expected} is not what its notebook makes"
    )


def assert_same_picture(expected, actual):
    """Two png files show the same, within PNG_TOLERANCE."""
    from matplotlib.testing.compare import compare_images

    copies = [OUT / f"compare-{name}.png" for name in ("expected", "actual")]  # a difference is written beside them
    for source, copy in zip((expected, actual), copies, strict=True):
        shutil.copy(source, copy)
    assert compare_images(*copies, tol=PNG_TOLERANCE) is None, f"{expected} is not what its notebook makes"


@pytest.fixture
def same_picture():
    return assert_same_picture
