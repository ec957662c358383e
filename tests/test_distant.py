"""Rapidity, the staircase and the law of one narrow layer, against mpmath, the wide law, quadrature
and brute force.
"""

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi, norm, t

from entanglement import Layer, pairs, theory


@pytest.mark.parametrize("log_abs", [-700.0, -40.0, -1.0, -1e-9, 0.0, 1e-9, 0.3, 20.0, 700.0])
def test_rapidity_of_log_against_mpmath(log_abs):
    with mpmath.workdps(60):
        exact = mpmath.asinh(mpmath.exp(mpmath.mpf(log_abs)))
    assert theory.rapidity_of_log(log_abs) == pytest.approx(float(exact), rel=1e-14)


def test_rapidity_beyond_the_range_of_floats():
    assert theory.rapidity_of_log(1e6) == pytest.approx(1e6 + np.log(2), rel=1e-15)
    assert theory.rapidity_of_log(-1e6) == 0


def test_rapidity_of_a_velocity_keeps_sign_and_is_artanh_of_the_cosine():
    theta = np.linspace(0.01, np.pi - 0.01, 50)
    assert pairs.rapidity(pairs.velocity(theta)) == pytest.approx(
        np.arctanh(np.cos(theta)), abs=1e-11
    )
    near, far = (pairs.rapidity(pairs.velocity(1e-200, opposite=side)) for side in (False, True))
    assert near == -far == pytest.approx(200 * np.log(10) + np.log(2), rel=1e-15)


@pytest.mark.parametrize("layer", [Layer(4096), Layer(4096, 12_000), Layer(4096, 5000, "signed")])
def test_staircase_is_the_wide_law_in_other_words(layer):
    theta = np.linspace(0.05, np.pi - 0.05, 40)[:, None]
    stairs = theory.rapidity_staircase(layer, np.arcsinh(1 / np.tan(theta)), np.arange(6))
    wide = np.stack([theory.wide_angle(layer, theta[:, 0], L) for L in range(6)], axis=1)
    assert stairs == pytest.approx(
        np.arcsinh(1 / np.tan(wide)), rel=2e-3, abs=1e-12
    )  # 1/(2k) a layer apart


def test_staircase_at_any_distance():
    layer = Layer(64, 100)
    gain = theory.rapidity_gain(layer)
    assert theory.rapidity_staircase(layer, 0.0, 50) == 0
    stairs = theory.rapidity_staircase(layer, np.array([-460.0, 460.0, 1e5]), 50)
    assert stairs == pytest.approx([-460 - 50 * gain, 460 + 50 * gain, 1e5 + 50 * gain], rel=1e-14)
    assert theory.rapidity_staircase(layer, 1e-150, 50) == pytest.approx(
        1e-150 * np.exp(50 * gain), rel=1e-12
    )


def test_staircase_is_the_mean_path_of_a_wide_network():
    for theta in (0.3, 2.5):
        path = pairs.rapidity(pairs.simulate(Layer(400, 1000), theta, 20, trials=400, seed=3))
        law = theory.rapidity_staircase(Layer(400, 1000), path[0, 0], np.arange(21))
        error = path.std(axis=0)[1:] / 20
        assert (
            np.abs(path.mean(axis=0) - law)[1:] < 4 * error + 0.002
        ).all()  # 0.002: the noise of w_0 + S, second order


@pytest.mark.parametrize("width", [2, 3, 10, 300])
def test_layer_cdf_of_an_ordinary_layer_against_student(width):
    """w_1 = (A w_0 + z)/B with A ~ chi_k: at w_0 = 0 it is Student t, elsewhere by quadrature over
    A and B.
    """
    w, start = np.array([-3.0, -0.2, 0.0, 0.7, 4.0]), np.array([0.0, 0.8])
    law = theory.layer_cdf(Layer(width), start, w)
    assert law[0] == pytest.approx(t.cdf(w * np.sqrt(width - 1), width - 1), abs=1e-6)

    def exact(a, s, v):
        low, high = chi.ppf([1e-13, 1 - 1e-13], width - 1)
        return quad(lambda b: chi.pdf(b, width - 1) * norm.cdf(b * v - a * s), low, high)[0]

    low, high = chi.ppf([1e-13, 1 - 1e-13], width)
    mixed = quad(lambda a: chi.pdf(a, width) * exact(a, 0.8, 0.7), low, high, epsabs=1e-7)[0]
    assert law[1, 3] == pytest.approx(mixed, abs=1e-4)


def test_layer_cdf_is_monotone_and_symmetric():
    law = theory.layer_cdf(Layer(5, 20), np.linspace(-3, 3, 7), np.linspace(-9, 9, 61))
    assert (np.diff(law, axis=1) >= 0).all() and (np.diff(law, axis=0) <= 0).all()
    assert law == pytest.approx(1 - law[::-1, ::-1], abs=1e-12)


def test_layer_cdf_of_a_layer_drawn_whole():
    """The authors' n = 20, k = 10, one layer: rows drawn, projected, kept; no use of the law
    anywhere.
    """
    rng, width, pool, trials = np.random.default_rng(4), 10, 20, 40_000
    R = rng.standard_normal(
        (trials, pool, 2)
    )  # rows on the plane of the pair: training input (1, 0), other at w_0 = 0.6
    kept = np.take_along_axis(R, np.argsort(-np.abs(R[..., :1]), axis=1)[:, :width], axis=1)
    other = np.array([0.6, 1.0])
    u, v = kept[..., 0], kept @ other
    cosine = (u * v).sum(axis=1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    w1 = cosine / np.sqrt(1 - cosine**2)
    w = np.linspace(-0.5, 3, 15)
    law = theory.layer_cdf(Layer(width, pool), [0.6], w)[0]
    error = np.sqrt(law * (1 - law) / trials)
    assert (np.abs((w1[:, None] <= w).mean(axis=0) - law) < 4 * error + 1e-4).all()


@pytest.mark.parametrize("width", [2, 5])
def test_noise_without_selection_is_cauchy(width):
    """S read off two starts of the same networks: w_L = Lambda (w_0 + S)."""
    ends = [
        pairs.simulate(Layer(width), start, 60 * width, trials=4000, seed=6, keep=[60 * width])
        for start in (np.pi / 2, np.pi / 4)
    ]
    ratio = ends[0].sign * ends[1].sign * np.exp(ends[1].log_abs - ends[0].log_abs)
    S = 1 / (ratio - 1)
    for quantile in (-5.0, -1.0, 0.0, 0.5, 2.0):
        share = 0.5 + np.arctan(quantile) / np.pi
        assert abs(np.mean(S <= quantile) - share) < 4 * np.sqrt(share * (1 - share) / len(S))
