"""What authors refresh: stored notebooks, their figures, and every text made from the claims.

`python -m companion.refresh [NB]...` runs each notebook once, or those named, and stores what
`make all` makes; one of which nothing has changed since is passed over.
"""

import hashlib
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from companion import claims, gallery, parameters
from companion.claims import write_whole
from companion.publish import merge, place
from companion.run import execute, produced, workplace
from companion.tree import BUILD, FIGURES, ROOT, Refused, file_of, find, move, number, status, stems

README_PARTS = {"agreement": claims.agreement, "claims": claims.markdown}
NOTEBOOK_PARTS = {"claims": claims.overview}

# ---- stored notebooks


def refresh(stem):
    """Run a notebook as it stands, its parameters too, and store all that it makes."""
    import nbformat

    source = file_of(stem)
    before, started = source.read_text(encoding="utf-8"), time.time()
    with workplace() as folder:
        book = execute(stem, nbformat.reads(before, as_version=4), folder)
        names = [path.name for path in produced(folder, "figures")]
        if source.read_text(encoding="utf-8") != before:
            raise Refused(f"{stem}: edited while it ran; nothing was stored")
        replace_text(source, nbformat.writes(as_stored(book, names)) + "\n", folder, started)
        for path in FIGURES.glob(f"{number(stem)}_*"):
            if path.name not in names:
                path.unlink()
        place(stem, folder, started)
    set_up_to_date(stem)


def as_stored(book, figures):
    """An executed notebook without what tells one run from another, with what it promises."""
    cell = parameters.cell(book)
    book.metadata = {
        "companion": {"figures": figures, "parameters": cell.source if cell else None},
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for cell in book.cells:
        cell.metadata.pop("papermill", None)
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
    return book


def digest(stem):
    """Of all that a stored notebook depends on, and of all that it made."""
    own = [f"notebooks/{stem}.ipynb", f"notebooks/words/{number(stem)}.md", "lib/**/*"]
    made = [f"figures/{number(stem)}_*", f"build/claims/{stem}.json"]
    found = hashlib.sha256()
    for path in sorted(path for pattern in own + made for path in ROOT.glob(pattern)):
        if path.is_file() and path.suffix != ".pyc":
            found.update(f"{path.relative_to(ROOT)} {path.stat().st_size} ".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def up_to_date(stem):
    """Whether a notebook is stored as it was last made here, from what there is now."""
    stamp = BUILD / "refreshed" / stem
    return stamp.exists() and stamp.read_text() == digest(stem)


def set_up_to_date(stem):
    """Remember that a notebook is stored as it was made."""
    write_whole(BUILD / "refreshed" / stem, digest(stem).encode())


# ---- generated texts


def filled(text, entries, parts):
    """Text with its generated parts, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`, anew.

    Raises ValueError if the markers of a part are not there once.
    """
    for name, render in parts.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        made = f"{begin}{render(entries)}\n{end}"
        text, count = re.subn(f"{begin}.*?{end}", lambda _, made=made: made, text, flags=re.S)
        if count != 1 or text.count(end) != 1:
            raise ValueError(f"text: has the markers of {name!r} {count} times, not once")
    return text


def generated():
    """(path, text) of all that is made from figures/claims.json and the stored notebooks."""
    import nbformat

    entries, readme = claims.load(FIGURES / "claims.json"), ROOT / "README.md"
    yield readme, filled(readme.read_text(encoding="utf-8"), entries, README_PARTS)
    for stem in stems():
        book = nbformat.read(file_of(stem), as_version=4)
        tables = [cell for cell in book.cells if cell.source.startswith("<!-- claims:begin -->")]
        for cell in tables:
            cell.source = filled(cell.source, entries, NOTEBOOK_PARTS)
        if tables:
            yield file_of(stem), nbformat.writes(book) + "\n"
    yield FIGURES / "README.md", gallery.text(entries)


def write_generated():
    """Rewrite what is generated; a notebook that was up to date before still is."""
    with workplace() as folder:
        for path, text in generated():
            current = path.suffix == ".ipynb" and up_to_date(path.stem)
            replace_text(path, text, folder, path.stat().st_mtime if current else time.time())
            if current:
                set_up_to_date(path.stem)


def replace_text(path, text, folder, time):
    """Replace a file whole, by way of `folder`; untouched if it holds this text already.

    time: when it was last modified, as make shall see it: a notebook, before its figures.
    """
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        (folder / "new").write_text(text, encoding="utf-8")
        os.utime(folder / "new", (time, time))
        move(folder / "new", path)


# ---- command line


def alone(stem):
    """Refresh a notebook in a process of its own; its exit status."""
    return subprocess.call([sys.executable, "-m", "companion.refresh", "--alone", stem], cwd=ROOT)


def everything(chosen):
    """Refresh notebooks side by side, then what is generated from all of them."""
    pool = ThreadPoolExecutor(int(os.environ.get("JOBS", 1)))
    try:
        codes = list(pool.map(alone, [stem for stem in chosen if not up_to_date(stem)]))
    finally:
        pool.shutdown(cancel_futures=True)  # after a Ctrl-C
    if any(codes):
        raise Refused("refresh: not done, for the reasons above")
    merge([stem for stem in stems() if up_to_date(stem)])
    write_generated()


def main():
    """Refresh the notebooks named, or all; `--alone NB`: it only. Returns the exit status."""
    match sys.argv[1:]:
        case ["--alone", stem]:
            return status(lambda: refresh(stem))
        case names:
            return status(lambda: everything([find(name) for name in names] or stems()))


if __name__ == "__main__":
    sys.exit(main())
