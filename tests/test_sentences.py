"""What the notebooks say stands in words/NN.md, and fits what they compute."""

import ast
import math
import re
from string import Formatter

import pytest

from companion import claims, teeth, tree, words

books = pytest.mark.parametrize("stem", tree.stems())


def sections(stem):
    return words.read(tree.NOTEBOOKS / "words" / f"{tree.number(stem)}.md")


def source(stem):
    cells = tree.read(stem)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def calls(source):
    """(name, keywords) of every plots.save and claims.record in a notebook's code.

    A name that is no string there is None, and so is a keyword that hides others (`**numbers`).
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        target = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if target in ("plots.save", "claims.record"):
            values = [getattr(argument, "value", None) for argument in node.args]
            name = next((value for value in values if isinstance(value, str)), None)
            found.append((name, {keyword.arg for keyword in node.keywords} - {"data"}))
    return found


def typed_numbers(text, source):
    """Decimals and percentages of a text that its notebook's code does not hold, as strings.

    What was measured or predicted is computed, so it stands in no code and is a placeholder; a
    setting does stand there (for 99 %, 0.99 or the 0.01 left of it). Free are integers, and 95 %,
    the interval that `plots` draws.
    """
    numbers = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    settings = {float(value) for value in numbers if type(value) in (int, float)} | {0.95}
    typed = "\0".join(literal for literal, *_ in Formatter().parse(text))
    found = re.finditer(r"(?<![\w.])(\d+\.\d+|\d+(?=\s?\\?%))(\s?\\?%)?", typed)
    return [match[0] for match in found if not _known(float(match[1]), bool(match[2]), settings)]


def _known(value, percent, settings):
    """Whether a typed number is a setting; a percentage also if a setting is the rest of it."""
    values = [value / 100, 1 - value / 100] if percent else [value]
    return any(math.isclose(value, setting) for value in values for setting in settings)


@books
def test_every_section_is_used_once_and_its_placeholders_are_the_keywords(stem):
    said = {name: words.placeholders(section) for name, section in sections(stem).items()}
    used = calls(source(stem))
    assert sorted(name for name, _ in used) == sorted(said)
    assert dict(used) == said


@books
def test_figures_of_claims_are_sections(stem):
    said = sections(stem)
    for name, section in said.items():
        assert set(section.get("figures", [])) <= set(said), name


@books
def test_no_measured_or_predicted_number_is_typed(stem):
    texts = [text for section in sections(stem).values() for text in words.prose(section)]
    assert not typed_numbers("\n".join(texts), source(stem))


@books
def test_a_verdict_has_at_most_forty_words(stem):
    """A number filled in counts as one word or two."""
    for name, section in sections(stem).items():
        assert len(section.get("why", "").split()) <= 45, name


def test_every_claim_notices_an_error_of_five_percent():
    lines, sharp = teeth.report(claims.load(tree.FIGURES / "claims.json"))
    assert sharp, "\n".join(line for line in lines if "NO BITE" in line)


def test_calls_are_found_in_source():
    source = """plots.save(
    fig, "01_a", dict(x=[1]), share=0.5, data=None)
claims.record("01a-b", [], n=1, **numbers)
other(1)
plots.save(fig, f"01_{n}")"""
    assert calls(source) == [("01_a", {"share"}), ("01a-b", {"n", None}), (None, set())]


@pytest.mark.parametrize(
    "text, found",
    [
        ("0.497 of {x:.1%} and 12.3 % or 7%", ["0.497", "12.3 %", "7%"]),
        ("S = 2.83, $\\theta < 0.31$, {{0.32}}", ["2.83", "0.31", "0.32"]),
        ("within 1 % of an end, 99 % of the rest, to 0.01 of 1.5 radians, -1.5; bars are 95 %", []),
        ("0, 1, 90 degrees, L = 10, k = 256, E13, 01_dial, 10^{{-5}}", []),
    ],
)
def test_numbers_that_the_code_does_not_hold_are_found(text, found):
    assert typed_numbers(text, "share(0.01)\ntheta, label = 1.5, True") == found
