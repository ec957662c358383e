"""The explorer: what it is told is what theory says, and it keeps to its sizes.

What it simulates is compared with theory in Chromium: tests/browser.py.
"""

import json
import re

import numpy as np
import pytest

from entanglement import Layer, explore, theory
from entanglement.pairs import Velocity, independent_angles, simulate, step


def expression(name):
    """What explore.js gives `name` on one line, which Python reads as well."""
    found = re.search(rf"export const {name} = .*?=> (.*);", explore.SCRIPT.read_text())
    return found[1]


def test_it_has_the_law_of_a_pair():
    w, A, B, z = 0.7, 3.0, 2.0, -0.4
    after = step(Velocity(np.log(w), 1.0), A, B, z)
    law = eval(expression("step"), dict(w=w, A=A, B=B, z=z))
    assert law == pytest.approx(after.sign * np.exp(after.log_abs))


@pytest.fixture(scope="module")
def table():
    return explore.table()


def test_it_is_small(table):
    assert len(json.dumps(table, separators=(",", ":"))) <= 20_000
    assert len(explore.page().encode()) < 150_000
    assert json.loads(json.dumps(table)) == table


def test_what_is_drawn_has_the_law_of_the_norm_and_of_the_threshold(table):
    score = np.linspace(-4, 4, 41)
    described = [*table["layers"], *(row["layer"] for row in table["ends"]), *table["pictures"]]
    layers = [Layer(256, round(256 * ratio)) for ratio in explore.RATIOS]
    layers += [layer for _, layer, _ in explore.ROWS]
    layers += [Layer(1024, round(1024 * ratio)) for ratio in explore.PICTURES]
    for one, layer in zip(described, layers, strict=True):
        assert one["k"] == layer.width and ("log_norm" in one) == layer.selects
        if layer.selects:
            drawn = np.polynomial.polynomial.polyval(score, one["log_norm"])
            assert np.abs(drawn - theory.log_norm_quantile(layer)(score)).max() < 1e-6
        if "threshold" in one:
            middle = np.polynomial.polynomial.polyval(0.0, one["threshold"])
            assert middle == pytest.approx(layer.law.threshold(layer.kept), abs=3e-3)


def test_at_a_right_angle_the_prediction_is_one_half(table):
    for row in table["ends"]:
        assert len(row["plus"]) == 91 and row["plus"][0] == 1 and row["plus"][90] == 0.5
        assert (np.diff(row["plus"]) <= 0).all() and row["plus"][89] > 0.5


@pytest.mark.parametrize("ratio", [1.4, 64])
def test_the_depth_needed_is_where_half_of_the_inputs_have_arrived(ratio):
    layer, trials = Layer(256, round(256 * ratio)), 20_000
    depth = explore.depth_needed(layer)
    theta = independent_angles(np.random.default_rng(1), trials, 256)
    paths = simulate(layer, theta, depth, trials, seed=2, keep=[depth - 1, depth])
    before, after = np.mean(paths.log_abs > np.log(1 / np.tan(0.01 * np.pi)), axis=0)
    error = 4 * 0.5 / np.sqrt(trials)
    assert before < 0.5 + error and after > 0.5 - error


def test_ordinary_rows_need_the_most(table):
    depths = [layer["depth"] for layer in table["layers"]]
    assert depths == sorted(depths, reverse=True) and depths[0] > 1000 > depths[1]


def test_the_picture_shows_what_is_predicted():
    fig, near, predicted = explore.picture(seed=3)
    assert len(fig.axes) == 3
    assert near == pytest.approx(predicted, abs=4 * np.sqrt(predicted * (1 - predicted) / 200))


def test_the_widget_is_the_page_s_script(table):
    widget = explore.explorer(seed=7)
    assert widget.table == table and widget.seed == 7
    assert "export default" in explore.SCRIPT.read_text(encoding="utf-8")


@pytest.mark.parametrize("where, alive", [({}, True), ({"ENTANGLEMENT_OUT": "x"}, False)])
def test_the_pipeline_is_no_reader(monkeypatch, where, alive):
    monkeypatch.delenv("ENTANGLEMENT_OUT", raising=False)
    for name, value in where.items():
        monkeypatch.setenv(name, value)
    assert explore.live() is alive
