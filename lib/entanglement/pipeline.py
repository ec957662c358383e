"""How a notebook is run: parameters checked, in a temporary place, then published; claims merged; stored outputs refreshed.

`python -m entanglement.pipeline run 01 -p width 64` works without make. The Makefile is the only caller of the rest.
Whatever it replaces, it replaces by a rename within the checkout: whole or not at all, however it is interrupted.
"""

import argparse
import fcntl
import json
import os
import re
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from traitlets.config import Config

from entanglement import claims

LIB = Path(__file__).resolve().parents[1]
ROOT = LIB.parent
NOTEBOOKS, FIGURES, BUILD = ROOT / "notebooks", ROOT / "figures", ROOT / "build"
CELL_TIMEOUT = 600  # seconds
# a kernel is spoken to through files, not ports: none to clash over, and no network needed
SOCKETS = dict(transport="ipc", ip=str(Path(tempfile.gettempdir()) / f"entanglement-{os.getpid()}"))
KERNEL = dict(
    kernel_name="python3",
    extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # failures are reported by cell
    config=Config(KernelManager=SOCKETS),
)
ENVIRONMENT = dict(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    JUPYTER_PREFER_ENV_PATH="1",
    PYTHONPATH=str(LIB),
)
REPOSITORY = ""  # "owner/name" on GitHub, once this has a public address; README's Binder link is made from it


def binder(entries):
    """README's Binder link, or in its place why there is none."""
    if not REPOSITORY:
        return "* **On Binder**: no link yet: this copy has no public address (`REPOSITORY` in `lib/entanglement/pipeline.py` is empty)."
    return f"* **On Binder**: [open a session](https://mybinder.org/v2/gh/{REPOSITORY}/HEAD?labpath=notebooks/{stems()[0]}.ipynb)."


README_PARTS = {"claims": claims.markdown, "binder": binder}
OVERVIEW = "00_overview.ipynb"
OVERVIEW_PARTS = {"claims": claims.overview}


class Refused(Exception):
    """What the user asked for, or what a notebook did, cannot be accepted; the message says why."""


# ---- notebooks and what they promise


def stems():
    """File stems of all notebooks, in order."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def find(name):
    """The stem of the notebook called "01", "1" or by its stem.

    Refused if there is none.
    """
    for stem in stems():
        if name == stem or name.zfill(2) == stem.split("_")[0]:
            return stem
    raise Refused(f"no notebook is called {name!r}; there are: {', '.join(stems())}")


def listed_figures(stem):
    """The files that a notebook promises to make in figures/, from its metadata.

    Refused if a name does not begin with the notebook's number or is not plain.
    """
    metadata = json.loads((NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf-8"))["metadata"]
    names = metadata.get("companion", {}).get("figures", [])
    for name in names:
        if not re.fullmatch(rf"{stem.split('_')[0]}_[\w.-]+", name):
            raise Refused(f"notebooks/{stem}.ipynb lists the figure {name!r}; names begin with the notebook's number and are plain")
    return names


def rules():
    """Make rules: one grouped target per notebook, everything that publishing it replaces."""
    lines = []
    for stem in stems():
        files = [f"figures/{name}" for name in listed_figures(stem)] + [f"build/claims/{stem}.json", f"build/executed/{stem}.ipynb"]
        lines += [
            f"{' '.join(files)} &: notebooks/{stem}.ipynb $(LIBRARY) $(ENVIRONMENT)",
            f"\t@$(PIPELINE) run {stem} --publish",
            f"PUBLISHED += {' '.join(files)}",
            "",
        ]
    return "\n".join(lines)


# ---- parameters


def boolean(text):
    return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]


def existing_path(text):
    """The absolute path of a file named where the user typed the command; "" stays empty."""
    folders = [os.environ.get("TYPED_IN", ""), os.getcwd()]
    found = [path for path in (os.path.abspath(os.path.join(folder, text)) for folder in folders if folder) if os.path.exists(path)]
    if text and not found:
        raise ValueError("there is no such file")
    return text and found[0]


TYPES = {"int": int, "float": float, "bool": boolean, "str": str, "path": existing_path}


def checked(stem, pairs):
    """Parameters as values of the types that the notebook annotates.

    pairs: (name, text). Refused, naming the parameter, the value and what is known, if the name is unknown or the text ill-typed.
    """
    from papermill import inspect_notebook

    known = {name: entry["inferred_type_name"] for name, entry in inspect_notebook(str(NOTEBOOKS / f"{stem}.ipynb")).items()}
    listing = ", ".join(f"{name} ({kind})" for name, kind in known.items())
    values = {}
    for name, text in pairs:
        if known.get(name) not in TYPES:
            raise Refused(f"parameter {name!r} (value {text!r}) cannot be set in {stem}; known: {listing}")
        try:
            values[name] = TYPES[known[name]](text)
        except (ValueError, KeyError) as error:
            reason = error if known[name] == "path" else f"not of type {known[name]}"
            raise Refused(f"parameter {name!r}: {text!r}: {reason}; known: {listing}") from error
    return values


# ---- running


@contextmanager
def scratch():
    """A fresh folder under build/ where a notebook writes; gone afterwards, and if this run is killed, with the next one."""
    place = BUILD / "tmp"
    place.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        with locked(place):
            remove_abandoned(place)
            folder = Path(tempfile.mkdtemp(dir=place))
            held.enter_context(locked(folder))
        os.environ.update(ENVIRONMENT, ENTANGLEMENT_OUT=str(folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(folder):
    """Hold a folder until the end of the block, or of this process, however it ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove_abandoned(place):
    """Remove the folders in `place` that no running process holds."""
    for folder in place.iterdir():
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # its owner was quicker
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(handle)


