"""figures/README.md: under each notebook what it tests, every figure, every verdict in full."""

import re

from companion import claims, words
from companion.tree import NOTEBOOKS, number, read, stems


def text(entries):
    """The whole file, from the claims and from what the stored notebooks show."""
    sentences = words.sentences(NOTEBOOKS / "words")
    parts = ["# Figures and verdicts\n\nMade by `make refresh` from the notebooks; edit those."]
    for stem in stems():
        title = f"{number(stem)} {' '.join(stem.split('_')[1:])}"
        parts.append(f"## [{title}](../notebooks/{stem}.ipynb)\n\n{sentences[number(stem)]}")
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
