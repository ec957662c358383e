"""The explorer: its pictures follow the laws, and it answers in time."""

import statistics
import time

import numpy as np
import pytest

from entanglement import Layer, explore, theory


def test_pairs_follow_the_staircase_and_pixels_their_law():
    setting = dict(width=2500, ratio=4, depth=3, degrees=75)
    wrong = []
    for seed in range(20):
        paths, staircase, right = explore.follow(**setting, seed=seed)
        assert paths.shape == (explore.PAIRS, 4) and right.shape == (50, 50) and right.dtype == bool
        assert np.abs(paths.mean(axis=0) - staircase).max() < 0.1
        wrong.append(1 - right.mean())
    before = theory.wide_angle(Layer(2500, 10_000), np.radians(75), 2)
    assert np.mean(wrong) == pytest.approx(
        theory.bit_flip_probability(Layer(2500, 10_000), before),
        abs=4 * np.std(wrong) / np.sqrt(20),
    )


def test_anti_correlated_pairs_read_the_negative_and_ordinary_networks_are_slow():
    assert explore.follow(2500, 10, 10, 120)[2].mean() < 0.01
    assert (
        np.abs(explore.follow(2500, 1, 40, 60)[0] - explore.follow(2500, 1, 40, 60)[0][:, :1]).max()
        < 0.5
    )


def test_a_setting_is_answered_in_time():
    view, times = explore.View(), []
    first = view.png(**explore.START)
    for depth in (5, 10, 20):
        start = time.perf_counter()
        picture = view.png(**{**explore.START, "depth": depth})
        times.append(time.perf_counter() - start)
        assert picture.startswith(b"\x89PNG") and picture != first
    assert view.png(**explore.START) == first
    assert statistics.median(times) < 0.5, "150 ms on an idle machine"


def test_every_width_is_a_square():
    assert (
        all(round(width**0.5) ** 2 == width for width in explore.WIDTHS)
        and explore.START["width"] in explore.WIDTHS
    )


def test_where_sliders_cannot_move_a_sentence_stands(capsys, monkeypatch):
    monkeypatch.setenv("ENTANGLEMENT_OUT", "somewhere")
    explore.sliders(explore.View())
    assert "Markdown" in capsys.readouterr().out
