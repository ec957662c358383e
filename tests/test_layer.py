"""Layer and the table of rules; the O(k) margins against pools drawn whole and sorted."""

from time import perf_counter

import numpy as np
import pytest
from rules_table import LAYERS, RULES, SELECTING, bits, drawn_whole, told, wanted
from scipy.stats import binomtest, ks_2samp

from entanglement import (
    DenseNetwork,
    Layer,
    LazyNetwork,
    margin_norms,
    margins,
    pairs,
    rules,
    theory,
)


def drawn_fast(rng, trials, layer):
    return margins(layer, rng, trials, wanted(layer))


def test_the_tests_know_every_rule():
    assert RULES.keys() == rules.RULES.keys() and all(rule.pools for rule in RULES.values())


@pytest.mark.parametrize("rule", RULES)
def test_an_ordinary_layer_is_one_whatever_the_rule_asked_for(rule):
    layer = Layer(8, 8, rule)
    assert layer == Layer(8) == Layer(8, None, rule) and hash(layer) == hash(Layer(8))
    assert (layer.pool, layer.rule, layer.kept, layer.selects) == (8, "none", 1, False)


def test_a_layer_is_its_width_pool_and_rule():
    layer = Layer(np.int64(4), 8.0, "signed")
    assert layer == Layer(4, 8, "signed") and type(layer.width) is type(layer.pool) is int
    assert layer.kept == 0.5 and layer.selects and layer.law is rules.RULES["signed"]
    others = Layer(4, 8), Layer(4, 9, "signed"), Layer(5, 8, "signed")
    assert len({layer, *others}) == 4 and Layer(4, 8).rule == "largest"
    with pytest.raises(AttributeError):
        layer.width = 5


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((1, 8), "width: 1 "),
        ((2.5, 8), "width: 2.5 "),
        (("8", 8), "width: '8'"),
        ((True, 8), "width: True"),
        ((np.nan, 8), "width: nan"),
        ((10**7 + 1,), "width: 10000001 .* 1e.07"),
        ((4, 3), "pool: 3 .*width 4"),
        ((4, np.inf), "pool: inf"),
        ((4, 10**15 + 1), "pool: 1000000000000001 "),
        ((4, 8, "none"), "pool: 8 .*width 4"),
        ((4, 10, "labelled"), "pool: 10 .*width 4"),
        ((4, 8, "biggest"), "rule: 'biggest'"),
        ((4, 4, "biggest"), "rule: 'biggest'"),  # before it is seen that n = k needs no rule
        ((4, None, None), "rule: None"),
    ],
)
def test_impossible_layers_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Layer(*arguments)


