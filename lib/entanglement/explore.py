"""The explorer of notebook 00: four sliders, three pictures, drawn from the exact law in a tenth of
a second.
"""

import io
import os

import numpy as np
from IPython.display import Markdown, display
from matplotlib.backends.backend_agg import FigureCanvasAgg

from companion import plots
from entanglement import data, theory
from entanglement.layer import Layer, margins
from entanglement.pairs import rapidity, simulate, velocity

WIDTHS = (64, 144, 256, 576, 1024, 2500)  # squares: one hash bit a pixel
START = dict(width=1024, ratio=10**0.5, depth=8, degrees=89)  # the sliders' first setting
PAIRS = 24  # trajectories drawn
DEEPEST = 30  # layers
REACH = 12  # rapidity shown, nats
SCREEN_DPI = 80  # of the live picture; stored figures are finer


def follow(width, ratio, depth, degrees, seed=1):
    """What the three pictures show: rapidities (PAIRS, depth + 1), the predicted ones (depth + 1,),
    right pixels (side, side).

    width: one of WIDTHS; ratio: n/k, at least 1; degrees: the starting angle of every pair, in (0,
    180). A picture is masked by the training input's hash bits and read with those of the first
    pair's other input: a pixel is right where the two bits agree.
    """
    if width not in WIDTHS:
        raise ValueError(f"width: {width!r} is not one of {WIDTHS}")
    layer, theta = Layer(width, round(width * ratio)), np.radians(degrees)
    pairs = simulate(layer, theta, depth, trials=PAIRS, seed=[seed, 1])
    staircase = theory.rapidity_staircase(layer, rapidity(velocity(theta)), np.arange(depth + 1))
    rng, side = np.random.default_rng([seed, 2]), round(width**0.5)
    a = margins(layer, rng)
    other = pairs.sign[0, depth - 1] * a + np.exp(
        -pairs.log_abs[0, depth - 1]
    ) * rng.standard_normal(width)  # over |w|
    return rapidity(pairs), staircase, (a * other > 0).reshape(side, side)


class View:
    """The three pictures; `draw` moves them to a setting of the sliders. seed: of every network, so
    a setting always shows the same.
    """

    def __init__(self, seed=1):
        self.seed = seed
        self.fig, (paths, cone, picture) = plots.figure(
            1, 3, size=(11, 3.8), width_ratios=(1.3, 1.1, 1)
        )
        self.lines = [paths.plot([], [], color=plots.SKY, lw=0.8)[0] for _ in range(PAIRS)]
        (self.law,) = plots.law(paths, [], [], "predicted, without chance", lw=2)
        paths.set(
            xlabel="layer",
            ylabel="rapidity (nats)",
            xlim=(0, DEEPEST),
            ylim=(-REACH, REACH),
            title=f"{PAIRS} pairs of inputs",
        )
        plots.legend(paths, None, loc="lower left")
        self.world_lines = [cone.plot([], [], color=plots.SKY, lw=0.8)[0] for _ in range(PAIRS)]
        cone.plot(
            (-REACH, 0, REACH), (REACH, 0, REACH), color=plots.ORANGE, ls="--", label="light cone"
        )
        cone.set(
            xlabel="position (arsinh)",
            ylabel="time (arsinh)",
            xlim=(-REACH, REACH),
            ylim=(0, REACH),
            title="the same in spacetime",
        )
        plots.legend(cone, None, loc="lower right")
        plots.picture(picture, np.zeros((2, 2)), "a hidden picture, read", limits=(0, 1))
        self.image = picture.images[0]
        self.fig.get_layout_engine().execute(self.draw(**START))
        self.fig.set_layout_engine("none")  # laid out once: what moves stays inside its axes

    def draw(self, width, ratio, depth, degrees):
        """Move everything to a setting (see `follow`); returns the figure."""
        paths, staircase, right = follow(width, ratio, depth, degrees, self.seed)
        w = np.sinh(np.clip(paths, -300, 300))
        time, position = (
            np.arcsinh(np.cumsum(np.sqrt(1 + w**2), axis=1)),
            np.arcsinh(np.cumsum(w, axis=1)),
        )
        for number in range(PAIRS):
            self.lines[number].set_data(np.arange(depth + 1), paths[number])
            self.world_lines[number].set_data(position[number], time[number])
        self.law.set_data(np.arange(depth + 1), staircase)
        message, side = data.silhouette("key", right.shape), len(right)
        self.image.set(data=np.where(right, message, ~message), extent=(0, side, side, 0))
        self.image.axes.set(
            xlim=(0, side), ylim=(side, 0), xlabel=f"{np.mean(~right):.1%} of {width} pixels wrong"
        )
        return self.fig

    def png(self, **setting):
        """The figure at a setting as a PNG (bytes), in the resolution of a screen."""
        fig, buffer = self.draw(**setting), io.BytesIO()
        fig.set_dpi(SCREEN_DPI)
        FigureCanvasAgg(fig).print_png(buffer, pil_kwargs={"compress_level": 1})
        return buffer.getvalue()


def sliders(view):
    """Show a View with its sliders; where no reader can move them (papermill, nbval), a sentence in
    their place.
    """
    if "ENTANGLEMENT_OUT" in os.environ:  # the pipeline runs the notebook
        display(
            Markdown("*Run this notebook in JupyterLab (`make lab`) and four sliders appear here.*")
        )
        return
    import ipywidgets as widgets

    wide = dict(style={"description_width": "9em"}, layout=widgets.Layout(width="34em"))
    controls = dict(
        width=widgets.SelectionSlider(
            options=WIDTHS, value=START["width"], description="width k", **wide
        ),
        ratio=widgets.FloatLogSlider(
            value=START["ratio"],
            min=0,
            max=3,
            step=0.05,
            readout_format=".2f",
            description="n/k",
            **wide,
        ),
        depth=widgets.IntSlider(
            value=START["depth"], min=1, max=DEEPEST, description="depth L", **wide
        ),
        degrees=widgets.IntSlider(
            value=START["degrees"], min=1, max=179, description="angle (degrees)", **wide
        ),
    )
    image = widgets.Image(value=view.png(**START), format="png")
    image.add_class("explorer")

    def move(_):
        image.value = view.png(**{name: control.value for name, control in controls.items()})

    for control in controls.values():
        control.observe(move, "value")
    display(widgets.VBox([*controls.values(), image]))
