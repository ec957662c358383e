"""The tree that a command acts on, the one it is typed in; its notebooks, and what each makes."""

import errno
import json
import logging
import os
import re
import sys
from pathlib import Path

from companion.claims import Refused, write_whole


def standing_in(folder):
    """The nearest folder at or above `folder` with a Makefile and notebooks/; else this file's."""
    for root in (folder, *folder.parents):
        if (root / "Makefile").is_file() and (root / "notebooks").is_dir():
            return root
    return Path(__file__).resolve().parents[2]


ROOT = standing_in(Path.cwd())
LIB, NOTEBOOKS, FIGURES, BUILD = (ROOT / name for name in ("lib", "notebooks", "figures", "build"))


def stems():
    """File stems of all notebooks, in order."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def find(name):
    """The stem of the notebook called "01", "1" or by its stem; refused if there is none."""
    for stem in stems():
        if name == stem or name.zfill(2) == number(stem):
            return stem
    raise Refused(f"notebook: {name!r} is none of {', '.join(stems())}")


def number(stem):
    """The digits that a notebook's stem begins with: its figures' names begin so too."""
    return stem.split("_")[0]


def file_of(stem):
    """The path of a stored notebook."""
    return NOTEBOOKS / f"{stem}.ipynb"


def read(stem):
    """A stored notebook as plain dicts and lists; refused if the file is none."""
    try:
        book = json.loads(file_of(stem).read_text(encoding="utf-8"))
        if not {"cells", "metadata"} <= set(book):
            raise ValueError("no cells")
    except (TypeError, ValueError) as error:
        raise Refused(f"notebook: {stem}.ipynb is none ({error})") from error
    return book


def figures_of(stem):
    """The files that a notebook promises to make in figures/; refused if a name is not plain."""
    names = read(stem)["metadata"].get("companion", {}).get("figures", [])
    for name in names:
        if not re.fullmatch(rf"{number(stem)}_[\w.-]+", name):
            raise Refused(f"figures: {stem} lists {name!r}, want {number(stem)}_ and a plain name")
    return names


def move(source, target):
    """Rename, making the target's folder; whole or not at all on another file system too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        write_whole(target, source.read_bytes())


def status(do):
    """The exit status of a command: its own or 0, 1 if refused, 130 if interrupted."""
    try:
        code = do() or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read what is printed has gone: `make all | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Refused, OSError) as refusal:
        beginning = "" if isinstance(refusal, Refused) else "files: "
        print(f"{beginning}{refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # or what it left open says so
        return 130
