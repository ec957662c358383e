"""`make html`: the stored notebooks as web pages, one self-contained file each, and an index; for reading without running.

Mathematics becomes MathML, so that no page needs a network or a script.
"""

import html
import re
from pathlib import Path

from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from companion.claims import write_whole
from companion.run import BUILD, NOTEBOOKS, ROOT, stems

PAGES = BUILD / "html"
CODE_STYLES = {"light": "default", "dark": "github-dark"}
STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
THEME = """
const root = document.documentElement, button = document.getElementById("theme");
const show = dark => { root.dataset.theme = dark ? "dark" : "light"; button.textContent = dark ? "Light" : "Dark"; };
show(matchMedia("(prefers-color-scheme: dark)").matches);
button.addEventListener("click", () => show(root.dataset.theme !== "dark"));
"""


class Renderer(IPythonRenderer):
    """Markdown with its mathematics as MathML."""

    def inline_math(self, body):
        return convert(body)

    def block_math(self, body):
        return convert(body, display="block")


def markdown(source):
    """Markdown as HTML; links to notebooks lead to their pages, links to figures to where a page shows them."""
    text = MarkdownWithMath(renderer=Renderer(escape=False, embed_images=True, path=str(ROOT))).render(source)
    text = re.sub(r'href="(?:notebooks/)?(\d\d_\w+)\.ipynb', r'href="\1.html', text)
    text = re.sub(r'href="figures/(\w+)\.png"', lambda found: f'href="{page_of(found[1])}#{found[1]}"', text)
    text = re.sub(r"<p><strong>(\d\d_\w+)\.</strong>", r'<p id="\1"><strong>\1.</strong>', text)  # captions, as plots.save writes them
    return text.replace("<table>", '<div class="table" tabindex="0"><table>').replace("</table>", "</table></div>")


def page_of(figure):
    """File name of the page that shows a figure."""
    return next(f"{stem}.html" for stem in stems() if stem[:2] == figure[:2])


def shell(title, body, links):
    """A whole page around `body`: style, navigation and theme button inside, nothing outside."""
    code = "".join(HtmlFormatter(style=style).get_style_defs(f":root[data-theme={name}] .highlight") for name, style in CODE_STYLES.items())
    navigation = " ".join(f'<a href="{target}">{html.escape(text)}</a>' for text, target in links)
    return f"""<!doctype html>
<html lang="en" data-theme="light">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{html.escape(title)}</title>
<style>{code}{STYLE}</style></head>
<body><a class="skip" href="#main">Skip to the text</a>
<nav aria-label="Pages">{navigation}<button id="theme" type="button" aria-label="Light or dark page">Dark</button></nav>
<main id="main">{body}</main><script>{THEME}</script></body></html>
"""


def notebook_page(stem):
    """The page of one stored notebook, with links to its neighbours."""
    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.register_filter("markdown2html", lambda source, **_: markdown(source))
    body, _ = exporter.from_filename(str(NOTEBOOKS / f"{stem}.ipynb"))
    body = body.replace("<pre>", '<pre tabindex="0">')  # long lines scroll, by keyboard too
    at = stems().index(stem)
    neighbours = [(f"{arrow} {name}", f"{name}.html") for arrow, name in (("\u2190", before(at)), ("\u2192", after(at))) if name]
    return shell(stem.replace("_", " "), body, [("All notebooks", "index.html"), *neighbours])


def before(at):
    """Stem of the notebook before number `at`, or None."""
    return stems()[at - 1] if at else None


def after(at):
    """Stem of the notebook after number `at`, or None."""
    return (*stems(), None)[at + 1]


def index():
    """The index page: README, with links that leave the pages as plain text."""
    body = markdown((ROOT / "README.md").read_text(encoding="utf-8"))
    body = re.sub(r'<a href="(?!https?:|#|\w+\.html)[^"]*">(.*?)</a>', r"\1", body)
    return shell("Computational entanglement", body, [(stem[:2], f"{stem}.html") for stem in stems()])


def main():
    """Write build/html/: a page for every notebook, and the index."""
    for stem in stems():
        write_whole(PAGES / f"{stem}.html", notebook_page(stem).encode())
    write_whole(PAGES / "index.html", index().encode())
    print(f"open {(PAGES / 'index.html').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
