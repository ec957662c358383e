"""`make html`: the stored notebooks as web pages, to be read without running, and a front page.

One file each holds all of a page: no network, nothing to install. Mathematics becomes MathML, which
needs no script, in a font cut down to what the page uses. What stands at the top of the front page
is printed by the module that lib/pyproject.toml names, [tool.companion] front.
"""

import base64
import html
import io
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

from fontTools import subset
from math_core import LatexError, LatexToMathML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from companion import gallery, pins
from companion.claims import write_whole
from companion.tree import BUILD, FIGURES, LIB, ROOT, Refused, find, number, read, status, stems

PAGES = BUILD / "html"
STYLE, SCRIPT, EARLY = (
    Path(__file__).with_name(name).read_text(encoding="utf-8")
    for name in ("page.css", "page.js", "theme.js")
)
MATHEMATICS = LatexToMathML(fancy_error=False)
UNWRITTEN = "\u210e\u221a"  # the slanted h; the sign that <msqrt> draws
FONT = Path(find_spec("ziamath").origin).with_name("fonts") / "STIXTwoMath-Regular.ttf"
ITALIC = (("A", "Z", 0x1D434), ("a", "z", 0x1D44E), ("Α", "Ω", 0x1D6E2), ("α", "ϵ", 0x1D6FC))
CARD = 480  # pixels across a card's picture
REWRITTEN = {
    r'href="(?:notebooks/)?(\d\d_\w+)\.ipynb': r'href="\1.html',
    r'href="figures/(\w+)\.png"': lambda found: f'href="{page_of(found[1])}#{found[1]}"',
    r"<p><strong>(\d\d_\w+)\.</strong>": r'<p id="\1"><strong>\1.</strong>',  # a caption
    r"<table>": '<div class="table" tabindex="0"><table>',
    r"</table>": "</table></div>",
    r'(<a class="anchor-link")': r'\1 aria-label="link to this section"',
}


class Renderer(IPythonRenderer):
    """Markdown with its mathematics as MathML."""

    def inline_math(self, body, display=False):
        try:
            return MATHEMATICS.convert_with_local_state(body, displaystyle=display)
        except LatexError as error:
            raise Refused(f"mathematics: {body} cannot be shown: {error}") from error

    def block_math(self, body):
        return f'<div class="math" tabindex="0">{self.inline_math(body, display=True)}</div>'


def markdown(source):
    """Markdown as HTML; links to notebooks lead to their pages, to figures to where they show."""
    embed = "<details" not in source  # embedding would close it before what it folds
    renderer = Renderer(escape=False, embed_images=embed, path=str(ROOT))
    text = MarkdownWithMath(renderer=renderer).render(source)
    for pattern, replacement in REWRITTEN.items():
        text = re.sub(pattern, replacement, text)
    followed = r"(<math(?:(?!</math>).)*</math>[.,;:?!)]+)"
    return re.sub(followed, r'<span class="keep">\1</span>', text)


def page_of(figure):
    """File name of the page that shows a figure."""
    return f"{find(number(figure))}.html"


def code(source):
    """Code, folded, its first line showing."""
    first, count = source.partition("\n")[0], source.count("\n") + 1
    lines = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    return (
        f'<details class="code"><summary><code>{html.escape(first)}</code> '
        f"<small>{count} {'lines' if count > 1 else 'line'}</small></summary>"
        f'<pre tabindex="0">{lines}</pre></details>'
    )


def output(shown):
    """One output of a cell: a picture that can be enlarged, words, or plain text."""
    data = shown.get("data", {"text/plain": shown.get("text", "")})
    for kind in ("image/png", "text/markdown", "text/html", "text/plain"):
        if kind in data:
            text = "".join(data[kind])
            break
    else:
        raise Refused(f"output: {', '.join(data)} cannot be shown")
    if kind == "image/png":
        alt = html.escape(shown["metadata"]["image/png"]["alt"])
        picture = f'<img alt="{alt}" src="data:image/png;base64,{text.strip()}">'
        return f'<figure><button class="enlarge" type="button">{picture}</button></figure>'
    if kind == "text/plain":
        return f'<pre class="output" tabindex="0">{html.escape(text)}</pre>'
    return markdown(text) if kind == "text/markdown" else text


def cell(one):
    """One cell of a notebook."""
    source = "".join(one["source"])
    if one["cell_type"] == "markdown":
        return markdown(source)
    shown = "\n".join(map(output, one.get("outputs", [])))
    below = r'</figure>\s*<p id="(\w+)">(.*?)</p>'
    caption = r'<figcaption id="\1">\2</figcaption></figure>'
    return code(source) + re.sub(below, caption, shown, flags=re.S)


def font(body):
    """The math font as a data address, cut down to what the mathematics in `body` needs."""
    text = set(html.unescape(re.sub("<[^>]*>", "", "".join(re.findall("<math.*?</math>", body)))))
    slanted = {
        chr(start + ord(one) - ord(first))
        for one in text
        for first, last, start in ITALIC
        if first <= one <= last
    }
    options = subset.Options(hinting=False, layout_features=["ssty"], flavor="woff")
    options.name_IDs = [0]  # whose it is
    face, cut = subset.load_font(FONT, options), subset.Subsetter(options)
    cut.populate(text="".join(text | slanted) + UNWRITTEN)
    cut.subset(face)
    stream = io.BytesIO()
    subset.save_font(face, stream, options)
    return f"data:font/woff;base64,{base64.b64encode(stream.getvalue()).decode()}"