def execute(stem, values, folder):
    """Run a notebook with papermill into `folder`, which its figures and claims join.

    Refused, with the cell and its error, if a cell fails; the half-run notebook is kept in build/failed/.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    source, output = NOTEBOOKS / f"{stem}.ipynb", folder / f"{stem}.ipynb"
    options = dict(KERNEL, cwd=str(NOTEBOOKS), execution_timeout=CELL_TIMEOUT, progress_bar=sys.stderr.isatty())
    print(f"running {stem} ...", flush=True)
    try:
        papermill.execute_notebook(str(source), str(output), values, **options)
    except (papermill.PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
        kept = BUILD / "failed" / output.name
        move(output, kept)
        raise Refused(f"notebooks/{stem}.ipynb failed: {failure(error)}\nhalf-run notebook: {kept.relative_to(ROOT)}") from error


def failure(error):
    """What failed: the cell's source and the error, if known."""
    if not hasattr(error, "ename"):
        return str(error).strip()
    source = "\n".join("    " + line for line in error.source.splitlines())
    return f"cell [{error.exec_count}]\n{source}\n{error.ename}: {error.evalue}"


def move(source, target):
    """Rename, making the target's folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)


def produced(folder, kind):
    """Files that a run left in `kind` ("figures" or "claims"), sorted."""
    return sorted((folder / kind).glob("*"))


def run(stem, pairs, quick):
    """Run a notebook with other parameters; the result replaces build/run/ or build/quick/, and its claims are printed."""
    values = checked(stem, [*pairs, ("quick", "true")] if quick else pairs)
    place = BUILD / ("quick" if quick else "run") / stem
    with scratch() as folder:
        execute(stem, values, folder)
        shutil.rmtree(place, ignore_errors=True)
        move(folder, place)
    entries = [entry for path in produced(place, "claims") for entry in claims.load(path)]
    print(f"{claims.table(entries)}\nnotebook and figures: {place.relative_to(ROOT)}/", flush=True)


def publish(stem):
    """Run a notebook with its default parameters and put its figures and claims in place, the executed notebook last.

    Refused if the figures are not exactly those that the notebook lists.
    """
    started = time.time()
    with scratch() as folder:
        execute(stem, {}, folder)
        figures = {path.name: path for path in produced(folder, "figures")}
        missing, unexpected = set(listed_figures(stem)) - set(figures), set(figures) - set(listed_figures(stem))
        if missing or unexpected:
            raise Refused(
                f"notebooks/{stem}.ipynb: figures not made: {sorted(missing)}; made but not in its metadata: {sorted(unexpected)}"
                " (`make refresh` rewrites the list)"
            )
        fragment = folder / "fragment.json"
        claims.write_whole(fragment, claims.dumps([entry for path in produced(folder, "claims") for entry in claims.load(path)]))
        # an edit made during the run is newer than the run
        os.utime(folder / f"{stem}.ipynb", (started, started))
        for name, path in figures.items():
            move(path, FIGURES / name)
        move(fragment, BUILD / "claims" / f"{stem}.json")
        move(folder / f"{stem}.ipynb", BUILD / "executed" / f"{stem}.ipynb")


def merge():
    """figures/claims.json, and its table in build/claims.txt, from the fragments of all notebooks."""
    entries = [entry for stem in stems() for entry in claims.load(BUILD / "claims" / f"{stem}.json")]
    claims.write_whole(BUILD / "claims.json", claims.dumps(entries))
    claims.write_whole(BUILD / "claims.txt", f"{claims.table(entries)}\n".encode())
    move(BUILD / "claims.json", FIGURES / "claims.json")


# ---- what authors refresh


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


# ---- command line


def parser():
    """The command line: one subcommand for each thing that is done, in `do`."""
    top = argparse.ArgumentParser(prog="python -m entanglement.pipeline", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(required=True)

    def add(name, text, do):
        command = commands.add_parser(name, help=text)
        command.set_defaults(do=do)
        return command

    add("rules", "make rules for all notebooks", lambda given: print(rules()))
    add("merge", "claims of all notebooks into figures/claims.json", lambda given: merge())
    add("refresh", "rewrite a stored notebook", lambda given: refresh(find(given.notebook))).add_argument("notebook", metavar="NB")
    add("tables", "rewrite the claims tables of README.md and notebook 00", lambda given: tables())
    command = add("run", "run one notebook", run_or_publish)
    command.add_argument("notebook", metavar="NB", help='"01", "1" or a file stem')
    command.add_argument("-p", dest="pairs", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="set a parameter")
    command.add_argument("--quick", action="store_true", help="small sizes")
    command.add_argument("--publish", action="store_true", help="default parameters, into figures/ (`make all`)")
    return top


def run_or_publish(given):
    """The subcommand `run`."""
    if given.publish and (given.pairs or given.quick):
        raise Refused("--publish takes default parameters only: no -p, no --quick")
    stem = find(given.notebook)
    publish(stem) if given.publish else run(stem, given.pairs, given.quick)


def main(arguments=None):
    """Run one subcommand; returns its exit status."""
    given = parser().parse_args(arguments)
    sys.modules.setdefault("rfc3987_syntax", None)  # jsonschema would compile a grammar for web addresses: 1.6 s a run, for nothing
    try:
        given.do(given)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
