"""`make verify`: everything refreshed in a clean copy, and compared with what is stored.

Three outcomes: identical to the byte; within tolerance (another processor or font library: the
same to a reader); different. Prose is copied with the notebooks, so only what a run or `refresh`
makes is compared. The exit status is 0 only if nothing differs.
"""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from companion import claims
from companion.run import workplace
from companion.tree import ROOT, Refused, status, stems

RANK = IDENTICAL, TOLERATED, DIFFERENT = "identical", "within tolerance", "DIFFERENT"
VERDICT = {
    IDENTICAL: "this machine reproduces the stored results to the byte",
    TOLERATED: "this machine reproduces the stored results within tolerance",
    DIFFERENT: "this machine does NOT reproduce the stored results",
}
TOLERANCE = 1e-4  # of a number, relative
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
WINDOW, PICTURE_TOLERANCE = 8, 12  # pixels a side; of 255, the mean of the worst window
REACH = 2  # pixels
DPI = 150  # at which PDFs are drawn, as the PNGs are

# ---- how alike two contents are, as bytes


def numbers(stored, fresh):
    """Two texts: within tolerance if their words are the same and their numbers nearly so."""
    if stored == fresh:
        return IDENTICAL
    texts = [content.decode() for content in (stored, fresh)]
    words, same_words = (NUMBER.sub("#", text) for text in texts)
    values, same_values = (np.array(NUMBER.findall(text), dtype=float) for text in texts)
    near = words == same_words and np.allclose(values, same_values, rtol=TOLERANCE, atol=1e-12)
    return TOLERATED if near else DIFFERENT


def picture(stored, fresh):
    """Two PNG files, by their pixels."""
    from PIL import Image

    def pixels(content):
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))

    return IDENTICAL if stored == fresh else alike(pixels(stored), pixels(fresh))


def drawing(stored, fresh):
    """Two PDF files, by what they draw."""
    import pymupdf

    def pixels(content):
        with pymupdf.open(stream=content, filetype="pdf") as file:
            page = file[0].get_pixmap(dpi=DPI)
        return np.frombuffer(page.samples, np.uint8).reshape(page.height, page.width, page.n)

    return IDENTICAL if stored == fresh else alike(pixels(stored), pixels(fresh))


def alike(first, second):
    """Two pictures (rows, columns, colours): within tolerance if no window differs much.

    A pixel differs by what no pixel within reach in the other picture accounts for: letters and
    edges may soften or move a little, as another font library's do; nothing may appear, vanish or
    change colour. The worst window measured: 8 and 10 for two other ways to hint letters, 5 without
    antialiasing, 1 for letters half a per cent larger; 16 to 32 for a false point of eight pixels.
    """
    from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

    def beyond(a, b):
        low, high = (extreme(b, within) for extreme in (minimum_filter, maximum_filter))
        return np.maximum(a - high, low - a).clip(0).max(axis=2)

    if first.shape != second.shape:
        return DIFFERENT
    a, b = first.astype(np.int16), second.astype(np.int16)
    within = (2 * REACH + 1, 2 * REACH + 1, 1)
    difference = np.maximum(beyond(a, b), beyond(b, a)).astype(float)
    worst_window = uniform_filter(difference, WINDOW, mode="constant").max()
    return TOLERATED if worst_window <= PICTURE_TOLERANCE else DIFFERENT


COMPARE = {".png": picture, ".pdf": drawing, ".csv": numbers, ".json": numbers, ".md": numbers}


def outcome(stored, fresh):
    """How alike two files are, by their kind; different if either is missing."""
    if not (stored.exists() and fresh.exists()):
        return DIFFERENT
    return COMPARE.get(stored.suffix, same)(stored.read_bytes(), fresh.read_bytes())


# ---- the lines of the report: (outcome, what)


def notebook_lines(stem, tree):
    """One line for each cell with outputs or a generated text, and one for the metadata."""
    paths = (folder / "notebooks" / f"{stem}.ipynb" for folder in (ROOT, tree))
    stored, fresh = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    for cells in zip(stored["cells"], fresh["cells"], strict=True):
        before, after = map(pieces, cells)
        if len(after) > 1 or before != after:
            where = f"cell [{cells[1].get('execution_count', 'text')}]"
            yield cell_outcome(before, after), f"notebook {stem} {where}"
    yield same(stored["metadata"], fresh["metadata"]), f"notebook {stem} list of figures"


def pieces(cell):
    """A cell as (kind, content): its source, then what it shows, by name or mime type."""
    found = [("source", joined(cell["source"]))]
    for output in cell.get("outputs", []):
        data = output.get("data", {output.get("name", "error"): output.get("text")})
        found += [(kind, joined(content)) for kind, content in sorted(data.items())]
        found.append(("alt text", output.get("metadata")))
    return found


def joined(content):
    """Text that a notebook may hold as a list of lines."""
    return "".join(content) if isinstance(content, list) else content


def cell_outcome(before, after):
    """How alike the pieces of two cells are."""
    if [kind for kind, _ in before] != [kind for kind, _ in after]:
        return DIFFERENT
    outcomes = [
        picture(*map(base64.b64decode, (old, new))) if kind == "image/png" else same(old, new)
        for (kind, old), (_, new) in zip(before, after)
    ]
    return max(outcomes, key=RANK.index)


def same(stored, fresh):
    """Two contents that have no tolerance."""
    return IDENTICAL if stored == fresh else DIFFERENT


def file_lines(tree):
    """One line for README and for each file in figures/ here or in `tree`, claims apart."""
    paths = {path.relative_to(root) for root in (ROOT, tree) for path in root.glob("figures/*")}
    for path in sorted({Path("README.md"), *paths} - {Path("figures/claims.json")}):
        yield outcome(ROOT / path, tree / path), str(path)


def claim_lines(tree):
    """One line for each claim, stored or made anew."""
    stored, fresh = (
        {entry["id"]: claims.dumps([entry]) for entry in claims.load(root / "figures/claims.json")}
        for root in (ROOT, tree)
    )
    for name in sorted(stored | fresh):
        both = name in stored and name in fresh
        yield numbers(stored[name], fresh[name]) if both else DIFFERENT, f"claim {name}"


# ---- the run


def copy_tree(tree):
    """What a refresh reads, in a folder of its own: no figures, no environment, no build."""
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in ("lib", "notebooks"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("README.md", "Makefile"):
        shutil.copy(ROOT / name, tree / name)


def refreshed(tree):
    """`python -m companion.refresh` in the copy; refused if it fails."""
    environment = os.environ | {"PYTHONPATH": str(tree / "lib")}
    if subprocess.call([sys.executable, "-m", "companion.refresh"], cwd=tree, env=environment):
        raise Refused("verify: the rerun failed, for the reasons above")


def verify():
    """Refresh a copy, compare, print; returns the exit status."""
    with workplace() as tree:
        copy_tree(tree)
        refreshed(tree)
        lines = [line for stem in stems() for line in notebook_lines(stem, tree)]
        lines += [*file_lines(tree), *claim_lines(tree)]
    for result, what in sorted(lines, key=lambda line: RANK.index(line[0])):  # what differs last
        print(f"{result:<16} {what}")
    counts = Counter(result for result, _ in lines)
    print(", ".join(f"{counts[result]} {result}" for result in RANK))
    print(VERDICT[max(counts, key=RANK.index)], flush=True)
    return int(counts[DIFFERENT] > 0)


if __name__ == "__main__":
    sys.exit(status(verify))
