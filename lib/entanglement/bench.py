"""`make bench`: what the library's shortcuts gain, measured in one run, into build/bench.json and
build/bench.png.

Run times are medians of REPEATS calls after a warm-up; the spread is the least and the most that
single calls would give. Peers that are not installed are named and skipped. Other machines give
other numbers.
"""

import importlib.util
import io
import json
import statistics
import subprocess
import sys
import time

import numpy as np

from companion.claims import mean_error, output_dir, write_whole
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
ANGLES = np.radians([15, 45, 90, 135, 165])
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
    return line(
        what,
        statistics.median(above) / statistics.median(below),
        min(above) / max(below),
        max(above) / min(below),
        asked,
    )


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
        for name, run in dict(
            torch=infer(DenseNetwork, width, pool, DENSE_LAYERS),
            NumPy=infer_in_numpy(width, pool, DENSE_LAYERS),
        ).items():
            dense = [depth / DENSE_LAYERS * t for t in seconds(run)]
            asked = "at least 300" if width == 2500 else ""
            yield ratio(
                f"dense network in {name} over LazyNetwork, k = {width}, n = {pool}, L = {depth}",
                dense,
                lazy,
                asked,
            )


def pairs(width, depth, trials, pool=None):
    """A function that simulates pairs and keeps every layer."""
    return lambda: simulate(Layer(width, pool), 1.0, depth, trials=trials)


def draws(width, depth, trials, pool=None):
    """A function that draws as many variates as simulate does: for A (a normal score with
    selection, else a chi), B and z.
    """

    def run():
        rng, shape = np.random.default_rng(0), (depth, trials)
        rng.standard_normal(shape) if pool else rng.chisquare(width, shape)
        rng.chisquare(width - 1, shape)
        rng.standard_normal(shape)

    return run


def pairs_against_draws():
    for name, pool, asked in (("no selection", None, "at most 3"), ("n = 4 k", 400, "")):
        size = (100, PAIR_DEPTH, 100, pool)
        yield ratio(
            f"simulate over drawing its variates, {name}, L = {PAIR_DEPTH}, 100 trials",
            seconds(pairs(*size)),
            seconds(draws(*size)),
            asked,
        )


GROWTH = {  # sizes, what to time at a size, exponent expected
    "LazyNetwork in width, L = 10": (WIDTHS, lambda k: infer(LazyNetwork, k, 2 * k, 10), 1),
    "LazyNetwork in depth, k = 1000": (
        DEPTHS,
        lambda depth: infer(LazyNetwork, 1000, 2000, depth),
        1,
    ),
    "simulate in width, L = 100, 1000 trials": (WIDTHS, lambda k: pairs(k, 100, 1000, 2 * k), 0),
    "simulate in depth, k = 1000, 100 trials": (
        DEPTHS,
        lambda depth: pairs(1000, depth, 100, 2000),
        1,
    ),
}


def exponents(times):
    """Slopes of ln(time) on ln(size)."""
    for name, (sizes, _, expected) in GROWTH.items():
        logs = np.log(times[name])  # (sizes, REPEATS)
        single = np.polyfit(np.log(sizes), logs, 1)[0]
        value = np.polyfit(np.log(sizes), np.median(logs, axis=1), 1)[0]
        yield line(f"exponent of run time: {name}", value, min(single), max(single), f"{expected}")


def memory():
    """Peak memory of a fresh process that simulates very deep pairs and keeps a few layers,
    interpreter and SciPy included.
    """
    peak = (
        int(
            subprocess.run(
                [sys.executable, "-c", DEEP], capture_output=True, text=True, check=True
            ).stdout
        )
        / 2**20
    )
    return line(
        "peak memory of simulate, L = 1e6, 100 trials, 3 layers kept, in MiB",
        peak,
        peak,
        peak,
        "under 1000",
    )


def faiss_bits(seed, X):
    from faiss import IndexLSH

    index = IndexLSH(X.shape[1], BITS, True)
    index.rrot.init(seed)  # its random rotation
    return np.unpackbits(index.sa_encode(X.astype(np.float32)), axis=1)


def sklearn_bits(seed, X):
    from sklearn.random_projection import GaussianRandomProjection

    return GaussianRandomProjection(BITS, random_state=seed).fit_transform(X) > 0


HASHES = {  # the module that it needs, bits (P, BITS) from a seed and vectors (P, d)
    "DenseNetwork": (
        "torch",
        lambda seed, X: DenseNetwork(Layer(BITS), 1, seed=seed).fit(X[0]).transform(X) > 0,
    ),
    "LazyNetwork": (
        "numpy",
        lambda seed, X: LazyNetwork(Layer(BITS), 1, seed=seed).fit(X[0]).transform(X) > 0,
    ),
    "faiss-cpu's IndexLSH": ("faiss", faiss_bits),
    "scikit-learn's projection": ("sklearn", sklearn_bits),
}


