"""How a notebook is run: parameters checked, in a temporary place, then published; claims merged.

`python -m companion.run run 01 -p width 64` works without make. The Makefile is the only caller of the rest.
Whatever it replaces, it replaces by a rename within the checkout: whole or not at all, however it is interrupted.
"""

import argparse
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from traitlets.config import Config

from companion import claims
from companion.scratch import fresh_folder

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
        if name == "seed" and values[name] < 0:
            raise Refused(f"parameter 'seed': {text!r}: less than 0")
    return values


# ---- running


@contextmanager
def scratch():
    """A fresh folder under build/ where a notebook writes; gone afterwards, and if this run is killed, with the next one."""
    with fresh_folder(BUILD / "tmp") as folder:
        os.environ.update(ENVIRONMENT, ENTANGLEMENT_OUT=str(folder))
        yield folder


def execute(stem, values, folder):
    """Run a notebook with papermill into `folder`, which its figures and claims join.

    Refused, with the cell and its error, if a cell fails; the half-run notebook is then kept in build/failed/.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    source, output = NOTEBOOKS / f"{stem}.ipynb", folder / f"{stem}.ipynb"
    options = dict(KERNEL, cwd=str(NOTEBOOKS), execution_timeout=CELL_TIMEOUT, progress_bar=sys.stderr.isatty())
    options["request_save_on_cell_execute"] = False  # written once, in the end: after each cell it would take longer than the cell
    print(f"running {stem} ...", flush=True)
    try:
        papermill.execute_notebook(str(source), str(output), values, **options)
    except (papermill.PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
        message, kept = f"notebooks/{stem}.ipynb failed: {failure(error)}", BUILD / "failed" / output.name
        if output.exists():  # not if the kernel died
            move(output, kept)
            message += f"\nhalf-run notebook: {kept.relative_to(ROOT)}"
        raise Refused(message) from error


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


# ---- command line


def parser():
    """The command line: one subcommand for each thing that is done, in `do`."""
    top = argparse.ArgumentParser(prog="python -m companion.run", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(required=True)

    def add(name, text, do):
        command = commands.add_parser(name, help=text)
        command.set_defaults(do=do)
        return command

    add("rules", "make rules for all notebooks", lambda given: print(rules()))
    add("merge", "claims of all notebooks into figures/claims.json", lambda given: merge())
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
    return status(lambda: given.do(given))


def status(do):
    """The exit status of a command: 0, 1 if it was refused (the reason is printed), 130 if it was interrupted."""
    try:
        do()
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # what it left unfinished would say so, with a traceback
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
