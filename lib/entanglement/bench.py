"""`make bench`: what the library's shortcuts gain, as ratios of median run times in one process; writes build/bench.json."""

import json
import statistics
import time

import numpy as np

from entanglement.claims import output_dir, write_whole
from entanglement.dense import DenseNetwork
from entanglement.lazy import LazyNetwork
from entanglement.pairs import simulate

DENSE_LAYERS = 3  # the dense network is timed on this many layers and scaled up
REPEATS = 5


def seconds(run):
    """Run times of REPEATS calls after a warm-up, in seconds."""
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def network(kind, width, depth, pool):
    """A function that infers a network from one input and answers one query, width = input dimension."""
    x, query = np.random.default_rng(0).standard_normal((2, width))
    return lambda: kind(width, depth, pool).fit(x).proper_velocity(query[None])


def draws(width, depth, trials):
    """A function that draws as many variates as simulate does without selection: A, B and z of every layer and trial."""

    def run():
        rng = np.random.default_rng(0)
        for freedom in (width, width - 1):
            rng.chisquare(freedom, (depth, trials))
        rng.standard_normal((depth, trials))

    return run


def pairs(width, depth, trials):
    """A function that simulates pairs without selection, keeping every layer."""
    return lambda: simulate(1.0, width, depth, rule="none", trials=trials)


def comparisons():
    """(what, slower, faster, factor to scale the slower one by, what is asked of the ratio)."""
    size = dict(width=2500, pool=3400)
    return [
        (
            f"DenseNetwork over LazyNetwork: k = 2500, n = 3400, 300 layers, one query (dense: {DENSE_LAYERS} layers, scaled up)",
            network(DenseNetwork, depth=DENSE_LAYERS, **size),
            network(LazyNetwork, depth=300, **size),
            300 / DENSE_LAYERS,
            "at least 300",
        ),
        ("simulate, rule none: width 1e6 over width 100", pairs(10**6, 1000, 1000), pairs(100, 1000, 1000), 1, "at most 2"),
        ("simulate, 1e5 layers x 100 trials, over drawing its variates", pairs(100, 10**5, 100), draws(100, 10**5, 100), 1, "at most 3"),
    ]


def main():
    """Run every comparison, print it and write build/bench.json."""
    results = []
    for what, slower, faster, factor, asked in comparisons():
        above, below = [factor * t for t in seconds(slower)], seconds(faster)
        middle, ratios = statistics.median(above) / statistics.median(below), sorted(a / b for a, b in zip(above, below, strict=True))
        results.append(dict(what=what, ratio=middle, least=ratios[0], most=ratios[-1], seconds=[above, below], asked=asked))
        print(f"{middle:9.2f}  [{ratios[0]:.2f}, {ratios[-1]:.2f}]  {what}: asked {asked}", flush=True)
    write_whole(output_dir().parent / "bench.json", json.dumps(results, indent=1).encode())


if __name__ == "__main__":
    main()
