"""Sweeps: a function over a grid of parameters, on this machine (joblib) or on a cluster (dask.distributed), resumable.

Results are stored as they arrive, one transaction each, in one SQLite file, so that whatever stops a sweep costs only the points
that were running. A point's seed derives from its own values, so neither back end, order nor number of workers changes a result.
`make sweep` runs an example, `phase`.
"""

import csv
import gc
import hashlib
import inspect
import io
import itertools
import json
import math
import sqlite3
import textwrap
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from entanglement.theory import check_count

from companion.claims import write_whole

RUNS = 2  # of a point alone, before it is blamed for the death of its workers
TIMEOUT = 60  # seconds to wait for another process that writes to the same file
IDLE = 5  # seconds after which workers end that have nothing to do, such as those of a sweep that was killed
CONNECT = 10  # seconds to wait for a scheduler


def sweep(function, grid, seed, path, scheduler=None, jobs=-1, retry=False):
    """Call `function` at every point of a grid, store what it returns in the SQLite file `path`, and return its rows, sorted.

    function: a plain function of `seed` (an int for default_rng) and the grid's names that returns a dict of numbers, bools or texts.
    grid: dict of name -> values (numbers, bools, texts). seed: the master seed. scheduler: address of a dask scheduler, such as
    "tcp://127.0.0.1:8786"; None: joblib with `jobs` processes (-1: one per core). A point that raises, or whose worker dies each
    time, gets a row with the text of its `error`, and is run again only with `retry`. Stored points are never repeated.
    Raises ValueError for bad arguments, and for a file of another sweep: other function, source of it, seed or grid.
    What else the function depends on is for the caller to keep the same.
    """
    points, seed = _points(grid), check_count("seed", seed, 0)
    if jobs != -1:
        check_count("jobs", jobs)
    with closing(_open(Path(path), _identity(function, points, seed))) as db:
        stored = {point: outcome for point, outcome in db.execute("select point, outcome from results")}
        if retry:
            stored = {point: outcome for point, outcome in stored.items() if "error" not in json.loads(outcome)}
        todo = [point for point in points if point not in stored]
        if todo:
            with _pool(partial(_attempt, function, seed), scheduler, jobs) as pool, closing(_outcomes(pool, todo)) as outcomes:
                for point, outcome in _progress(outcomes, len(todo), len(points)):
                    db.execute("insert or replace into results values (?, ?)", (point, json.dumps(outcome, sort_keys=True)))
    return rows(path)


def rows(path):
    """The rows stored in `path`, sorted by the grid's names in order: a list of dicts of grid values and results, or `error`."""
    return [{**point, **outcome} for point, outcome in _stored(path)]


def export(path, table):
    """Write the rows of the sweep `path` to the csv file `table`, floats exact; the same bytes however the sweep was run."""
    stored = _stored(path)
    names = list(stored[0][0]) if stored else []
    results = sorted({name for _, outcome in stored for name in outcome} - {"error"})
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names, *results, "error"], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**point, **outcome} for point, outcome in stored)
    write_whole(table, text.getvalue().encode("utf-8", "backslashreplace"))


# ---- arguments, and the file


def _points(grid):
    """The points of a grid, each as the text that identifies it: JSON, names sorted; numbers come back from it exactly."""
    if not isinstance(grid, dict) or not grid or not all(isinstance(name, str) for name in grid):
        raise ValueError(f"grid: {grid!r} is not a dict of name -> list of values")
    axes = []
    for name, values in sorted(grid.items()):
        if name in ("seed", "error"):
            raise ValueError(f"grid: the name {name!r} is taken")
        if not isinstance(values, (list, tuple, range, np.ndarray)) or not len(values):
            raise ValueError(f"grid: {name} has {values!r}, want a list of values")
        axes.append([_scalar(f"grid: {name}", value) for value in values])
        if not all(math.isfinite(value) for value in axes[-1] if isinstance(value, float)):
            raise ValueError(f"grid: {name} has {values!r}, want finite numbers")
        if len(set(axes[-1])) < len(axes[-1]):
            raise ValueError(f"grid: {name} has a value twice in {values!r}")
    return [json.dumps(dict(zip(sorted(grid), values))) for values in itertools.product(*axes)]


def _scalar(name, value):
    value = value.item() if isinstance(value, (np.generic, np.ndarray)) and np.ndim(value) == 0 else value
    if not isinstance(value, (bool, int, float, str)):
        raise ValueError(f"{name} has {value!r}, want a number, a bool or a text")
    return value


