"""One style for every figure: theory as lines, measurement as points with intervals; saved whole, with caption and alt text."""

import io

import matplotlib
import numpy as np
from IPython.display import Markdown, display
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
    "svg.hashsalt": "entanglement",
}


def figure(rows=1, columns=1, size=(9, 4), **options):
    """A figure and its axes in the companion's style; size in inches, options as Figure.subplots takes them."""
    matplotlib.rcParams.update(STYLE)
    fig = Figure(figsize=size)
    return fig, fig.subplots(rows, columns, **options)


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
    """Save a figure as figures/<name>.png and .pdf under the output folder, and show it with its caption.

    Caption and alt text are the section `name` of words/NN.md, filled with `numbers`; the files hold only the name.
    data: columns of equal length to be written as <name>.csv with six significant digits.
    """
    said = words.fill(name, **numbers)
    if "alt" not in said:
        raise ValueError(f"name: {name!r} is a claim's section in {words.place(name)}")
    folder = output_dir() / "figures"
    fig.get_layout_engine().execute(fig)
    fig.set_layout_engine("none")  # laid out once, then drawn once for each file
    png, pdf = io.BytesIO(), io.BytesIO()
    canvas, info = FigureCanvasAgg(fig), PngInfo()
    canvas.draw()
    info.add_text("Title", name)
    opaque = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # a tenth smaller than with transparency
    opaque.save(png, "png", pnginfo=info, dpi=(fig.dpi, fig.dpi))
    FigureCanvasPdf(fig).print_pdf(pdf, metadata={"Title": name, "Creator": None, "Producer": None, "CreationDate": None})
    write_whole(folder / f"{name}.png", png.getvalue())
    write_whole(folder / f"{name}.pdf", pdf.getvalue())
    if data is not None:
        write_whole(folder / f"{name}.csv", _csv(data))
    shown = {"image/png": png.getvalue(), "text/plain": said["alt"]}
    display(shown, raw=True, metadata={"image/png": {"alt": said["alt"], "width": 900}})
    display(Markdown(f"**{name}.** {said['caption']}"))


def _csv(columns):
    sizes = {key: len(column) for key, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"data: columns differ in length, {sizes}")
    rows = [",".join(columns), *(",".join(f"{v:.6g}" for v in row) for row in zip(*columns.values(), strict=True))]
    return ("\n".join(rows) + "\n").encode()