def contents(body):
    """Links to the sections of a page; nothing if it has fewer than three."""
    found = re.findall(r'<h2 id="([^"]*)">(.*?)<a class="anchor-link"', body)
    items = "".join(f'<li><a href="#{name}">{text}</a></li>' for name, text in found)
    listed = f"<details open><summary>Contents</summary><ol>{items}</ol></details>"
    return f'<nav class="contents" aria-label="Contents">{listed}</nav>' if len(found) > 2 else ""


def shell(title, body, links):
    """A whole page around `body`: style, navigation and scripts inside, nothing outside.

    links: (address, text, relation) of the page before, the page after.
    """
    beside = " ".join(
        f'<a rel="{relation}" href="{address}">{html.escape(text)}</a>'
        for address, text, relation in links
    )
    face = f'@font-face {{ font-family: "Cut Math"; src: url("{font(body)}"); }}'
    home = '<a href="index.html">All notebooks</a>'
    return f"""<!doctype html>
<html lang="en" data-theme="light">
<head><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{face if "<math" in body else ""}{STYLE}</style><script>{EARLY}</script></head>
<body><a class="skip" href="#main">Skip to the text</a>
<header><nav aria-label="Pages">{home} {beside}</nav>
<button id="theme" type="button">Dark</button></header>
{contents(body)}<main id="main">{body}</main>
<footer><nav aria-label="Next">{home} {beside}</nav></footer>
<dialog id="large" aria-label="Picture, enlarged"><button type="button" autofocus>Close</button>
<div tabindex="0"></div></dialog>
<script>{SCRIPT}</script></body></html>
"""


def notebook_page(stem):
    """The page of one stored notebook, with links to its neighbours."""
    body = "\n".join(map(cell, read(stem)["cells"]))
    everything = [None, *stems(), None]
    at = everything.index(stem)
    beside = ((everything[at - 1], "\u2190 {}", "prev"), (everything[at + 1], "{} \u2192", "next"))
    links = [(f"{name}.html", text.format(name), to) for name, text, to in beside if name]
    return shell(stem.replace("_", " "), body, links)


def front():
    """What the module named in lib/pyproject.toml prints for the top of the front page; or None."""
    settings = tomllib.loads((LIB / "pyproject.toml").read_text(encoding="utf-8"))
    module = settings.get("tool", {}).get("companion", {}).get("front")
    if module is None:
        return None
    call = [sys.executable, "-m", module]
    environment = os.environ | pins.environment()
    done = subprocess.run(call, env=environment, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise Refused(f"front: {module} failed: {done.stderr.strip()}")
    return done.stdout


def card(stem, question, answer):
    """A notebook on the front page: its first picture, its question, the answer."""
    picture, stream = "", io.BytesIO()
    for name, alt, _ in list(gallery.shown(stem))[:1]:
        image = Image.open(FIGURES / f"{name}.png")
        image.thumbnail((CARD, CARD), Image.Resampling.LANCZOS)
        image.save(stream, "webp", quality=80)
        address = f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
        picture = f'<img alt="{html.escape(alt)}" src="{address}">'
    link = f'<a href="{stem}.html">{number(stem)} \u00b7 {html.escape(question)}</a>'
    return f"<li>{picture}<h2>{link}</h2>{markdown(answer)}</li>"


def index():
    """The front page: README, with what can be played with in place of its picture, and cards in
    place of its table; links that leave the pages become plain text."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict.fromkeys(map(number, stems()))
    row = r"^\| \[(\d\d)\].*? \| (.*?) \| (.*?) \|$"
    for name, question, answer in re.findall(row, text, re.M):
        rows[name] = rows.get(name) or (question, answer)
    told = {stem: rows[number(stem)] or (stem[3:].replace("_", " "), "") for stem in stems()}
    cards = "".join(card(stem, *words) for stem, words in told.items())
    if top := front():
        text = re.sub(r"^!\[.*\]\(.*\)$", "<!-- front -->", text, count=1, flags=re.M)
    text = re.sub(r"(?:^\|.*\n)+", "<!-- cards -->\n", text, count=1, flags=re.M)
    body = re.sub(r'<a href="(?!https?:|#|\w+\.html)[^"]*">(.*?)</a>', r"\1", markdown(text))
    body = body.replace("<!-- cards -->", f'<ul class="cards">{cards}</ul>')
    body = body.replace("<pre>", '<pre tabindex="0">').replace("<!-- front -->", top or "")
    first = stems()[0]
    title = text.partition("\n")[0].lstrip("# ")
    return shell(title, body, [(f"{first}.html", f"{first} \u2192", "next")])


def main():
    """Write build/html/: a page for every notebook, and the index."""
    for stem in stems():
        write_whole(PAGES / f"{stem}.html", notebook_page(stem).encode())
    write_whole(PAGES / "index.html", index().encode())
    print(f"open {(PAGES / 'index.html').relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(status(main))
