"""What the notebooks say stands in words/NN.md, and fits what they compute."""

import pytest

from companion import claims, teeth, tree, words

books = pytest.mark.parametrize("stem", tree.stems())


def sections(stem):
    return words.read(tree.NOTEBOOKS / "words" / f"{tree.number(stem)}.md")


def source(stem):
    cells = tree.read(stem)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@books
def test_every_section_is_used_once_and_its_placeholders_are_the_keywords(stem):
    said = {name: words.placeholders(section) for name, section in sections(stem).items()}
    used = words.calls(source(stem))
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
    assert not words.typed_numbers("\n".join(texts), source(stem))


@books
def test_a_verdict_has_at_most_forty_words(stem):
    """A number filled in counts as one word or two."""
    for name, section in sections(stem).items():
        assert len(section.get("why", "").split()) <= 45, name


def test_every_claim_notices_an_error_of_five_percent():
    lines, sharp = teeth.report(claims.load(tree.FIGURES / "claims.json"))
    assert sharp, "\n".join(line for line in lines if "NO BITE" in line)
