"""What authors refresh: the stored outputs of a notebook, and the texts that are generated from figures/claims.json.

Readers never need it: `make all` and `make test` leave notebooks and README alone.
"""

import re
import sys

from companion import claims
from companion.run import CELL_TIMEOUT, FIGURES, KERNEL, NOTEBOOKS, ROOT, Refused, find, move, produced, scratch, status, stems

REPOSITORY = ""  # "owner/name" on GitHub, once this has a public address; README's Binder link is made from it


def binder(entries):
    """README's Binder link, or in its place why there is none."""
    if not REPOSITORY:
        return "* **On Binder**: no link yet: this copy has no public address (`REPOSITORY` in `lib/companion/refresh.py` is empty)."
    return f"* **On Binder**: [open a session](https://mybinder.org/v2/gh/{REPOSITORY}/HEAD?labpath=notebooks/{stems()[0]}.ipynb)."


README_PARTS = {"agreement": claims.agreement, "claims": claims.markdown, "binder": binder}
OVERVIEW = "00_overview.ipynb"
OVERVIEW_PARTS = {"claims": claims.overview}


def refresh(stem):
    """Rewrite a stored notebook with the outputs of a run with default parameters, and the list of its figures."""
    import nbformat
    from nbconvert.preprocessors import CellExecutionError, ExecutePreprocessor

    source = NOTEBOOKS / f"{stem}.ipynb"
    print(f"running {stem} ...", flush=True)
    book = nbformat.read(source, as_version=4)
    runner = ExecutePreprocessor(timeout=CELL_TIMEOUT, **KERNEL, record_timing=False, coalesce_streams=True)
    with scratch() as folder:
        try:
            runner.preprocess(book, {"metadata": {"path": str(NOTEBOOKS)}})
        except CellExecutionError as error:
            raise Refused(f"notebooks/{stem}.ipynb failed: {error}") from error
        book.metadata = {
            "companion": {**book.metadata.get("companion", {}), "figures": [path.name for path in produced(folder, "figures")]},
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},  # no patch version: another machine's refresh is not a difference
        }
        replace_text(source, nbformat.writes(book) + "\n", folder)


def filled(text, entries, parts):
    """Text with its generated parts, those between `<!-- NAME:begin -->` and `<!-- NAME:end -->`, made from claims.

    Raises ValueError if the markers are not exactly those of `parts`, once each and in order.
    """
    markers = re.findall(r"<!-- ([\w-]+):(begin|end) -->", text)
    expected = {(name, edge) for name in parts for edge in ("begin", "end")}
    if set(markers) != expected or len(markers) != len(expected):
        raise ValueError(f"text: has the markers {markers}, not {sorted(expected)} once each")
    for name, render in parts.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        if begin not in text or text.index(begin) > text.index(end):
            raise ValueError(f"text: the markers of {name!r} are not each on a line of their own, begin before end")
        text = text[: text.index(begin)] + begin + render(entries) + "\n" + text[text.index(end) :]
    return text


def generated():
    """(path, text) of what is made from figures/claims.json: README, and the notebook 00 with its table."""
    import nbformat

    entries, readme, overview = claims.load(FIGURES / "claims.json"), ROOT / "README.md", NOTEBOOKS / OVERVIEW
    yield readme, filled(readme.read_text(encoding="utf-8"), entries, README_PARTS)
    if overview.exists():
        book = nbformat.read(overview, as_version=4)
        for cell in book.cells:
            if cell.cell_type == "markdown" and "<!-- claims:begin -->" in cell.source:
                cell.source = filled(cell.source, entries, OVERVIEW_PARTS)
        yield overview, nbformat.writes(book) + "\n"


def tables():
    """Rewrite what is generated from figures/claims.json."""
    with scratch() as folder:
        for path, text in generated():
            replace_text(path, text, folder)


def replace_text(path, text, folder):
    """Replace a file whole, by way of `folder`; untouched if it holds this text already."""
    if path.read_text(encoding="utf-8") != text:
        (folder / path.name).write_text(text, encoding="utf-8")
        move(folder / path.name, path)


def main():
    """`python -m companion.refresh NB` for the stored outputs of a notebook, without NB for the generated texts; the exit status."""
    return status((lambda: refresh(find(sys.argv[1]))) if sys.argv[1:] else tables)


if __name__ == "__main__":
    sys.exit(main())
