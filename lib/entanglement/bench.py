"""`make bench`: what the library's shortcuts gain, measured in one run, into build/bench.json.

Run times are medians of REPEATS calls after a warm-up; the spread is the least and the most that
single calls would give. Peers that are not installed are named and skipped. Other machines differ.
"""

import importlib.util
import json
import statistics
import subprocess
import sys
import time

import numpy as np

from companion.claims import output_dir, write_whole
from companion.tree import status
from entanglement.dense import DenseNetwork
from entanglement.layer import Layer
from entanglement.lazy import LazyNetwork
from entanglement.pairs import simulate

REPEATS = 5
DENSE_LAYERS = 3  # dense networks are timed on this many layers and scaled up
SIZES = [(256, 16384, 15), (512, 5000, 50), (2500, 3400, 300)]  # k, n, L
WIDTHS, DEPTHS = [10**4, 10**5, 10**6], [100, 1000, 10**4]
PAIR_DEPTH = 10**4
DIMENSION, BITS, VECTORS = 256, 256, 2000  # of the hashes
DEEP = """
import resource
from pathlib import Path
from entanglement import Layer, simulate
simulate(Layer(100, 400), 1.0, 10**6, trials=100, keep=[0, 1000, 10**6])
linux = Path("/proc/self/status")  # there ru_maxrss would count what the parent held
kibibytes = int(linux.read_text().split("VmHWM:")[1].split()[0]) if linux.exists() else 0
print(1024 * kibibytes or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def seconds(run):
    """Run times of REPEATS calls after a warm-up, in seconds."""
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def line(what, value, least, most, asked=""):
    """One line of the table."""
    return dict(what=what, value=value, least=least, most=most, asked=asked)


def ratio(what, above, below, asked=""):
    """The ratio of the medians of two lists of run times."""
    medians = statistics.median(above) / statistics.median(below)
    return line(what, medians, min(above) / max(below), max(above) / min(below), asked)


def infer(kind, width, pool, depth):
    """A function that infers a network from one input, d = k, and answers one query."""
    x, query = np.random.default_rng(0).standard_normal((2, width))
    return lambda: kind(Layer(width, pool), depth).fit(x).proper_velocity(query[None])


def infer_in_numpy(width, pool, depth):
    """The same in plain NumPy: pools drawn whole, k rows kept, both features sent through them."""

    def run():
        rng = np.random.default_rng(0)
        X = rng.standard_normal((width, 2))
        for _ in range(depth):
            images = rng.standard_normal((pool, width)) @ X
            kept = np.argpartition(np.abs(images[:, 0]), pool - width)[-width:]
            X = images[kept] / np.linalg.norm(images[kept], axis=0)

    return run


def lazy_against_dense():
    for width, pool, depth in SIZES:
        lazy = seconds(infer(LazyNetwork, width, pool, depth))
        dense = dict(
            torch=infer(DenseNetwork, width, pool, DENSE_LAYERS),
            NumPy=infer_in_numpy(width, pool, DENSE_LAYERS),
        )
        for name, run in dense.items():
            times = [depth / DENSE_LAYERS * t for t in seconds(run)]
            size = f"k = {width}, n = {pool}, L = {depth}"
            asked = "at least 300" if width == 2500 else ""
            yield ratio(f"dense network in {name} over LazyNetwork, {size}", times, lazy, asked)


def pairs(width, depth, trials, pool=None):
    """A function that simulates pairs and keeps every layer."""
    return lambda: simulate(Layer(width, pool), 1.0, depth, trials=trials)


def draws(width, depth, trials, pool=None):
    """A function that draws as many variates as simulate: A (chi, or a normal score), B and z."""

    def run():
        rng, shape = np.random.default_rng(0), (depth, trials)
        rng.standard_normal(shape) if pool else rng.chisquare(width, shape)
        rng.chisquare(width - 1, shape)
        rng.standard_normal(shape)

    return run


def pairs_against_draws():
    for name, pool, asked in (("no selection", None, "at most 3"), ("n = 4 k", 400, "")):
        size = (100, PAIR_DEPTH, 100, pool)
        what = f"simulate over drawing its variates, {name}, L = {PAIR_DEPTH}, 100 trials"
        yield ratio(what, seconds(pairs(*size)), seconds(draws(*size)), asked)


GROWTH = {  # sizes, what to time at a size, exponent expected
    "LazyNetwork in width, L = 10": (WIDTHS, lambda k: infer(LazyNetwork, k, 2 * k, 10), 1),
    "LazyNetwork in depth, k = 1000": (DEPTHS, lambda L: infer(LazyNetwork, 1000, 2000, L), 1),
    "simulate in width, L = 100, 1000 trials": (WIDTHS, lambda k: pairs(k, 100, 1000, 2 * k), 0),
    "simulate in depth, k = 1000, 100 trials": (DEPTHS, lambda L: pairs(1000, L, 100, 2000), 1),
}


def exponents(times):
    """Slopes of ln(time) on ln(size)."""
    for name, (sizes, _, expected) in GROWTH.items():
        logs = np.log(times[name])  # (sizes, REPEATS)
        single = np.polyfit(np.log(sizes), logs, 1)[0]
        value = np.polyfit(np.log(sizes), np.median(logs, axis=1), 1)[0]
        yield line(f"exponent of run time: {name}", value, min(single), max(single), f"{expected}")


def memory():
    """Peak memory of a fresh process that simulates very deep pairs, interpreter included."""
    told = subprocess.run([sys.executable, "-c", DEEP], capture_output=True, text=True, check=True)
    peak, what = int(told.stdout) / 2**20, "peak memory of simulate, L = 1e6, 100 trials, in MiB"
    return line(what, peak, peak, peak, "under 1000")


def faiss_bits(seed, X):
    from faiss import IndexLSH

    index = IndexLSH(X.shape[1], BITS, True)
    index.rrot.init(seed)  # its random rotation
    return np.unpackbits(index.sa_encode(X.astype(np.float32)), axis=1)


def sklearn_bits(seed, X):
    from sklearn.random_projection import GaussianRandomProjection

    return GaussianRandomProjection(BITS, random_state=seed).fit_transform(X) > 0


def own_bits(kind):
    """Bits of one layer of a network of ours, by the sign of its features."""
    return lambda seed, X: kind(Layer(BITS), 1, seed=seed).fit(X[0]).transform(X) > 0


HASHES = {  # the module that it needs, bits (P, BITS) from a seed and vectors (P, d)
    "DenseNetwork": ("torch", own_bits(DenseNetwork)),
    "LazyNetwork": ("numpy", own_bits(LazyNetwork)),
    "faiss-cpu's IndexLSH": ("faiss", faiss_bits),
    "scikit-learn's projection": ("sklearn", sklearn_bits),
}


def hashing(hashes):
    X = np.random.default_rng(0).standard_normal((VECTORS, DIMENSION))
    times = {name: seconds(lambda bits=bits: bits(1, X)) for name, bits in hashes.items()}
    for name in list(hashes)[1:]:
        what = f"hashing {VECTORS} vectors to {BITS} bits: {name} over DenseNetwork"
        yield ratio(what, times[name], times["DenseNetwork"])


def main():
    """Measure everything, print it as a table, and write build/bench.json."""
    hashes = {
        name: bits for name, (module, bits) in HASHES.items() if importlib.util.find_spec(module)
    }
    missing = sorted(set(HASHES) - set(hashes))
    times = {
        name: [seconds(timed(size)) for size in sizes] for name, (sizes, timed, _) in GROWTH.items()
    }
    lines = [*lazy_against_dense(), *exponents(times), *pairs_against_draws(), memory()]
    lines += hashing(hashes)
    print("| what | measured | spread | asked |\n| --- | --- | --- | --- |")
    for entry in lines:
        print("| {what} | {value:.3g} | {least:.3g} to {most:.3g} | {asked} |".format(**entry))
    for name in missing:
        print(f"skipped: {name} is not installed here")
    written = json.dumps(dict(lines=lines, skipped=missing, seconds=times), indent=1)
    write_whole(output_dir().parent / "bench.json", written.encode())


if __name__ == "__main__":
    sys.exit(status(main))
