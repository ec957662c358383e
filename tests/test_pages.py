"""The web pages: whole in one file, mathematics without a script, links that lead to pages."""

import re

import pytest

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
    assert (
        '<html lang="en"' in page
        and 'class="skip"' in page
        and "<main" in page
        and len(page) < 8 * 2**20
    )


def test_the_index_has_every_notebook_and_no_dead_link():
    index = pages.index()
    for stem in tree.stems():
        assert f'href="{stem}.html"' in index
    assert not re.findall(r'href="(?!https?://|#|\d\d_\w+\.html)[^"]*"', index)
    assert "does not hold" in index
