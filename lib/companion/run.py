"""Run a notebook with other parameters: `python -m companion.run 01 -p width 64 [--quick]`.

What it makes goes to build/run/ or build/quick/; it cannot publish. `execute` is the one way in
which any command runs a notebook.
"""

import argparse
import os
import sys
from contextlib import contextmanager

from companion import claims, parameters, pins
from companion.scratch import fresh_folder, short_place
from companion.tree import BUILD, NOTEBOOKS, ROOT, Refused, file_of, find, move, read, status

CELL_TIMEOUT = 600  # seconds
# nbformat would compile a grammar of web addresses, for nothing: 1.3 s a run
sys.modules.setdefault("rfc3987_syntax", None)


@contextmanager
def kernel_manager():
    """Options of a kernel manager that speaks through files: no port to clash over, no network."""
    with fresh_folder(short_place()) as sockets:
        yield dict(transport="ipc", ip=str(sockets / "kernel"))


@contextmanager
def workplace():
    """A fresh folder under build/, where notebooks run in this block write."""
    with fresh_folder(BUILD / "tmp") as folder:
        os.environ.update(pins.environment(), ENTANGLEMENT_OUT=str(folder))
        yield folder


def stored(stem):
    """A notebook with its parameters cell as last refreshed, told where the file has another.

    What a reader changes there, JupyterLab saves by itself; no figure follows from that.
    """
    import nbformat

    read(stem)  # refused by name if it is none
    book = nbformat.read(file_of(stem), as_version=4)
    cell, source = parameters.cell(book), book.metadata.get("companion", {}).get("parameters")
    if cell and source not in (None, cell.source):
        print(
            f"{stem}: the parameters cell is not the one last refreshed, which is used; "
            "`make refresh` takes the new one, `git checkout` brings the old one back",
            file=sys.stderr,
        )
        cell.source = source
    return book


def execute(stem, book, folder, values=()):
    """Run a notebook with papermill into `folder`, which its figures and claims join.

    Returns the executed notebook. Refused, with the cell and its error, if a cell fails, or
    if the kernel dies; the half-run notebook is then kept in build/failed/.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError
    from traitlets.config import Config

    output = folder / f"{stem}.ipynb"
    nbformat.write(book, output)
    print(f"running {stem} ...", file=sys.stderr, flush=True)
    try:
        with kernel_manager() as manager:
            return papermill.execute_notebook(
                unformatted(output),
                unformatted(output),
                dict(values),
                cwd=str(NOTEBOOKS),
                kernel_name="python3",
                progress_bar=sys.stderr.isatty(),
                request_save_on_cell_execute=False,  # it would take longer than the cells
                execution_timeout=CELL_TIMEOUT,
                record_timing=False,
                coalesce_streams=True,
                extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # failures are told by cell
                config=Config(KernelManager=manager),
            )
    except (papermill.PapermillExecutionError, CellTimeoutError, RuntimeError) as error:
        failed = BUILD / "failed" / f"{stem}.ipynb"
        move(output, failed)
        place, told = failed.relative_to(ROOT), of_parameter(error, book)
        why = f"{told}; see {place}" if told else f"{stem} failed: {failure(error)}\nsee {place}"
        raise Refused(why) from error


def unformatted(path):
    """A path as papermill takes it: braces would be filled in."""
    return str(path).replace("{", "{{").replace("}", "}}")


def of_parameter(error, book):
    """What a cell's error says of one of the notebook's parameters, by its name; else ""."""
    cell, told = parameters.cell(book), getattr(error, "evalue", "")
    known = parameters.declared(cell.source) if cell else {}
    name, _, why = told.partition(": ")
    if name == "path":  # the one that holds a path
        name = next((p.name for p in known.values() if p.type == "path"), name)
    return f"{name}: {why}" if name in known else ""


def failure(error):
    """What failed: the cell's source and the error, if known."""
    if not hasattr(error, "ename"):
        return str(error).strip()
    source = "\n".join("    " + line for line in error.source.splitlines())
    return f"cell [{error.exec_count}]\n{source}\n{error.ename}: {error.evalue}"


def produced(folder, kind):
    """Files that a run left in `kind` ("figures" or "claims"), sorted."""
    return sorted((folder / kind).glob("*"))


def recorded(folder):
    """The claims that a run left in a folder."""
    return [entry for path in produced(folder, "claims") for entry in claims.load(path)]


def checked(book, pairs):
    """Parameters as values, from (name, text) pairs; refused by name if unknown or out of range."""
    cell = parameters.cell(book)
    known = parameters.declared(cell.source) if cell else {}
    for name, text in pairs:
        if name not in known:
            listing = ", ".join(map(str, known.values()))
            raise Refused(f"{name}: {text} cannot be set; known: {listing}")
    return {name: known[name].read(text) for name, text in pairs}


def run(stem, pairs, quick):
    """Run a notebook with other parameters; the result replaces that of the last such run.

    Refused in the end, when all is in its place, if a prediction does not hold with them.
    """
    book, place = stored(stem), BUILD / ("quick" if quick else "run") / stem
    values = checked(book, [*pairs, ("quick", "true")] if quick else pairs)
    with workplace() as folder, fresh_folder(BUILD / "tmp") as former:
        execute(stem, book, folder, values)
        if place.exists():
            move(place, former / stem)
        move(folder, place)
    made = recorded(place)
    print(f"{claims.table(made)}\nnotebook and figures: {place.relative_to(ROOT)}/", flush=True)
    held = [check["holds"] for claim in made for check in claim["checks"]]
    if not all(held):
        failed = f"{held.count(False)} of {len(held)}"
        raise Refused(f"{failed} predictions do not hold with these parameters")


def parsed(words):
    """(notebook, pairs, quick) of a command line."""
    about = "Run a notebook with other parameters."
    top = argparse.ArgumentParser(prog="python -m companion.run", description=about)
    top.add_argument("notebook", metavar="NB", help='"01", "1" or a file stem')
    top.add_argument("-p", nargs=2, metavar=("NAME", "VALUE"), help="set a parameter; any number")
    top.add_argument("--quick", action="store_true", help="small sizes")
    words, pairs = list(words), []
    while "-p" in words[:-2]:  # taken out here: argparse has a value such as -1e1 for an option
        at = words.index("-p")
        pairs.append(words[at + 1 : at + 3])
        del words[at : at + 3]
    given = top.parse_args(words)
    return given.notebook, pairs, given.quick


def main(words=None):
    """Run one notebook; returns the exit status."""
    notebook, pairs, quick = parsed(sys.argv[1:] if words is None else words)
    return status(lambda: run(find(notebook), pairs, quick))


if __name__ == "__main__":
    sys.exit(main())
