"""`make verify`: every notebook rerun in a clean copy, and what it made compared with what is stored, line by line.

Three outcomes: identical to the byte; within tolerance (figures and their tables only: the same to a reader, from another
processor or another version of a font library); different. The exit status is 0 only if nothing differs.
"""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from companion import claims
from companion.run import ENVIRONMENT, FIGURES, NOTEBOOKS, ROOT, scratch, stems

RANK = IDENTICAL, TOLERATED, DIFFERENT = "identical", "within tolerance", "DIFFERENT"
TOLERANCE = 1e-4  # of the numbers in a table, relative
PICTURE_TOLERANCE = 2  # root mean square of 255: other versions of a font library, not other data


# ---- how alike two things are


def same(stored, fresh):
    """Two contents that have no tolerance."""
    return IDENTICAL if stored == fresh else DIFFERENT


def table(stored, fresh):
    """Two csv files as bytes: within tolerance if their numbers are."""
    if stored == fresh:
        return IDENTICAL
    (head, *rows), (same_head, *same_rows) = ([line.split(",") for line in content.decode().splitlines()] for content in (stored, fresh))
    numbers, same_numbers = (np.array(lines, dtype=float) for lines in (rows, same_rows))
    alike = head == same_head and numbers.shape == same_numbers.shape and np.allclose(numbers, same_numbers, rtol=TOLERANCE, atol=1e-12)
    return TOLERATED if alike else DIFFERENT


def picture(stored, fresh):
    """Two PNG files as bytes: within tolerance if the mean square difference of their pixels is small."""
    from PIL import Image

    if stored == fresh:
        return IDENTICAL
    first, second = (np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=float) for content in (stored, fresh))
    alike = first.shape == second.shape and np.sqrt(np.mean((first - second) ** 2)) <= PICTURE_TOLERANCE
    return TOLERATED if alike else DIFFERENT


def worst(outcomes):
    """The worst of several outcomes."""
    return max(outcomes, key=RANK.index, default=IDENTICAL)


# ---- the lines of the report: (outcome, what)


def output_lines(stem, tree):
    """One line for each code cell of a notebook: its stored outputs against those of the run in `tree`."""
    books = (NOTEBOOKS / f"{stem}.ipynb", tree / "build" / "executed" / f"{stem}.ipynb")
    stored, fresh = (
        [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"] for path in books
    )
    for number, (before, after) in enumerate(zip(stored, fresh, strict=True), 1):
        yield cell_outcome(pieces(before), pieces(after)), f"output   {stem} cell [{number}]"


def pieces(cell):
    """The outputs of a cell as sorted (kind, content): streams joined by name, every other output by its mime type."""
    streams, rest = {}, []
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + "".join(output["text"])
        else:
            rest += [(kind, "".join(content)) for kind, content in sorted(output.get("data", {}).items())]
    return [*sorted(streams.items()), *rest]


def cell_outcome(before, after):
    """How alike the pieces of two cells are."""
    if [kind for kind, _ in before] != [kind for kind, _ in after]:
        return DIFFERENT
    return worst(
        picture(base64.b64decode(stored), base64.b64decode(fresh)) if kind == "image/png" else same(stored, fresh)
        for (kind, stored), (_, fresh) in zip(before, after, strict=True)
    )


def figure_lines(tree):
    """One line for each file in figures/ or in that of `tree`, claims apart."""
    names = {path.name for folder in (FIGURES, tree / "figures") for path in folder.glob("*")} - {"claims.json"}
    for name in sorted(names):
        yield file_outcome(*(folder / name for folder in (FIGURES, tree / "figures"))), f"figure   {name}"


def file_outcome(stored, fresh):
    """How alike two files of figures/ are; a PDF that differs is tolerated only as far as its PNG is, which has other fonts too then."""
    if not (stored.exists() and fresh.exists()):
        return DIFFERENT
    before, after = stored.read_bytes(), fresh.read_bytes()
    if before == after:
        return IDENTICAL
    if stored.suffix == ".png":
        return picture(before, after)
    if stored.suffix == ".csv":
        return table(before, after)
    twin = file_outcome(stored.with_suffix(".png"), fresh.with_suffix(".png"))
    return TOLERATED if twin == TOLERATED else DIFFERENT


def claim_lines(tree):
    """One line for each claim, stored or made anew."""
    stored, fresh = (
        {entry["id"]: claims.dumps([entry]).decode() for entry in claims.load(folder / "claims.json")}
        for folder in (FIGURES, tree / "figures")
    )
    for name in sorted(stored | fresh):
        yield same(stored.get(name), fresh.get(name)), f"claim    {name}"


# ---- the run


def copy_tree(tree):
    """What a run reads, in a folder of its own: no figures, no environment, no build."""
    for name in ("lib", "notebooks"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))


def rerun(tree, *arguments):
    """The pipeline of the copy, with this Python; SystemExit with what it said if it fails."""
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(tree / "lib")}
    done = subprocess.run(
        [sys.executable, "-m", "companion.run", *arguments], cwd=tree, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
    print(f"ran {' '.join(arguments)}", file=sys.stderr, flush=True)


def report(tree):
    """Every line, outputs first."""
    return [line for lines in (*(output_lines(stem, tree) for stem in stems()), figure_lines(tree), claim_lines(tree)) for line in lines]


def main():
    """Rerun, compare, print; returns the exit status."""
    with scratch() as tree:
        copy_tree(tree)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda stem: rerun(tree, "run", stem, "--publish"), stems()))
        rerun(tree, "merge")
        lines = report(tree)
    for outcome, what in sorted(lines, key=lambda line: RANK.index(line[0])):  # what differs comes last, where it is seen
        print(f"{outcome:<16} {what}")
    counts = Counter(outcome for outcome, _ in lines)
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in RANK))
    return int(counts[DIFFERENT] > 0)


if __name__ == "__main__":
    sys.exit(main())
