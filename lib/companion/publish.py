"""From a notebook to figures/: what `make all` calls, with the notebook's default parameters.

`rules` prints make's rules, `notebook NB` runs one and puts its figures in place, `merge` makes
figures/claims.json. What is replaced is replaced by a rename: whole or not at all.
"""

import os
import sys
import time

from companion import claims
from companion.claims import write_whole
from companion.run import execute, produced, recorded, stored, workplace
from companion.tree import BUILD, FIGURES, Refused, figures_of, find, move, number, status, stems


def rules():
    """Make rules: one grouped target per notebook, everything that publishing it replaces."""
    lines = []
    for stem in stems():
        figures = [f"figures/{name}" for name in figures_of(stem)]
        files = " ".join([*figures, f"build/claims/{stem}.json", f"build/executed/{stem}.ipynb"])
        words = f"$(wildcard notebooks/words/{number(stem)}.md)"
        lines += [
            f"{files} &: notebooks/{stem}.ipynb {words} $(LIBRARY) $(ENVIRONMENT)",
            f"\t@$(PYTHON) -m companion.publish notebook {stem}",
            f"PUBLISHED += {files}",
            "",
        ]
    print("\n".join(lines))


def notebook(stem):
    """Run a notebook and publish what it made; refused if its figures are not those it lists."""
    started, listed = time.time(), set(figures_of(stem))
    with workplace() as folder:
        execute(stem, stored(stem), folder)
        made = {path.name for path in produced(folder, "figures")}
        if made != listed:
            raise Refused(
                f"figures: {stem} did not make {sorted(listed - made)}, and made "
                f"{sorted(made - listed)}, which it does not list (`make refresh` lists them)"
            )
        place(stem, folder, started)


def place(stem, folder, time):
    """Move what a run left in `folder` to figures/ and build/, the executed notebook last.

    time: since when the notebook is known to be as it ran; an edit made later is to be run again.
    """
    fragment, executed = folder / "fragment.json", folder / f"{stem}.ipynb"
    write_whole(fragment, claims.dumps(recorded(folder)))
    os.utime(executed, (time, time))
    for path in produced(folder, "figures"):
        move(path, FIGURES / path.name)
    move(fragment, BUILD / "claims" / f"{stem}.json")
    move(executed, BUILD / "executed" / f"{stem}.ipynb")


def merge(fresh):
    """figures/claims.json, and its table in build/claims.txt.

    fresh: notebooks whose fragments are taken; the claims that are there of others stay.
    """
    target, others = FIGURES / "claims.json", set(stems()) - set(fresh)
    kept = claims.load(target) if others and target.exists() else []
    entries = [entry for entry in kept if entry["notebook"] in others]
    for stem in fresh:
        entries += claims.load(BUILD / "claims" / f"{stem}.json")
    write_whole(BUILD / "claims.json", claims.dumps(entries))
    write_whole(BUILD / "claims.txt", f"{claims.table(entries)}\n".encode())
    move(BUILD / "claims.json", target)


def main():
    """Do what the command line says; the exit status."""
    match sys.argv[1:]:
        case ["rules"]:
            return status(rules)
        case ["notebook", name]:
            return status(lambda: notebook(find(name)))
        case ["merge"]:
            made = {path.stem for path in (BUILD / "claims").glob("*.json")}
            return status(lambda: merge([stem for stem in stems() if stem in made]))
    sys.exit("usage: python -m companion.publish rules | notebook NB | merge")


if __name__ == "__main__":
    sys.exit(main())
