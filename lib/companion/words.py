"""What figures and verdicts say: prose in words/NN.md beside the notebooks, with {numbers} left open.

The first line, `# ...`, is the sentence that the notebook tests. Then one section `## name` each. Of a figure: its caption, then
`alt: ...`. Of a claim: `claim: ...`, `source: ...`, `verdict: ...`, `figures: a, b` and `why: ...`. Lines may be wrapped.
"""

import ast
import math
import re
from pathlib import Path
from string import Formatter

FIELDS = ("alt", "claim", "source", "verdict", "figures", "why")


def folder():
    """Where the words are: beside the notebook that runs, whose folder is the working directory."""
    return Path("words")


def read(path):
    """Sections of a file of words: a dict of name -> dict of its texts (`caption` and FIELDS); `title` holds the first line."""
    title, *parts = re.split(r"^## +", Path(path).read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = {"title": title.strip().removeprefix("#").strip()}
    for part in parts:
        name, _, body = part.partition("\n")
        if name.strip() in sections:
            raise ValueError(f"{path}: the section {name.strip()!r} stands twice")
        sections[name.strip()] = _texts(body)
    return sections


def _texts(body):
    """The texts of a section, each on one line per paragraph."""
    pieces = re.split(rf"^({'|'.join(FIELDS)}):", body, flags=re.MULTILINE)
    texts = {"caption": pieces[0], **dict(zip(pieces[1::2], pieces[2::2]))}
    return {
        key: "\n\n".join(" ".join(lines.split()) for lines in re.split(r"\n\s*\n", text.strip()))
        for key, text in texts.items()
        if text.strip()
    }


def placeholders(texts):
    """Names of the numbers that a section leaves open."""
    fields = (field for text in texts.values() for _, field, _, _ in Formatter().parse(text))
    return {re.split(r"[.\[]", field)[0] for field in fields if field is not None}


def fill(name, **numbers):
    """The texts of a section with its numbers filled in.

    ValueError naming the section if it is missing, if placeholders and keywords are not the same, or if a number is not finite.
    """
    path = folder() / f"{name[:2]}.md"
    if not path.is_file():
        raise ValueError(f"{name}: there is no {path}, which should say what it shows")
    texts = read(path).get(name)
    if texts is None:
        raise ValueError(f"{name}: {path} has no section of this name")
    if placeholders(texts) != set(numbers):
        missing, spare = placeholders(texts) - set(numbers), set(numbers) - placeholders(texts)
        raise ValueError(f"{name}: {path} wants {sorted(missing)} and leaves out {sorted(spare)}")
    for key, value in numbers.items():
        if not isinstance(value, str) and not math.isfinite(value):
            raise ValueError(f"{name}: {key} is {value!r}")
    return {key: text.format(**numbers) for key, text in texts.items()}


def calls(source):
    """(name, keywords) of every plots.save and claims.record in a notebook's code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        target = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if target not in ("plots.save", "claims.record"):
            continue
        strings = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        name = next((value for value in strings if isinstance(value, str)), None)
        found.append((name, {keyword.arg for keyword in node.keywords} - {"data"}))
    return found


def typed_numbers(text):
    """Decimals and percentages that stand in a text outside its placeholders: what was measured or predicted is never typed."""
    plain = re.sub(r"\{[^}]*\}|\$[^$]*\$", "", text)
    return re.findall(r"(?<![\w.])\d+\.\d+(?:e-?\d+)?|(?<![\w.])(?!(?:0|1|2|5|25|50|75|95|100) %)\d+ %", plain)
