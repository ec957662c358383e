"""One style for every figure: theory as lines, measurement as points; saved whole, with its words.

Whatever is drawn is rounded to six significant digits first, so that the last digits of a
processor change no picture.
"""

import inspect
import io
from functools import wraps
from unittest.mock import patch

import matplotlib
import numpy as np
from fontTools.subset import Options
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.transforms import TransformNode
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scipy.special import betaincinv

from companion import words
from companion.claims import output_dir, write_whole

# Okabe and Ito's colours, told apart by colour-blind readers
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, RED, GREY, THEORY = "#56B4E9", "#D55E00", "#767676", "#222222"
MEASURED = dict(ms=4.5, capsize=0, elinewidth=1.2, zorder=3)
STYLE = {
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "pdf.fonttype": 42,  # TrueType: some publishers refuse Type 3
}
# what a PDF needs not of a font, whose glyphs it names: half of a figure's time went into these
SHAPING = ["GDEF", "GPOS", "GSUB", "MATH", "kern"]


def rounded(value):
    """Floats to six significant digits: one, an array, or those in lists and tuples.

    Anything else is returned as it is.
    """
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}")
    if type(value) in (list, tuple):
        return type(value)(map(rounded, value))
    if isinstance(value, np.ma.MaskedArray):
        return np.ma.array(rounded(value.data), mask=value.mask)
    if hasattr(value, "__array__") and not isinstance(value, TransformNode):
        array = np.asarray(value)
        if array.dtype.kind == "f":
            short = [float(f"{number:.6g}") for number in array.ravel().tolist()]
            return np.reshape(short, array.shape)
    return value


def _rounding(method):
    """The method, given what it is given rounded."""

    @wraps(method)
    def draw(self, *given, **named):
        named = {key: rounded(value) for key, value in named.items()}
        return method(self, *map(rounded, given), **named)

    return draw


class Panel(Axes):
    """Axes that round whatever they are given to six significant digits; an inset is one too."""

    def inset_axes(self, bounds, **options):
        """As Axes.inset_axes."""
        return super().inset_axes(bounds, **{"axes_class": Panel} | options)


for _name, _method in inspect.getmembers(Panel, inspect.isfunction):
    if not _name.startswith(("_", "get_")):
        setattr(Panel, _name, _rounding(_method))


class Sheet(Figure):
    """A figure whose axes are panels, however they are added."""

    def add_subplot(self, *place, **options):
        """As Figure.add_subplot."""
        return super().add_subplot(*place, **{"axes_class": Panel} | options)


def figure(rows=1, columns=1, size=(9, 4), **options):
    """A figure and its panels in the companion's style, whatever the user's.

    size: in inches; options: as Figure.subplots takes them.
    """
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)
    fig = Sheet(figsize=size)
    return fig, fig.subplots(rows, columns, **options)


def row(count, size=(11, 3.6), **shared):
    """A figure and a row of panels (count,) that share their y axis.

    shared: what Axes.set takes, for every panel; the y label stands on the first one only.
    """
    fig, (panels,) = figure(1, count, size, sharey=True, squeeze=False)
    for ax in panels:
        ax.set(**shared)
        ax.label_outer()
    return fig, panels


def law(ax, x, y, label=None, color=THEORY, **options):
    """A closed form: a line."""
    return ax.plot(x, y, color=color, label=label, zorder=2, **options)


def points(ax, x, y, error=None, label=None, color=BLUE, marker="o", **options):
    """Measurements: points, with 95 % intervals if standard errors are given."""
    bars = None if error is None else 1.96 * np.asarray(error)
    return ax.errorbar(x, y, bars, color=color, label=label, fmt=marker, **MEASURED, **options)