def _identity(function, points, seed):
    """What a file must have been made with to be gone on with."""
    try:
        inspect.signature(function).bind(seed=seed, **json.loads(points[0]))
        source = textwrap.dedent(inspect.getsource(function))
    except (TypeError, OSError) as error:
        raise ValueError(f"function: {function!r} must be a function, defined in a file, of seed and the grid's names ({error})") from error
    return dict(
        function=f"{function.__module__}.{function.__qualname__}",
        source=hashlib.sha256(source.encode()).hexdigest()[:16],
        seed=str(seed),
        grid=hashlib.sha256("\n".join(sorted(points)).encode()).hexdigest()[:16],
    )


def _open(path, identity):
    """A connection to the file of this sweep, made if it is new; ValueError if it is of another sweep, or something else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=TIMEOUT, isolation_level=None)
        db.execute("begin immediate")
        if not db.execute("select * from sqlite_master").fetchall():
            db.execute("create table sweep (name text primary key, value text)")
            db.execute("create table results (point text primary key, outcome text)")
            db.executemany("insert into sweep values (?, ?)", identity.items())
        found = dict(db.execute("select name, value from sweep"))
        db.execute("commit")
    except (OSError, sqlite3.Error) as error:
        raise ValueError(f"path: {str(path)!r} cannot hold this sweep ({error})") from error
    for what, value in identity.items():
        if found.get(what) != value:
            raise ValueError(
                f"path: {str(path)!r} holds a sweep of another {what} ({found.get(what)}, not {value}); choose another path or delete it"
            )
    return db


def _stored(path):
    """(point, outcome) of every point stored, as dicts, sorted."""
    try:
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", timeout=TIMEOUT, uri=True)) as db:
            table = [(json.loads(point), json.loads(outcome)) for point, outcome in db.execute("select point, outcome from results")]
    except sqlite3.Error as error:
        raise ValueError(f"path: {str(path)!r} is not the file of a sweep ({error})") from error
    return sorted(table, key=lambda row: [(isinstance(value, str), value, str(value)) for value in row[0].values()])


# ---- running points


def _attempt(function, seed, point):
    """(point, what the function returns there, or its error); runs in the workers."""
    arguments = json.loads(point)
    own = int.from_bytes(hashlib.sha256(f"{seed} {point}".encode()).digest()[:16])
    try:
        values = function(seed=own, **arguments)
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values) or {*arguments, "error"} & set(values):
            raise ValueError(f"returned {values!r}, want a dict of results under names of their own")
        return point, {name: _scalar(name, value) for name, value in values.items()}
    except (Exception, SystemExit) as error:
        return point, dict(error=f"{type(error).__name__}: {error}")


def _outcomes(pool, points):
    """(point, outcome) as they arrive. Points that were running when a worker died are run again, each alone, in the end."""
    suspects = []
    for point, outcome in pool(points):
        if outcome is None:
            suspects.append(point)
        else:
            yield point, outcome
    for point in suspects:
        for _ in range(RUNS):
            ((_, outcome),) = pool([point])
            if outcome is not None:
                break
        yield point, outcome or dict(error="its worker died whenever it ran")


@contextmanager
def _pool(attempt, scheduler, jobs):
    """A function that runs points and yields (point, outcome), outcome None if a worker died while the point may have been running."""
    if scheduler is None:
        yield partial(_on_joblib, attempt, jobs)
        return
    with _client(scheduler) as client:
        yield partial(_on_dask, attempt, client)


def _client(scheduler):
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ValueError(f"scheduler: {scheduler!r} needs an extra, `pip install -c lib/constraints.txt 'dask[distributed]'`") from error
    try:
        return Client(scheduler, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        why = str(error)
    gc.collect()  # ends the half-made client here: where another one starts, distributed would wait for itself
    raise ValueError(f"scheduler: {scheduler!r} does not answer ({why})")


def _on_joblib(attempt, jobs, points):
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    while points:
        workers = Parallel(jobs, "loky", return_as="generator_unordered", batch_size=1, idle_worker_timeout=IDLE)
        running, done = {}, set()  # running: in the order started

        def started(points=points, running=running):
            for point in points:
                running[point] = None
                yield delayed(attempt)(point)

        try:
            for point, outcome in workers(started()):
                done.add(point)
                yield point, outcome
            return
        except TerminatedWorkerError:  # joblib ends all of its workers when one dies
            suspects = [point for point in list(running) if point not in done]
            points = [point for point in points if point not in done and point not in suspects]
            yield from ((point, None) for point in suspects)


def _on_dask(attempt, client, points):
    from distributed import KilledWorker, as_completed

    futures = client.map(attempt, points, pure=False)
    asked = {future.key: point for future, point in zip(futures, points)}
    for future in as_completed(futures, loop=client.loop):
        try:
            yield future.result()
        except KilledWorker:  # after dask's own retries (distributed.scheduler.allowed-failures)
            yield asked[future.key], None


def _progress(outcomes, count, total):
    from tqdm import tqdm

    return tqdm(outcomes, total=total, initial=total - count, unit="point", disable=None, smoothing=0)  # None: silent if not on a terminal
