"""Words apart from code: sections read, filled and refused."""

import math

import pytest

from companion import words

TEXT = """# Everything collapses.

## 99_histogram
The loss of {tests} inputs collapses onto 0 *and* 1:
{within:.1%} lie within 1 % of an end.

A second paragraph, with $\\frac{{1}}{{d}}$.

alt: Five histograms: one hump splits
and moves to both ends.

## 99a-zero-loss
claim: It reaches zero loss,
  on noise
source: paper
verdict: holds, trivially
figures: 99_histogram, 99_other

why: {within:.1%} of the inputs arrive.
"""


@pytest.fixture(autouse=True)
def stand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").mkdir()
    return write(TEXT)


def write(text):
    path = words.place("99")
    path.write_text(text, encoding="utf-8")
    return path


def test_sections_are_filled_with_numbers(stand):
    assert words.fill("99_histogram", tests=50, within=0.1234) == {
        "caption": "The loss of 50 inputs collapses onto 0 *and* 1: 12.3% lie within 1 % of an end."
        "\n\nA second paragraph, with $\\frac{1}{d}$.",
        "alt": "Five histograms: one hump splits and moves to both ends.",
    }
    assert words.fill("99a-zero-loss", within=1) == {
        "claim": "It reaches zero loss, on noise",
        "source": "paper",
        "verdict": "holds, trivially",
        "figures": ["99_histogram", "99_other"],
        "why": "100.0% of the inputs arrive.",
    }
    assert words.sentences("words") == {"99": "Everything collapses."}


@pytest.mark.parametrize(
    "name, numbers",
    [
        ("99_histogram", dict(tests=50)),
        ("99_histogram", dict(tests=50, within=0.1, other=1)),
        ("99_histogram", dict(tests=50, within=math.nan)),
        ("99a-zero-loss", dict(within=math.inf)),
        ("99a-zero-loss", dict(within="all")),
        ("99_missing", {}),
        ("98_no_file", {}),
    ],
)
def test_numbers_that_do_not_fit_are_refused_by_the_section(name, numbers):
    with pytest.raises(ValueError, match=name[:2] if name.startswith("98") else name):
        words.fill(name, **numbers)


@pytest.mark.parametrize(
    "old, new",
    [
        ("# Everything", "Everything"),
        ("## 99a-zero-loss", "## 99_histogram"),
        ("alt: ", "alternative: "),
        ("verdict: holds, trivially", "verdict: true"),
        ("source: paper", "source: them"),
        ("why: {within:.1%} of the inputs arrive.", "why:"),
        ("figures: 99_histogram, 99_other\n", ""),
        ("source: paper", "claim: another"),
        ("why: ", "A caption.\n\nwhy: "),
        ("{within:.1%} of", "{within[0]} of"),
        ("{within:.1%} of", "{within of"),
        ("{within:.1%} of", "{} of"),
    ],
)
def test_files_of_another_form_are_refused(old, new):
    assert old in TEXT
    with pytest.raises(ValueError, match="99.md"):
        words.read(write(TEXT.replace(old, new)))
