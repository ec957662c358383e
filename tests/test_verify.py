"""What is the same to a reader, and what is not."""

import io
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from companion import verify
from companion.verify import DIFFERENT, IDENTICAL, TOLERATED


def drawn(kind, height=1.0, colour="C0", metadata=None, **settings):
    """A figure with a line, points and text, as the bytes of a PNG or PDF."""
    with matplotlib.rc_context({"pdf.fonttype": 42, **settings}):
        fig = Figure(figsize=(5, 3), dpi=150)
        ax = fig.subplots()
        ax.plot(np.arange(9), np.arange(9) ** 2, "o-", color=colour)
        ax.plot([2, 3], [40, 40 * height], color="black")
        ax.set(xlabel="layer", ylabel="share of inputs per bin", title="a line, and points")
        FigureCanvasAgg(fig)
        buffer = io.BytesIO()
        fig.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def spotted(content, colour, rows=2, columns=4):
    """A PNG with one false point, on white."""
    pixels = np.array(Image.open(io.BytesIO(content)).convert("RGB"))
    pixels[100 : 100 + rows, 200 : 200 + columns] = colour
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_figures_are_compared_by_what_they_draw(kind):
    compare = verify.COMPARE[f".{kind}"]
    plain = drawn(kind, metadata={"Title": "a"})
    assert compare(plain, plain) == IDENTICAL
    assert compare(plain, drawn(kind, metadata={"Title": "b"})) == TOLERATED
    assert compare(plain, drawn(kind, height=1.1)) == DIFFERENT
    assert compare(plain, drawn(kind, colour="C1")) == DIFFERENT


@pytest.mark.parametrize(
    "settings",
    [{"text.hinting": "none"}, {"text.hinting": "force_autohint"}, {"text.antialiased": False}],
)
def test_another_way_to_draw_letters_is_tolerated(settings):
    """Drawn in another process: matplotlib remembers letters, and how they were drawn."""
    pictures = []
    for given in ({}, settings):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            pictures.append(pool.submit(drawn, "png", **given).result())
    assert verify.picture(*pictures) == TOLERATED


@pytest.mark.parametrize("colour", [(213, 94, 0), (86, 180, 233), (118, 118, 118)])
def test_a_false_point_of_eight_pixels_is_seen(colour):
    plain = drawn("png")
    assert verify.picture(plain, spotted(plain, colour)) == DIFFERENT


@pytest.mark.parametrize(
    ("fresh", "outcome"),
    [
        (b"L,x\n1,0.5\n", IDENTICAL),
        (b"L,x\n1,5.00001e-1\n", TOLERATED),
        (b"L,x\n1,0.5001\n", DIFFERENT),
        (b"L,y\n1,0.5\n", DIFFERENT),
        (b"L,x\n1,0.5\n2,0.5\n", DIFFERENT),
        (b"L,x\n1,nan\n", DIFFERENT),
    ],
)
def test_texts_are_compared_by_words_and_numbers(fresh, outcome):
    assert verify.numbers(b"L,x\n1,0.5\n", fresh) == outcome


def test_a_missing_file_is_different(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x\n")
    assert verify.outcome(tmp_path / "a.csv", tmp_path / "b.csv") == DIFFERENT


def test_alt_texts_and_order_of_outputs_count():
    def cell(alt, *words):
        shown = dict(output_type="display_data", data={"text/plain": alt}, metadata={"alt": alt})
        said = [dict(output_type="stream", name="stdout", text=[word]) for word in words]
        return verify.pieces(dict(source="x", outputs=[shown, *said]))

    assert verify.cell_outcome(cell("a", "1", "2"), cell("a", "1", "2")) == IDENTICAL
    for other in (cell("b", "1", "2"), cell("a", "2", "1"), cell("a", "1")):
        assert verify.cell_outcome(cell("a", "1", "2"), other) == DIFFERENT