@pytest.mark.parametrize(
    "labels, message",
    [
        (None, "None"),
        ([1, -1, 1], r"shape \(3,\)"),
        ([1, -1, 1, 0], r".*0\."),
        ([1] * 3 + [np.nan], "nan"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    layer = Layer(4, 8, "labelled")
    for use in (
        lambda: margins(layer, np.random.default_rng(0), (), labels),
        lambda: LazyNetwork(layer, 2).fit(np.ones(3), labels),
        lambda: DenseNetwork(layer, 2).fit(np.ones(3), labels),
    ):
        with pytest.raises(ValueError, match=f"^labels: .*{message}"):
            use()


def test_what_a_rule_lacks_is_refused_by_name(monkeypatch):
    """A rule of which nothing is told but its name draws, keeps and answers nothing."""
    monkeypatch.setitem(rules.RULES, "untold", type("Untold", (rules.Rule,), {"name": "untold"})())
    layer, rng = Layer(40, 80, "untold"), np.random.default_rng(0)
    forms = "second_moment mean_log_norm rapidity_gain log_norm_quantile inverse_norm_moments"
    uses = [lambda form=form: getattr(theory, form)(layer) for form in forms.split()]
    uses += [
        lambda: theory.bit_flip_probability(layer, 1.0),
        lambda: margins(layer, rng),
        lambda: pairs.simulate(layer, 1.0, 2),
        lambda: LazyNetwork(layer, 2).fit(np.ones(3)),
        lambda: DenseNetwork(layer, 2).fit(np.ones(3)),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="^rule: 'untold' has no "):
            use()


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_margins_have_the_law_of_pools_drawn_whole(layer):
    rng = np.random.default_rng(1)
    fast, whole = drawn_fast(rng, 20_000, layer), drawn_whole(rng, 20_000, layer)
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
    norms = margin_norms(layer, rng, 20_000)
    assert ks_2samp(norms, np.linalg.norm(whole, axis=1)).pvalue > 1e-4


@pytest.mark.parametrize("layer", SELECTING, ids=str)
def test_that_comparison_sees_a_slightly_larger_pool(layer):
    more = layer.width if layer.law.labelled else 1 + layer.pool // 10
    rng, near = np.random.default_rng(2), Layer(layer.width, layer.pool + more, layer.rule)
    other = np.linalg.norm(drawn_whole(rng, 20_000, near), axis=1)
    assert ks_2samp(margin_norms(layer, rng, 20_000), other).pvalue < 1e-4


@pytest.mark.parametrize("rule", sorted({layer.rule for layer in SELECTING if told(layer)}))
@pytest.mark.parametrize("pool", [20, 1000, 10**9])
def test_mean_square_up_to_a_billion_rows(rule, pool):
    layer = Layer(10, pool, rule)
    a = drawn_fast(np.random.default_rng(3), 20_000, layer)
    assert np.isfinite(a).all()
    squares = (a**2).mean(axis=1)
    error = squares.mean() - theory.finite_second_moment(layer)
    assert abs(error) < 4 * squares.std() / np.sqrt(squares.size)


def test_cost_does_not_grow_with_the_pool():
    def seconds(pool):
        rng, times, layer = np.random.default_rng(4), [], Layer(5000, pool)
        for _ in range(15):
            start = perf_counter()
            margins(layer, rng)
            times.append(perf_counter() - start)
        return np.median(times)

    assert seconds(10**9) < 5 * seconds(10**4)


def test_signs_of_largest_are_balanced_and_independent_of_size():
    a = margins(Layer(50, 200), np.random.default_rng(5), 2000)
    assert binomtest(int((a > 0).sum()), a.size).pvalue > 1e-4
    assert ks_2samp(a[a > 0], -a[a < 0]).pvalue > 1e-4
    neighbours = np.sign(a[:, 1:] * a[:, :-1])
    assert abs(neighbours.mean()) < 4 / np.sqrt(neighbours.size)


WIDE = [(32, 33, "largest"), (32, 48, "signed"), (64, 4096, "largest"), (40, 120, "labelled")]


@pytest.mark.parametrize("layer", [Layer(*layer) for layer in WIDE], ids=str)
def test_norms_of_wide_layers_have_the_law_of_their_margins(layer):
    rng = np.random.default_rng(10)
    assert layer.width >= theory.WIDE
    drawn = np.linalg.norm(drawn_fast(rng, 40_000, layer), axis=1)
    norms = margin_norms(layer, rng, 40_000)
    assert ks_2samp(norms, drawn).pvalue > 1e-4
    assert ks_2samp(norms * 1.01, drawn).pvalue < 1e-4
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    mean = weight @ theory.log_norm_quantile(layer)(z) / weight.sum()
    assert mean == pytest.approx(theory.mean_log_norm(layer), abs=1e-10)


@pytest.mark.parametrize("layer", [Layer(10**5, 10**9), Layer(10**6, 10**6 + 1)], ids=str)
def test_norms_of_a_million_units_cost_no_more(layer):
    mean = np.square(margin_norms(layer, np.random.default_rng(11), 100_000)).mean()
    assert mean == pytest.approx(layer.width * theory.finite_second_moment(layer), rel=1e-4)


def test_labels_are_respected():
    a = margins(Layer(6, 6 * 40, "labelled"), np.random.default_rng(6), 500, bits(6))
    assert (np.sign(a) == bits(6)).all()  # the largest of 40 is negative once in 10^12


@pytest.mark.parametrize("size, shape", [((), ()), (3, (3,)), ((2, 3), (2, 3))])
@pytest.mark.parametrize("layer", [Layer(4), Layer(4, 12)], ids=str)
def test_shapes(layer, size, shape):
    assert margins(layer, np.random.default_rng(7), size).shape == (*shape, 4)
    assert margin_norms(layer, np.random.default_rng(7), size).shape == shape


def test_norms_come_in_blocks_of_the_same_law(monkeypatch):
    monkeypatch.setattr(pairs, "MARGINS", 50)
    layer = Layer(10, 40)
    norms = margin_norms(layer, np.random.default_rng(8), (50, 21))
    whole = np.linalg.norm(drawn_whole(np.random.default_rng(9), 1050, layer), axis=1)
    assert ks_2samp(norms.ravel(), whole).pvalue > 1e-4
