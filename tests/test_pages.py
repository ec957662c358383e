"""The web pages: whole in one file, mathematics without a script, links that lead to pages."""

import base64
import io
import operator
import re

import pytest
from fontTools.ttLib import TTFont

from companion import pages, tree

STEM = tree.stems()[1]


@pytest.fixture(scope="module")
def page():
    return pages.notebook_page(STEM)


def test_mathematics_is_rendered_and_code_is_not():
    text = pages.markdown("An angle $\\theta_0$ and\n\n$$\\frac{a}{b}$$\n\n`cost $5 and $6`")
    assert text.count("<math") == 2 and "$\\theta" not in text and "cost $5 and $6" in text
    assert "<msub>" in text and "<mfrac>" in text and 'display="block"' in text


@pytest.mark.parametrize("stem", tree.stems())
def test_all_mathematics_of_a_notebook_can_be_shown(stem):
    for cell in tree.read(stem)["cells"]:
        if cell["cell_type"] == "markdown":
            pages.markdown("".join(cell["source"]))


def test_mathematics_keeps_its_spaces():
    """A function's name stands apart from its argument, and a relation between two numbers."""
    text = pages.markdown("$\\ln x$, $\\cot x$, $a \\sim b$")
    assert len(re.findall(r'<mi>(?:ln|cot)</mi></mrow><mo lspace="0.1667em">', text)) == 2
    assert re.search(r"<mo[^>]*>\u223c</mo>", text)


def test_links_lead_to_pages_and_to_figures():
    text = pages.markdown(
        f"[book](notebooks/{STEM}.ipynb) [near]({STEM}.ipynb) [figure](figures/01_dial.png) **a**"
    )
    assert re.findall('href="([^"]*)"', text) == [
        f"{STEM}.html",
        f"{STEM}.html",
        f"{STEM}.html#01_dial",
    ]
    assert '<p id="01_dial">' in pages.markdown("**01_dial.** A caption.")


def test_a_page_holds_everything(page):
    assert not re.findall(
        r'(?:src|href)="(?!data:|#|https://(?:arxiv|doi)|\d\d_\w+\.html|index\.html)[^"]*"', page
    )
    pictures = re.findall(r"<img[^>]*>", page)
    assert len(pictures) == len([name for name in tree.figures_of(STEM) if name.endswith(".png")])
    assert all(re.search(r'alt="[^"]{20,}"', picture) for picture in pictures)
    assert '<html lang="en"' in page and 'class="skip"' in page and "<main" in page
    assert "font/woff;base64," in page and len(page) < 4 * 2**20


def test_a_figure_has_its_caption_once(page):
    for name in tree.figures_of(STEM):
        if name.endswith(".png"):
            assert page.count(f'<figcaption id="{name[:-4]}"><strong>{name[:-4]}.') == 1


def test_code_is_folded_with_its_first_line_showing():
    folded = pages.code("import numpy\n\nx = 1 < 2\n\ny = x")
    assert "<summary><code>import numpy</code> <small>5 lines</small></summary>" in folded
    assert "<details open" not in folded and "&lt;" in folded
    assert "<code>a &lt; b</code> <small>1 line</small>" in pages.code("a < b")


def test_sections_are_listed_and_neighbours_linked(page):
    sections = re.findall(r'<h2 id="([^"]*)"', page)
    listed = page[page.index('class="contents"') : page.index("<main")]
    assert re.findall(r'<li><a href="#([^"]*)"', listed) == sections != []
    for relation, stem in (("prev", tree.stems()[0]), ("next", tree.stems()[2])):
        assert page.count(f'rel="{relation}" href="{stem}.html"') == 2


def test_every_link_inside_a_page_leads_somewhere(page):
    ids = set(re.findall(r'id="([^"]*)"', page))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= ids


def test_an_answer_stays_folded():
    text = pages.markdown("<details><summary>Why?</summary>\n\nBecause $x$.\n</details>\n\nNext.")
    assert text.index("Because") < text.index("</details>") < text.index("Next")


def test_punctuation_stays_with_its_mathematics_and_with_nothing_else():
    text = pages.markdown("from $a$ to $b$, and $c$")
    assert re.findall(r'<span class="keep">(.*?)</span>', text) == ["<math><mi>b</mi></math>,"]


def test_the_font_holds_what_is_used_and_little_more():
    address = pages.font(pages.markdown("$\\theta$"))
    face = TTFont(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    # the root is drawn by an element, no text holds it
    assert {0x3B8, 0x1D703, ord("√"), 0x210E} <= set(face.getBestCmap()) and "MATH" in face
    assert len(address) < 40_000


def contrast(*colours):
    """The ratio of WCAG 2 of two colours (#rgb or #rrggbb)."""

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(map(operator.mul, (0.2126, 0.7152, 0.0722), linear))

    dark, light = sorted(map(luminance, colours))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", re.findall(r"^:root\S* \{.*?\}", pages.STYLE, re.M | re.S)[:2])
def test_every_colour_can_be_read(theme):
    colours = dict(re.findall(r"--(\w+): (#\w+)", theme))
    for name in set(colours) - {"paper", "soft", "line"}:
        assert min(contrast(colours[name], colours[back]) for back in ("paper", "soft")) >= 4.5


@pytest.fixture(scope="module")
def index():
    return pages.index()


def test_the_index_has_every_notebook_and_no_dead_link(index):
    for stem in tree.stems():
        assert f'<h2><a href="{stem}.html">' in index
    assert not re.findall(r'href="(?!https?://|#|\d\d_\w+\.html|index\.html)[^"]*"', index)
    assert "does not hold" in index and "<!-- front" not in index


def test_the_front_page_begins_with_what_can_be_played_with(index):
    assert index.index('id="explore"') < index.index('class="cards"')
    assert len(index) < 2**20


def test_a_front_that_fails_is_refused(monkeypatch, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.companion]\nfront = "no_such_module"\n')
    monkeypatch.setattr(pages, "LIB", tmp_path)
    with pytest.raises(tree.Refused, match="front: no_such_module failed"):
        pages.front()
    (tmp_path / "pyproject.toml").write_text("")
    assert pages.front() is None
