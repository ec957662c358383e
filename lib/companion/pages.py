"""`make html`: the stored notebooks as web pages, to be read without running, and an index.

One file each holds all of a page; mathematics becomes MathML, which needs no script.
"""

import html
import re
import sys
from pathlib import Path

from math_core import LatexError, LatexToMathML
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from companion.claims import write_whole
from companion.tree import BUILD, ROOT, Refused, file_of, find, number, status, stems

PAGES = BUILD / "html"
CODE_STYLES = {"light": "default", "dark": "github-dark"}
STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
THEME = """
const root = document.documentElement, button = document.getElementById("theme");
const show = dark => {
  root.dataset.theme = dark ? "dark" : "light";
  button.textContent = dark ? "Light" : "Dark";
};
show(matchMedia("(prefers-color-scheme: dark)").matches);
button.addEventListener("click", () => show(root.dataset.theme !== "dark"));
"""
MATHEMATICS = LatexToMathML(fancy_error=False)
REWRITTEN = {
    r'href="(?:notebooks/)?(\d\d_\w+)\.ipynb': r'href="\1.html',
    r'href="figures/(\w+)\.png"': lambda found: f'href="{page_of(found[1])}#{found[1]}"',
    r"<p><strong>(\d\d_\w+)\.</strong>": r'<p id="\1"><strong>\1.</strong>',  # a caption
    r"<table>": '<div class="table" tabindex="0"><table>',
    r"</table>": "</table></div>",
}


class Renderer(IPythonRenderer):
    """Markdown with its mathematics as MathML."""

    def inline_math(self, body, display=False):
        try:
            return MATHEMATICS.convert_with_local_state(body, displaystyle=display)
        except LatexError as error:
            raise Refused(f"mathematics: {body} cannot be shown: {error}") from error

    def block_math(self, body):
        return self.inline_math(body, display=True)


def markdown(source):
    """Markdown as HTML; links to notebooks lead to their pages, to figures to where they show."""
    renderer = Renderer(escape=False, embed_images=True, path=str(ROOT))
    text = MarkdownWithMath(renderer=renderer).render(source)
    for pattern, replacement in REWRITTEN.items():
        text = re.sub(pattern, replacement, text)
    return text


def page_of(figure):
    """File name of the page that shows a figure."""
    return f"{find(number(figure))}.html"


def shell(title, body, links):
    """A whole page around `body`: style, navigation and theme button inside, nothing outside."""
    code = "".join(
        HtmlFormatter(style=style).get_style_defs(f":root[data-theme={name}] .highlight")
        for name, style in CODE_STYLES.items()
    )
    navigation = " ".join(f'<a href="{target}">{html.escape(text)}</a>' for text, target in links)
    return f"""<!doctype html>
<html lang="en" data-theme="light">
<head><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{code}{STYLE}</style></head>
<body><a class="skip" href="#main">Skip to the text</a>
<nav aria-label="Pages">{navigation}
<button id="theme" type="button" aria-label="Light or dark page">Dark</button></nav>
<main id="main">{body}</main><script>{THEME}</script></body></html>
"""


def notebook_page(stem):
    """The page of one stored notebook, with links to its neighbours."""
    exporter = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    )
    exporter.register_filter("markdown2html", lambda source, **_: markdown(source))
    body, _ = exporter.from_filename(str(file_of(stem)))
    body = body.replace("<pre>", '<pre tabindex="0">')  # long lines scroll, by keyboard too
    everything = [None, *stems(), None]
    at = everything.index(stem)
    beside = (("\u2190", everything[at - 1]), ("\u2192", everything[at + 1]))
    neighbours = [(f"{arrow} {name}", f"{name}.html") for arrow, name in beside if name]
    return shell(stem.replace("_", " "), body, [("All notebooks", "index.html"), *neighbours])


def index():
    """The index page: README, with links that leave the pages as plain text."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    body = re.sub(r'<a href="(?!https?:|#|\w+\.html)[^"]*">(.*?)</a>', r"\1", markdown(text))
    title = text.partition("\n")[0].lstrip("# ")
    return shell(title, body, [(number(stem), f"{stem}.html") for stem in stems()])


def main():
    """Write build/html/: a page for every notebook, and the index."""
    for stem in stems():
        write_whole(PAGES / f"{stem}.html", notebook_page(stem).encode())
    write_whole(PAGES / "index.html", index().encode())
    print(f"open {(PAGES / 'index.html').relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(status(main))
