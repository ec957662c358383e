"""From a notebook to figures/: what `make all` calls, with the notebook's default parameters.

`rules` prints make's rules, `notebook NB` runs one and puts its figures in place, `merge` makes
figures/claims.json. What is replaced is replaced by a rename: whole or not at all.
"""

import os
import sys
import time

from companion import claims
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
    claims.write_whole(fragment, claims.dumps(recorded(folder)))
    os.utime(executed, (time, time))
    for path in produced(folder, "figures"):
        move(path, FIGURES / path.name)
    move(fragment, BUILD / "claims" / f"{stem}.json")
    move(executed, BUILD / "executed" / f"{stem}.ipynb")


def merge():
    """figures/claims.json, and its table in build/claims.txt, from all notebooks' fragments.

    Of a notebook that was not run here, the claims that figures/claims.json has stay.
    """
    fragments = {stem: BUILD / "claims" / f"{stem}.json" for stem in stems()}
    lacking = [stem for stem, path in fragments.items() if not path.exists()]
    kept = claims.load(FIGURES / "claims.json") if lacking else []
    entries = [entry for entry in kept if entry["notebook"] in lacking]
    entries += [e for path in fragments.values() if path.exists() for e in claims.load(path)]
    claims.write_whole(BUILD / "claims.json", claims.dumps(entries))
    claims.write_whole(BUILD / "claims.txt", f"{claims.table(entries)}\n".encode())
    move(BUILD / "claims.json", FIGURES / "claims.json")


def main():
    """Do what the command line says; the exit status."""
    match sys.argv[1:]:
        case ["rules"]:
            return status(rules)
        case ["notebook", name]:
            return status(lambda: notebook(find(name)))
        case ["merge"]:
            return status(merge)
    sys.exit("usage: python -m companion.publish rules | notebook NB | merge")


if __name__ == "__main__":
    sys.exit(main())
