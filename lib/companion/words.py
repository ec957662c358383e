"""Words apart from code: words/NN.md says what figures and verdicts say, {numbers} left open.

The first line is `# ` and the sentence that the notebook NN tests. Then a section for each figure,

    ## 01_histogram
    A caption, in Markdown: {within:.1%} lie within 1 % of an end.
    alt: What is drawn, for those who cannot see it.

and one for each claim, with the fields claim, source, verdict, figures and why:

    ## 01a-zero-loss
    claim: It reaches zero loss.
    source: paper
    verdict: holds
    figures: 01_histogram
    why: {within:.1%} of the inputs arrive.

Lines may be wrapped; a blank line ends a paragraph. Placeholders are those of str.format, with
plain names only.
"""

import re
from pathlib import Path
from string import Formatter

import numpy as np

VERDICTS = ("holds", "holds, trivially", "holds with a condition", "does not hold")
SOURCES = ("paper", "reading", "ours")
FIGURE = ("caption", "alt")
CLAIM = ("claim", "source", "verdict", "figures", "why")


def place(name):
    """The file of words of a section: in `words/` here, by the two digits that begin its name."""
    return Path("words") / f"{name[:2]}.md"


def sentences(folder):
    """Number of a notebook ("01") -> the sentence that it tests, for all words in a folder."""
    return {path.stem: _parts(path)[0] for path in sorted(Path(folder).glob("[0-9][0-9].md"))}


def read(path):
    """Sections of a file of words: name -> dict of fields, strings, but figures a list of names.

    A figure has caption and alt; a claim has claim, source (one of SOURCES), verdict (one of
    VERDICTS), figures and why. ValueError naming the file, and the section, if it has another form.
    """
    sections = {}
    for part in _parts(path)[1:]:
        name, _, body = part.partition("\n")
        where = f"words: {path}, section {name.strip()!r}"
        if name.strip() in sections:
            raise ValueError(f"{where}: a second one of this name")
        sections[name.strip()] = _checked(_section(body, where), where)
    return sections


def fill(name, /, **numbers):
    """The section `name` of the words here, its placeholders filled with `numbers`.

    ValueError naming the section if there is none, if placeholders and keywords are not the same
    names, or if a number is not finite.
    """
    section = read(place(name)).get(name)
    if section is None:
        raise ValueError(f"words: {place(name)} has no section {name!r}")
    where, wanted = f"words: {place(name)}, section {name!r}", placeholders(section)
    if wanted != set(numbers):
        raise ValueError(f"{where} leaves open {sorted(wanted)}, and {sorted(numbers)} are given")
    for key, value in numbers.items():
        if not isinstance(value, str) and not np.all(np.isfinite(value)):
            raise ValueError(f"{where}: {key} = {value!r} is not finite")
    try:
        return {
            key: text if key == "figures" else text.format(**numbers)
            for key, text in section.items()
        }
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error


def placeholders(section):
    """The names that a section leaves open, as a set; ValueError if one is not a plain name."""
    parts = [part for text in prose(section) for part in Formatter().parse(text)]
    names = {name for _, name, _, _ in parts if name is not None}
    for name in names:
        if not name.isidentifier():
            raise ValueError(f"{{{name}}} is not a name in braces")
    return names


def prose(section):
    """The texts of a section in which placeholders may stand, as a list of strings."""
    return [text for key, text in section.items() if key != "figures"]


def _parts(path):
    """The sentence of a file of words, and each of its sections, its name in the first line."""
    try:
        head, *parts = re.split(r"^## ", Path(path).read_text(encoding="utf-8"), flags=re.M)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"words: {path} cannot be read ({error})") from error
    if not (head.startswith("# ") and head[2:].strip()):
        raise ValueError(f"words: {path} does not begin with `# ` and a sentence")
    return [" ".join(head[2:].split()), *parts]


def _section(body, where):
    """The fields of a section.

    A line `key: ...` begins one, a blank line ends it; what has no key is the caption.
    """
    key, fields = "caption", {}
    for line in body.splitlines():
        start, colon, rest = line.partition(":")
        if colon and start in ("alt", *CLAIM):
            key, line = start, rest
            if key in fields:
                raise ValueError(f"{where} has {key!r} twice")
        elif not line.strip():
            key = "caption"
        fields.setdefault(key, []).append(line.strip())
    texts = {key: "\n".join(lines).strip() for key, lines in fields.items()}
    return {
        key: re.sub(r"(?<!\n)\n(?!\n)", " ", text)
        for key, text in texts.items()
        if text or key == "figures"
    }


def _checked(section, where):
    """The section, its figures as a list, if it has the fields of a figure or of a claim."""
    wanted = CLAIM if "claim" in section else FIGURE
    if set(section) != set(wanted):
        raise ValueError(f"{where} has the fields {sorted(section)}, not {sorted(wanted)}")
    for key, words in ("verdict", VERDICTS), ("source", SOURCES):
        if section.get(key, words[0]) not in words:
            raise ValueError(f"{where}: {key} {section[key]!r} is not one of {words}")
    try:
        placeholders(section)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if "figures" in section:
        listed = section["figures"].split(",")
        section = section | {"figures": [name.strip() for name in listed if name.strip()]}
    return section
