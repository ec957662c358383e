"""The explorer: four scenes on the law of a pair, to be played with, in notebook 00 and, without
Python, on the first web page (`python -m entanglement.explore` prints its part of it).

explore.js simulates and draws; what is predicted it is given here, from `theory`, as one table.
"""

import base64
import json
import os
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import special

from companion import plots
from entanglement import data, theory
from entanglement.layer import Layer
from entanglement.pairs import angle, independent_angles, simulate
from entanglement.theory.chain import mean_after

SCRIPT = Path(__file__).with_suffix(".js")
PUBLISHED = (1.08, 1.4, 1000 / 512, 4.8, 10_000 / 512, 64)  # n/k of E12, E12, E5, E14, E6, E1
RATIOS = (1, 1.08, 1.2, 1.4, 1000 / 512, 4.8, 10, 10_000 / 512, 64, 1000, 10**4, 10**6)
WIDTH = 256  # of the layers and the inputs, as in E1
DEEPEST = 15  # layers of the first scene, as in E2
SIDE, PICTURES, READ = 32, (1, 1.08, 1.4, 4.8, 64), 60  # pixels, n/k, layers of the third
ROWS = (  # of the second scene, and layers enough for them
    ("ordinary rows, all kept (n = k = 20)", Layer(20), 300),
    ("chosen rows, half kept (n = 2k = 40)", Layer(20, 40), 60),
    ("the published setting (n = 64k, k = 256)", Layer(256, 16384), 30),
)
ARRIVED = 0.01  # share of the half circle within which an input is at an end
FARTHEST = 2500  # layers


@lru_cache(maxsize=1)
def table():
    """What explore.js is given, JSON's types only, below 20 kB: layers, laws, a photograph.

    `log_norm` and `threshold`: polynomials in a normal score, as `polynomial` makes them.
    """
    layers = [_wide(WIDTH, ratio) for ratio in RATIOS]
    depths = np.arange(DEEPEST + 1)
    photo = np.uint8(255 * data.photograph("cat", (SIDE, SIDE)))
    return {
        "dim": WIDTH,
        "layers": [
            _described(layer, ratio)
            | {"depth": depth_needed(layer), "gain": _short(theory.rapidity_gain(layer))}
            for layer, ratio in zip(layers, RATIOS)
        ],
        "scale": [_short(theory.velocity_scale(layer, depths, WIDTH)) for layer in layers],
        "ends": [
            {"label": label, "layer": _described(layer), "depth": depth, "plus": _ends(layer)}
            for label, layer, depth in ROWS
        ],
        "pictures": [_picture(ratio) for ratio in PICTURES],
        "photo": base64.b64encode(photo.tobytes()).decode(),
        "drawing": "".join(np.where(data.silhouette("key", (SIDE, SIDE)), "1", "0").ravel()),
    }


def depth_needed(layer):
    """Layers until half of unseen inputs are within 1 % of an end, by the law of w_L; d = WIDTH."""
    edge = 1 / np.tan(np.pi * ARRIVED)
    score = np.linspace(-5, 5, 81)
    weight = np.exp(-(score**2) / 2)

    def beyond(w):  # after one more layer, which makes it smooth
        below = theory.layer_cdf(layer, w, [-edge, edge])
        return 1 - (below[:, 1] - below[:, 0])

    depths = np.unique(np.geomspace(1, FARTHEST, 60).astype(int))
    for _ in range(2):  # roughly, then to the layer
        start = score / np.sqrt(WIDTH - 1)
        share = mean_after(layer, beyond, depths - 1, start, weight / weight.sum())
        first = int(np.argmax(share >= 0.5))
        found, depths = depths[first], np.arange(depths[max(first - 1, 0)], depths[first] + 1)
    return int(found)


def polynomial(function, degree=6):
    """Coefficients (degree + 1,), constant first, of a function of a normal score; to 1e-6."""
    score = np.linspace(-4.5, 4.5, 181)
    return _short(np.polynomial.polynomial.polyfit(score, function(score), degree), 8)


def _wide(width, ratio):
    return Layer(width, round(width * ratio))


