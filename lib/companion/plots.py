"""One style for every figure: theory as lines, measurement as points with intervals; saved whole, with its words.

Whatever is drawn is rounded to six significant digits first, so that the last digits of a processor change no picture.
"""

import io
from functools import wraps

import matplotlib
import numpy as np
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scipy.stats import beta

from companion import words
from companion.claims import output_dir, write_whole

# Okabe and Ito's colours, told apart by colour-blind readers
BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#767676"
THEORY = "#222222"
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
DRAWING = (
    "annotate axhline axhspan axvline axvspan bar barh contour contourf errorbar fill fill_between hist hlines imshow pcolormesh "
    "plot quiver scatter set_xlim set_xticks set_ylim set_yticks stairs step text vlines"
).split()


def rounded(value):
    """Numbers to six significant digits: a float, or an array, list or tuple of floats; anything else as it is."""
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}")
    if isinstance(value, (list, tuple)) and not any(isinstance(part, (str, dict, type(None))) for part in value):
        return type(value)(rounded(part) for part in value) if type(value) in (list, tuple) else value
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        flat = [float(f"{number:.6g}") for number in value.ravel().tolist()]
        return np.reshape(np.array(flat), value.shape)
    return value


def _rounding(method):
    """The method of Axes that rounds what it is given."""

    @wraps(method)
    def draw(self, *given, **named):
        return method(self, *map(rounded, given), **{key: rounded(value) for key, value in named.items()})

    return draw


Panel = type("Panel", (Axes,), {name: _rounding(getattr(Axes, name)) for name in DRAWING})
Panel.__doc__ = "Axes that round whatever they draw to six significant digits."


def figure(rows=1, columns=1, size=(9, 4), **options):
    """A figure and its panels in the companion's style, whatever the user's; size in inches, options as Figure.subplots takes them."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)
    fig = Figure(figsize=size)
    return fig, fig.subplots(rows, columns, subplot_kw=dict(axes_class=Panel), **options)


def row(count, size=(11, 3.6), **shared):
    """A figure and a row of panels that share their y axis; shared: what `set` takes, the y label on the first panel only."""
    fig, panels = figure(1, count, size=size, sharey=True)
    label = shared.pop("ylabel", None)
    for ax in panels:
        ax.set(**shared)
    panels[0].set_ylabel(label)
    return fig, panels


def law(ax, x, y, label=None, color=THEORY, **options):
    """A closed form: a line."""
    return ax.plot(x, y, color=color, label=label, zorder=2, **options)


def points(ax, x, y, error=None, label=None, color=BLUE, marker="o", **options):
    """Measurements: points, with 95 % intervals if standard errors are given."""
    bars = None if error is None else 1.96 * np.asarray(error)
    return ax.errorbar(x, y, bars, color=color, label=label, fmt=marker, ms=4.5, capsize=0, elinewidth=1.2, zorder=3, **options)


def histogram(ax, values, edges, shares, color=BLUE, label=(None, None)):
    """Measured shares per bin as points with exact 95 % binomial intervals, over predicted `shares` as a staircase.

    values: the measured numbers; edges: B + 1 bin edges; shares: B probabilities; label: (measured, predicted). Empty bins show no point.
    """
    values, edges = rounded(np.asarray(values, dtype=float)), rounded(np.asarray(edges, dtype=float))
    counts = np.histogram(values, edges)[0]
    centre, count = ((edges[1:] + edges[:-1]) / 2)[counts > 0], counts[counts > 0]
    share, rest = count / len(values), len(values) - count
    low, high = beta.ppf(0.025, count, rest + 1), np.where(rest > 0, beta.ppf(0.975, count + 1, np.maximum(rest, 1)), 1)
    ax.stairs(shares, edges, color=THEORY, lw=1.3, label=label[1], zorder=2)
    ax.errorbar(centre, share, [share - low, high - share], color=color, label=label[0], fmt="o", ms=4.5, elinewidth=1.2, zorder=3)


def paths(ax, x, Y, color=BLUE, label=None, alpha=0.25):
    """Many trajectories: the columns of Y as thin lines, drawn as pixels to keep PDFs small."""
    lines = ax.plot(x, Y, color=color, lw=0.6, alpha=alpha, zorder=1, rasterized=True)
    ax.plot([], [], color=color, lw=1, label=label)
    return lines


def picture(ax, values, title=None, below=None, limits=None):
    """A grey picture (rows, columns) without ticks, `title` above and `below` under it; limits: (black, white), else its range."""
    values = rounded(np.asarray(values, dtype=float))
    low, high = (np.min(values), np.max(values)) if limits is None else limits
    ax.imshow(values, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    ax.set(xticks=[], yticks=[], xlabel=below)
    ax.set_title(title, loc="center")
    ax.grid(False)
    ax.spines[:].set_visible(False)


def legend(ax, title="points: measured, lines: predicted", **options):
    """The legend of `ax`, under the convention that all figures share; options as Axes.legend takes them."""
    ax.legend(title=title, **options)


def save(fig, name, data=None, **numbers):
    """Save a figure as figures/<name>.png and .pdf under the output folder, and show it with its words.

    Caption and alt text are the section `name` of words/NN.md, whose open numbers are given by name. data: columns of equal
    length to be written as <name>.csv with six significant digits.
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
    opaque = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # a tenth smaller than with transparency
    opaque.save(png, "png", pnginfo=info, dpi=(fig.dpi, fig.dpi))
    FigureCanvasPdf(fig).print_pdf(pdf, metadata={"CreationDate": None, "Title": name})
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
    rows = [",".join(columns), *(",".join(f"{v:.6g}" for v in row) for row in zip(*columns.values(), strict=True))]
    return ("\n".join(rows) + "\n").encode()