def histogram(ax, values, edges, shares, color=BLUE, label=(None, None)):
    """Measured shares per bin as points with exact 95 % intervals, over a predicted staircase.

    values: the measured numbers; edges: B + 1 bin edges; shares: B probabilities; label:
    (measured, predicted). Empty bins show no point.
    """
    values, edges = (rounded(np.asarray(one, dtype=float)) for one in (values, edges))
    counts = np.histogram(values, edges)[0]
    centre, count = ((edges[1:] + edges[:-1]) / 2)[counts > 0], counts[counts > 0]
    share, rest = count / len(values), len(values) - count
    low = betaincinv(count, rest + 1, 0.025)
    high = np.where(rest > 0, betaincinv(count + 1, np.maximum(rest, 1), 0.975), 1)
    ax.stairs(shares, edges, color=THEORY, lw=1.3, label=label[1], zorder=2)
    bars = [share - low, high - share]
    ax.errorbar(centre, share, bars, color=color, label=label[0], fmt="o", **MEASURED)


def paths(ax, x, Y, color=BLUE, label=None, alpha=0.25):
    """Many trajectories: the columns of Y as thin lines, drawn as pixels to keep PDFs small."""
    lines = ax.plot(x, Y, color=color, lw=0.6, alpha=alpha, zorder=1, rasterized=True)
    ax.plot([], [], color=color, lw=1, label=label)
    return lines


def picture(ax, values, title=None, below=None, limits=None):
    """A grey picture (rows, columns) without ticks, `title` above and `below` under it.

    limits: (black, white); by default its range.
    """
    values = rounded(np.asarray(values, dtype=float))
    low, high = (np.min(values), np.max(values)) if limits is None else limits
    ax.imshow(values, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    ax.set(xticks=[], yticks=[], xlabel=below)
    ax.set_title(title, loc="center")
    ax.grid(False)
    ax.spines[:].set_visible(False)


def legend(ax, title="points: measured, lines: predicted", **options):
    """The legend of `ax`, under the convention that all figures share; options of Axes.legend."""
    ax.legend(title=title, **options)


def save(fig, name, data=None, **numbers):
    """Save a figure as figures/<name>.png and .pdf in the output folder; show it with its words.

    Caption and alt text are the section `name` of words/NN.md, filled with `numbers`; the files
    hold the name only. data: columns of equal length, written as <name>.csv with six significant
    digits.
    """
    texts = words.fill(name, **numbers)
    if "alt" not in texts:
        raise ValueError(f"name: {name!r} is a claim's section in {words.place(name)}")
    table = None if data is None else _csv(data)
    folder = output_dir() / "figures"
    fig.get_layout_engine().execute(fig)
    fig.set_layout_engine("none")  # laid out once, then drawn once for each file
    png, pdf = io.BytesIO(), io.BytesIO()
    canvas, info = FigureCanvasAgg(fig), PngInfo()
    canvas.draw()
    info.add_text("Title", name)
    # opaque, which is a tenth smaller
    opaque = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    opaque.save(png, "png", pnginfo=info, dpi=(fig.dpi, fig.dpi))
    meta = dict.fromkeys(("Creator", "Producer", "CreationDate")) | {"Title": name}
    with patch.object(Options, "_drop_tables_default", Options._drop_tables_default + SHAPING):
        FigureCanvasPdf(fig).print_pdf(pdf, metadata=meta)
    write_whole(folder / f"{name}.png", png.getvalue())
    write_whole(folder / f"{name}.pdf", pdf.getvalue())
    if table is not None:
        write_whole(folder / f"{name}.csv", table)
    shown = {"image/png": png.getvalue(), "text/plain": texts["alt"]}
    display(shown, raw=True, metadata={"image/png": {"alt": texts["alt"], "width": 900}})
    display(Markdown(f"**{name}.** {texts['caption']}"))


def _csv(columns):
    sizes = {key: len(column) for key, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"data: columns differ in length, {sizes}")
    rows = (",".join(f"{v:.6g}" for v in row) for row in zip(*columns.values(), strict=True))
    return ("\n".join([",".join(columns), *rows]) + "\n").encode()