def _described(layer, ratio=None):
    """A layer as explore.js draws it: n = k by chi, else the norm of its margins by `log_norm`."""
    found = {"k": layer.width}
    if ratio:
        found |= {"ratio": ratio, "published": ratio in PUBLISHED}
    if layer.selects:
        found["log_norm"] = polynomial(theory.log_norm_quantile(layer))
    return found


def _picture(ratio):
    """A layer of the third scene: `wrong`, the pixels wrong after 1, 2, ... layers, on average."""
    layer = _wide(SIDE**2, ratio)
    wrong = theory.folded_error(layer, np.arange(1, READ + 1), spread=(SIDE**2 - 1) ** -0.5)[0]
    found = _described(layer, ratio) | {"wrong": _short(wrong)}
    if layer.selects:

        def threshold(score):  # the kept share of the rows is Beta(k + 1, n - k)
            dropped = layer.pool - layer.width
            share = special.betaincinv(layer.width + 1, dropped, special.ndtr(score))
            return layer.law.threshold(np.minimum(share, 1))

        found["threshold"] = polynomial(threshold)
    return found


def _ends(layer):
    """Chance to end at +u from 0, 1, ..., 90 degrees; from 90 exactly one half."""
    theta = np.radians(np.arange(1, 90))
    return [1.0, *_short(theory.correlated_probability(layer, theta)), 0.5]


def _short(values, digits=4):
    """Numbers to a few significant digits, as lists of floats."""
    return np.vectorize(lambda value: float(f"{value:.{digits}g}"))(values).tolist()


def explorer(seed=1):
    """The explorer as a widget (JupyterLab, VS Code, Colab, Binder); seed: of its networks."""
    import anywidget
    import traitlets

    class Explorer(anywidget.AnyWidget):
        _esm = SCRIPT.read_text(encoding="utf-8")
        table = traitlets.Dict().tag(sync=True)
        seed = traitlets.Int().tag(sync=True)

    return Explorer(table=table(), seed=seed)


def live():
    """Whether a reader is there to play: the pipeline (papermill, nbval) is none."""
    return "ENTANGLEMENT_OUT" not in os.environ


def picture(seed=1, inputs=200):
    """(figure, share of the inputs within 1 % of an end, the share predicted): the first scene
    after 0, 4 and 10 layers, at E1's setting; seed: a whole number."""
    layer, depths = Layer(WIDTH, 64 * WIDTH), np.array([0, 4, 10])
    rng = np.random.default_rng([seed, 1])
    starts = independent_angles(rng, inputs, WIDTH)
    theta = angle(simulate(layer, starts, 10, inputs, seed=[seed, 2], keep=depths))
    height, arc = 1 - 0.14 * rng.random(inputs), np.linspace(0, np.pi, 100)
    fig, panels = plots.figure(1, 3, size=(11, 2.6))
    for ax, depth, angles in zip(panels, depths, theta.T):
        ax.plot(np.cos(arc), np.sin(arc), color=plots.GREY, lw=1)
        for side, color in ((angles < np.pi / 2, plots.BLUE), (angles >= np.pi / 2, plots.RED)):
            x, y = height * np.cos(angles), height * np.sin(angles)
            ax.plot(x[side], y[side], "o", ms=4, alpha=0.5, color=color)
        ax.set(title=f"{depth} layers", aspect="equal", ylim=(-0.1, 1.1), yticks=[])
        ax.set(xlim=(-1.1, 1.1), xticks=[-1, 0, 1], xticklabels=["$-u$", "90°", "$+u$"])
        ax.grid(False)
        ax.spines[:].set_visible(False)
    scale = theory.velocity_scale(layer, 10, WIDTH)
    near = np.minimum(theta[:, -1], np.pi - theta[:, -1]) < ARRIVED * np.pi
    return fig, np.mean(near), 2 * theory.loss_cdf(ARRIVED, scale)


def page():
    """The explorer as a part of a web page (str): element, script, table, nothing from outside."""
    script = SCRIPT.read_text(encoding="utf-8")
    given = json.dumps(table(), separators=(",", ":"))
    call = f'mount(document.getElementById("explore"), {given});'
    return (
        '<div id="explore"><noscript>The explorer needs JavaScript.</noscript></div>\n'
        f'<script type="module">{script}\n{call}\n</script>\n'
    )


if __name__ == "__main__":
    sys.stdout.write(page())
