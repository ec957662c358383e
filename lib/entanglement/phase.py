"""`make sweep`: the depth that it takes to entangle, over width and n/k; an example of a sweep."""

import argparse
import sys

import numpy as np

from companion.claims import output_dir
from companion.sweep import export, sweep
from entanglement import pairs
from entanglement.layer import Layer
from entanglement.theory import ENTANGLED

PAIRS = 400
LAYERS = 8192  # held in memory at a time
GRID = dict(
    width=[2] + [round(10 ** (half / 2)) for half in range(1, 13)],
    ratio=[1, 1.001, 1.01, 1.1, 1.3, 2, 3, 10, 30, 100, 300, 1000, 10**4, 10**5, 10**6],
)


def entangling_depth(width, ratio, seed):
    """Depth at which the median |w| of PAIRS independent pairs (d = k) reaches ENTANGLED.

    Rule `largest`, pool = ratio times width, rounded. Only |w| is carried from one stretch of
    layers to the next: its law is a chain of its own, as w -> -w changes no probability.
    """
    pool, depth = round(ratio * width), 0
    theta = pairs.independent_angles(np.random.default_rng([seed, 0]), PAIRS, width)
    while True:
        layers = min(max(64, depth), LAYERS)
        chosen = dict(trials=PAIRS, seed=[seed, 1, depth])
        log_abs = pairs.simulate(Layer(width, pool), theta, layers, **chosen).log_abs
        reached = np.median(log_abs, axis=0) >= np.log(ENTANGLED)
        if reached.any():
            return dict(pool=pool, depth=depth + int(np.argmax(reached)))
        theta, depth = pairs.angle(pairs.Velocity(log_abs[:, -1], np.ones(PAIRS))), depth + layers


def main(arguments=None):
    """The phase diagram, into build/sweep/phase.sqlite and phase.csv."""
    parser = argparse.ArgumentParser(prog="python -m entanglement.phase", description=main.__doc__)
    where = "address of a dask scheduler; without one, processes of this machine"
    parser.add_argument("--scheduler", help=where)
    parser.add_argument("--jobs", type=int, default=-1, help="how many processes (-1: one a core)")
    parser.add_argument("--retry", action="store_true", help="run again what ended in an error")
    options = parser.parse_args(arguments)
    path = output_dir().parent / "sweep" / "phase.sqlite"
    try:
        lines = sweep(entangling_depth, GRID, 1, path, **vars(options))
    except ValueError as error:
        sys.exit(f"sweep: {error}")
    except KeyboardInterrupt:
        sys.exit("sweep: interrupted; the same command goes on from what is stored")
    export(lines, path.with_suffix(".csv"))
    errors = sum("error" in line for line in lines)
    print(f"{len(lines)} points, {errors} with an error: {path.with_suffix('.csv')}")


if __name__ == "__main__":
    from entanglement import phase  # so that workers find the function by its module's name

    phase.main()
