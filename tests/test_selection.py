"""The O(k) margins against pools drawn whole and sorted."""

from time import perf_counter

import numpy as np
import pytest
from scipy.stats import binomtest, ks_2samp

from entanglement import selection, theory

LAYERS = [
    (4, None, "none"),
    (5, 5, "largest"),
    (2, 3, "largest"),
    (6, 40, "largest"),
    (6, 9, "signed"),
    (6, 12, "signed"),
    (4, 30, "signed"),
    (5, 5, "labelled"),
    (4, 8, "labelled"),
    (3, 15, "labelled"),
]
SELECTING = [layer for layer in LAYERS if layer[1] and layer[1] > layer[0]]


def bits(width):
    """Wanted bits that are not all the same."""
    return np.where(np.arange(width) % 3 == 1, -1, 1)


def drawn_whole(rng, trials, width, pool, rule):
    """Kept margins (trials, width) by definition: draw every pool, sort, keep."""
    rows = rng.standard_normal((trials, pool or width))
    if pool is None or rule == "none":
        return rows
    if rule == "labelled":
        return bits(width) * (bits(width)[:, None] * rows.reshape(trials, width, -1)).max(axis=2)
    order = np.argsort(-(np.abs(rows) if rule == "largest" else rows), axis=1)
    return np.take_along_axis(rows, np.sort(order[:, :width], axis=1), axis=1)


def drawn_fast(rng, trials, width, pool, rule):
    return selection.margins(rng, width, pool, rule, trials, bits(width) if rule == "labelled" else None)


@pytest.mark.parametrize("layer", LAYERS)
def test_margins_have_the_law_of_pools_drawn_whole(layer):
    rng = np.random.default_rng(1)
    fast, whole = drawn_fast(rng, 20_000, *layer), drawn_whole(rng, 20_000, *layer)
    summaries = (
        lambda a: a[:, 0],
        lambda a: a[:, 1],
        lambda a: np.abs(a).min(axis=1),
        lambda a: np.abs(a).max(axis=1),
        lambda a: np.linalg.norm(a, axis=1),
        lambda a: a.sum(axis=1),
    )
    for of in summaries:
        assert ks_2samp(of(fast), of(whole)).pvalue > 1e-4
    norms = selection.margin_norms(rng, *layer, 20_000)
    assert ks_2samp(norms, np.linalg.norm(whole, axis=1)).pvalue > 1e-4


@pytest.mark.parametrize("layer", SELECTING)
def test_that_comparison_sees_a_slightly_larger_pool(layer):
    width, pool, rule = layer
    rng = np.random.default_rng(2)
    other = np.linalg.norm(drawn_whole(rng, 20_000, width, pool + (width if rule == "labelled" else 1 + pool // 10), rule), axis=1)
    assert ks_2samp(selection.margin_norms(rng, *layer, 20_000), other).pvalue < 1e-4


@pytest.mark.parametrize("rule", ["largest", "signed", "labelled"])
@pytest.mark.parametrize("pool", [20, 1000, 10**9])
def test_mean_square_up_to_a_billion_rows(rule, pool):
    a = selection.margins(np.random.default_rng(3), 10, pool, rule, 20_000, np.ones(10))
    assert np.isfinite(a).all()
    squares = (a**2).mean(axis=1)
    assert abs(squares.mean() - theory.finite_second_moment(10, pool, rule)) < 4 * squares.std() / np.sqrt(squares.size)


def test_cost_does_not_grow_with_the_pool():
    def seconds(pool):
        rng, times = np.random.default_rng(4), []
        for _ in range(15):
            start = perf_counter()
            selection.margins(rng, 5000, pool, "largest")
            times.append(perf_counter() - start)
        return np.median(times)

    assert seconds(10**9) < 5 * seconds(10**4)


def test_signs_of_largest_are_balanced_and_independent_of_size():
    a = selection.margins(np.random.default_rng(5), 50, 200, "largest", 2000)
    assert binomtest(int((a > 0).sum()), a.size).pvalue > 1e-4
    assert ks_2samp(a[a > 0], -a[a < 0]).pvalue > 1e-4
    neighbours = np.sign(a[:, 1:] * a[:, :-1])
    assert abs(neighbours.mean()) < 4 / np.sqrt(neighbours.size)


@pytest.mark.parametrize("layer", [(32, 33, "largest"), (32, 48, "signed"), (64, 4096, "largest"), (40, 120, "labelled")])
def test_norms_of_wide_layers_have_the_law_of_their_margins(layer):
    rng = np.random.default_rng(10)
    assert layer[0] >= selection.WIDE
    norms, drawn = selection.margin_norms(rng, *layer, 40_000), np.linalg.norm(drawn_fast(rng, 40_000, *layer), axis=1)
    assert ks_2samp(norms, drawn).pvalue > 1e-4
    assert ks_2samp(norms * 1.01, drawn).pvalue < 1e-4
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    assert weight @ theory.log_norm_quantile(*layer)(z) / weight.sum() == pytest.approx(theory.mean_log_norm(*layer), abs=1e-10)


@pytest.mark.parametrize("layer", [(10**5, 10**9), (10**6, 10**6 + 1)])
def test_norms_of_a_million_units_cost_no_more(layer):
    mean = np.square(selection.margin_norms(np.random.default_rng(11), *layer, "largest", 100_000)).mean()
    assert mean == pytest.approx(layer[0] * theory.finite_second_moment(*layer), rel=1e-4)


def test_labels_are_respected():
    a = selection.margins(np.random.default_rng(6), 6, 6 * 40, "labelled", 500, bits(6))
    assert (np.sign(a) == bits(6)).all()  # the largest of 40 is negative once in 10^12
    assert abs(selection.margins(np.random.default_rng(6), 6, 240, "signed", 500).min()) > 0


@pytest.mark.parametrize("size, shape", [((), ()), (3, (3,)), ((2, 3), (2, 3))])
@pytest.mark.parametrize("layer", [(4, None, "none"), (4, 12, "largest")])
def test_shapes(layer, size, shape):
    assert selection.margins(np.random.default_rng(7), *layer, size).shape == (*shape, 4)
    assert selection.margin_norms(np.random.default_rng(7), *layer, size).shape == shape


def test_norms_come_in_blocks_of_the_same_law(monkeypatch):
    monkeypatch.setattr(selection, "BLOCK", 50)
    norms = selection.margin_norms(np.random.default_rng(8), 10, 40, "largest", (50, 21))
    whole = np.linalg.norm(drawn_whole(np.random.default_rng(9), 1050, 10, 40, "largest"), axis=1)
    assert ks_2samp(norms.ravel(), whole).pvalue > 1e-4


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0, 8, "largest"), "width: 0"),
        ((4, 3, "largest"), "pool: 3"),
        ((4, 8, "none"), "pool: 8"),
        ((4, 9, "labelled", (), np.ones(4)), "pool: 9"),
        ((4, 8, "biggest"), "rule: 'biggest'"),
        ((4, 8, "labelled"), "labels: None"),
        ((4, 8, "labelled", (), [1, -1, 1]), r"labels: shape \(3,\)"),
        ((4, 8, "labelled", (), [1, -1, 1, 0]), r"labels: .*0\."),
        ((4, 8, "labelled", (), [1, -1, 1, np.nan]), "labels: .*nan"),
    ],
)
def test_impossible_layers_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        selection.margins(np.random.default_rng(0), *arguments)