def flips(bits):
    """Share of bits that differ between two vectors, by the angle between them: mean and standard
    error over REPEATS hashes.
    """
    X, other = np.linalg.qr(np.random.default_rng(0).standard_normal((VECTORS, DIMENSION, 2)))[
        0
    ].transpose(2, 0, 1)
    turned = np.concatenate([X, *(np.cos(angle) * X + np.sin(angle) * other for angle in ANGLES)])
    codes = [bits(seed, turned).reshape(len(ANGLES) + 1, -1) for seed in range(REPEATS)]
    return mean_error([(code[1:] != code[0]).mean(axis=1) for code in codes])


def hashing(hashes, shares):
    X = np.random.default_rng(0).standard_normal((VECTORS, DIMENSION))
    times = {name: seconds(lambda bits=bits: bits(1, X)) for name, bits in hashes.items()}
    for name in list(hashes)[1:]:
        yield ratio(
            f"hashing {VECTORS} vectors to {BITS} bits: {name} over DenseNetwork",
            times[name],
            times["DenseNetwork"],
        )
    for name, (mean, error) in shares.items():
        yield line(
            f"share of hash bits that differ at 45 degrees: {name}",
            mean[1],
            mean[1] - 1.96 * error[1],
            mean[1] + 1.96 * error[1],
            "0.25",
        )


def picture(lines, times, shares):
    """The numbers as a picture: PNG bytes."""
    from companion.plots import BLUE, GREEN, ORANGE, PURPLE, figure, law, points

    fig, (left, middle, right) = figure(1, 3, size=(15, 4.8))
    for first, color, name in ((0, BLUE, "torch"), (1, ORANGE, "NumPy")):
        chosen = lines[first : 2 * len(SIZES) : 2]
        value, least, most = (
            np.array([entry[key] for entry in chosen]) for key in ("value", "least", "most")
        )
        bars = [value - least, most - value]
        left.errorbar(
            np.arange(len(SIZES)) + first / 8,
            value,
            bars,
            color=color,
            fmt="os"[first],
            label=f"dense in {name}",
        )
    left.set(
        title="Dense over lazy: ratio of run times",
        ylabel="ratio (bars: least to most)",
        xlim=(-0.5, len(SIZES) - 0.4),
    )
    left.set_ylim(bottom=0)
    left.set_xticks(range(len(SIZES)), [f"k = {k}\nn = {n}\nL = {depth}" for k, n, depth in SIZES])
    for (name, (sizes, _, slope)), color, marker in zip(
        GROWTH.items(), (BLUE, BLUE, GREEN, GREEN), "osos"
    ):
        median = np.median(times[name], axis=1)
        law(middle, sizes, median[-1] * (np.array(sizes) / sizes[-1]) ** slope, color=color, lw=1)
        middle.plot(sizes, median, marker, color=color, label=name)
    middle.set(
        title="Run time against size (lines: slopes 0 and 1)",
        xlabel="width or depth",
        ylabel="seconds",
        xscale="log",
        yscale="log",
    )
    law(right, [0, 180], [0, 1], label="angle / 180 degrees")
    for (name, (mean, error)), color, marker in zip(
        shares.items(), (BLUE, GREEN, ORANGE, PURPLE), "os^v"
    ):
        points(
            right,
            np.degrees(ANGLES),
            mean,
            error,
            label=name,
            color=color,
            marker=marker,
            mfc="none",
        )
    right.set(
        title="Hash bits without selection",
        xlabel="angle between two vectors (degrees)",
        ylabel="share of bits that differ",
    )
    for ax in (left, middle, right):
        ax.legend()
    png = io.BytesIO()
    fig.savefig(png, format="png")
    return png.getvalue()


def main():
    """Measure everything, print it as a table, and write build/bench.json and build/bench.png."""
    hashes = {
        name: bits for name, (module, bits) in HASHES.items() if importlib.util.find_spec(module)
    }
    missing = sorted(set(HASHES) - set(hashes))
    lines = list(lazy_against_dense())  # first, as the picture expects
    times = {
        name: [seconds(timed(size)) for size in sizes] for name, (sizes, timed, _) in GROWTH.items()
    }
    shares = {name: flips(bits) for name, bits in hashes.items()}
    lines += [*exponents(times), *pairs_against_draws(), memory(), *hashing(hashes, shares)]
    print("| what | measured | spread | asked |\n| --- | --- | --- | --- |")
    for entry in lines:
        print("| {what} | {value:.3g} | {least:.3g} to {most:.3g} | {asked} |".format(**entry))
    for name in missing:
        print(f"skipped: {name} is not installed here")
    folder = output_dir().parent
    write_whole(
        folder / "bench.json",
        json.dumps(dict(lines=lines, skipped=missing, seconds=times), indent=1).encode(),
    )
    write_whole(folder / "bench.png", picture(lines, times, shares))


if __name__ == "__main__":
    main()
