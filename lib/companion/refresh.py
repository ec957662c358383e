"""What authors refresh: stored notebooks, their figures, and every text made from the claims.

`python -m companion.refresh NB` runs a notebook once and stores what `make all` makes, unless
nothing it depends on has changed; without NB, all of them, then the generated texts.
"""

import hashlib
import re
import sys
import time

from companion import claims, parameters
from companion.publish import merge, place
from companion.run import execute, produced, workplace
from companion.tree import BUILD, FIGURES, LIB, NOTEBOOKS, ROOT, Refused
from companion.tree import find, move, number, read, status, stems

README_PARTS = {"agreement": claims.agreement, "claims": claims.markdown}
NOTEBOOK_PARTS = {"claims": claims.overview}

# ---- stored notebooks


def refresh(stem):
    """Run a notebook as it stands, its parameters too, and store all that it makes."""
    import nbformat

    if up_to_date(stem):
        return
    source = NOTEBOOKS / f"{stem}.ipynb"
    before = source.read_text(encoding="utf-8")
    with workplace() as folder:
        book = execute(stem, nbformat.reads(before, as_version=4), folder)
        names = [path.name for path in produced(folder, "figures")]
        if source.read_text(encoding="utf-8") != before:
            raise Refused(f"{stem}: edited while it ran; nothing was stored")
        replace_text(source, nbformat.writes(as_stored(book, names)) + "\n", folder)
        for path in FIGURES.glob(f"{number(stem)}_*"):
            if path.name not in names:
                path.unlink()
        place(stem, folder, time.time())
    stamp(stem)


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
    library = [path for path in LIB.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    made = [*FIGURES.glob(f"{number(stem)}_*"), *BUILD.glob(f"claims/{stem}.json")]
    own = [NOTEBOOKS / f"{stem}.ipynb", *NOTEBOOKS.glob(f"words/{number(stem)}.md")]
    found = hashlib.sha256()
    for path in sorted([*library, *made, *own]):
        found.update(f"{path.relative_to(ROOT)} {path.stat().st_size} ".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def up_to_date(stem):
    """Whether a notebook is stored as it was last made here, from what there is now."""
    stamped = BUILD / "refreshed" / stem
    return stamped.exists() and stamped.read_text() == digest(stem)


def stamp(stem):
    """Remember that a notebook is up to date; `make all` sees it by the time."""
    claims.write_whole(BUILD / "refreshed" / stem, digest(stem).encode())
    (BUILD / "executed" / f"{stem}.ipynb").touch()


# ---- generated texts


def filled(text, entries, parts):
    """Text with its generated parts, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`, anew.

    Raises ValueError if the markers are not exactly those of `parts`, once each and in order.
    """
    markers = re.findall(r"<!-- ([\w-]+):(begin|end) -->", text)
    expected = {(name, edge) for name in parts for edge in ("begin", "end")}
    if set(markers) != expected or len(markers) != len(expected):
        raise ValueError(f"text: has the markers {markers}, not {sorted(expected)} once each")
    for name, render in parts.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        if begin not in text or text.index(begin) > text.index(end):
            raise ValueError(
                f"text: the markers of {name!r} are not on lines of their own in order"
            )
        text = text[: text.index(begin)] + begin + render(entries) + "\n" + text[text.index(end) :]
    return text


def generated():
    """(path, text) of all that is made from figures/claims.json and the stored notebooks."""
    import nbformat

    entries, readme = claims.load(FIGURES / "claims.json"), ROOT / "README.md"
    yield readme, filled(readme.read_text(encoding="utf-8"), entries, README_PARTS)
    for stem in stems():
        book = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)
        tables = [cell for cell in book.cells if cell.source.startswith("<!-- claims:begin -->")]
        for cell in tables:
            cell.source = filled(cell.source, entries, NOTEBOOK_PARTS)
        if tables:
            yield NOTEBOOKS / f"{stem}.ipynb", nbformat.writes(book) + "\n"
    yield FIGURES / "README.md", gallery(entries)


def gallery(entries):
    """Every figure with its caption under its notebook, and every verdict in full."""
    parts = ["# Figures and verdicts\n\nMade by `make refresh` from the notebooks; edit those."]
    for stem in stems():
        title = f"{number(stem)} {' '.join(stem.split('_')[1:])}"
        parts.append(f"## [{title}](../notebooks/{stem}.ipynb)")
        parts += [f"![{alt}]({name}.png)\n\n{caption}" for name, alt, caption in shown(stem)]
        parts += [verdict(entry) for entry in entries if entry["notebook"] == stem]
    return "\n\n".join(parts) + "\n"


def shown(stem):
    """(name, alt text, caption) of each figure that a stored notebook shows."""
    outputs = [output for cell in read(stem)["cells"] for output in cell.get("outputs", [])]
    for picture, below in zip(outputs, outputs[1:]):
        caption = "".join(below.get("data", {}).get("text/markdown", ""))
        name = re.match(r"\*\*(\w+)\.\*\*", caption)
        if name and "image/png" in picture.get("data", {}):
            yield name[1], picture["metadata"]["image/png"]["alt"], caption


def verdict(entry):
    """A claim as a paragraph: what was tested, what came out, why, how many predictions hold."""
    good, total = claims.passed(entry)
    said = f"{entry['claim']}: **{entry['verdict']}**. {entry['why']}"
    return f"* {said} ({good} of {total} predictions hold.)"


def write_generated():
    """Rewrite what is generated; a notebook that was up to date before still is."""
    with workplace() as folder:
        for path, text in generated():
            current = path.suffix == ".ipynb" and up_to_date(path.stem)
            replace_text(path, text, folder)
            if current:
                stamp(path.stem)


def replace_text(path, text, folder):
    """Replace a file whole, by way of `folder`; untouched if it holds this text already."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        (folder / "new").write_text(text, encoding="utf-8")
        move(folder / "new", path)


# ---- command line


def main():
    """Refresh the notebooks named, or everything; returns the exit status."""

    def do():
        for stem in map(find, sys.argv[1:]) if sys.argv[1:] else stems():
            refresh(stem)
        if not sys.argv[1:]:
            merge()
            write_generated()

    return status(do)


if __name__ == "__main__":
    sys.exit(main())
