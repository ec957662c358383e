"""Sweeps: a function over a grid, on this machine (joblib) or on a cluster (dask), resumable.

Results are stored as they arrive in one SQLite file, so whatever stops a sweep costs the points
that were running and the last second's. A point's seed derives from its own values, so neither
back end, order, number of workers nor the rest of the grid changes a result.
"""

import csv
import fcntl
import gc
import hashlib
import inspect
import io
import itertools
import json
import math
import sqlite3
import sys
import threading
import traceback
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from companion.claims import write_whole

EVERY = 1  # seconds between commits, which cost milliseconds each
WAIT = 60  # seconds that a commit and a reader wait for one another
IDLE = 5  # seconds after which idle workers end, such as those of a sweep that was killed
CONNECT = 10  # seconds to wait for a scheduler
WAVE = 500  # points handed to a scheduler at a time; at most twice as many are out


def sweep(function, grid, seed, path, scheduler=None, jobs=-1, retry=False):
    """Call a function at every point of a grid, store what it returns, and return the grid's rows.

    function: of `seed` (an int for default_rng) and the grid's names, at the top level of a file;
    returns a dict of numbers, bools or texts. grid: dict of name -> values (numbers, bools, texts),
    which may differ from call to call. seed: the master seed. path: of the SQLite file. scheduler:
    address of a dask scheduler, such as "tcp://127.0.0.1:8786", whose workers are waited for; None:
    joblib with `jobs` processes (-1: one per core). Stored points are never repeated; one that
    raises, or whose worker dies each time, gets a row with the text of its `error`, and is run
    again only with `retry`.
    Raises ValueError for bad arguments, a file that another sweep is writing to, and one of another
    sweep: other function, code, names or seed. Code is the function's file and, in a package, every
    Python file of its folder and below. What else a result depends on (libraries, the code that
    running dask workers have loaded) is for the caller to keep the same.
    """
    points, seed = _points(grid), _count("seed", seed, 0)
    if jobs != -1:
        _count("jobs", jobs, 1)
    with _writing(Path(path), _identity(function, grid, seed)) as db:
        stored = _stored(db)
        done = {point for point in stored if not (retry and "error" in stored[point])}
        todo = [point for point in points if point not in done]
        run = partial(_on_joblib, jobs) if scheduler is None else partial(_on_dask, scheduler)
        bar = dict(unit="point", smoothing=0, disable=None)  # None: silent if not on a terminal
        bar.update(total=len(points), initial=len(points) - len(todo))
        with closing(_outcomes(partial(run, partial(_attempt, function, seed)), todo)) as outcomes:
            for result in tqdm(outcomes, **bar):
                db.execute("insert or replace into results values (?, ?)", result)
        return _rows(_stored(db), points)


def rows(path):
    """Every row stored in `path`, of whatever grid, sorted by the grid's names in order.

    Each is a dict of the point's values and its results, or `error`. May be called at any time.
    """
    address = f"{Path(path).absolute().as_uri()}?mode=rw"  # rw: to undo what a killed sweep left
    with _naming(path), closing(sqlite3.connect(address, timeout=WAIT, uri=True)) as db:
        stored = _stored(db)
    return _rows(stored, stored)


def export(rows, table):
    """Write rows to the csv file `table`: floats exact, the same bytes however they were made."""
    names = dict.fromkeys(name for row in rows for name in row if name != "error")
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names, "error"], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(table, text.getvalue().encode("utf-8", "backslashreplace"))


# ---- arguments


def _count(name, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}: {value!r} is not a whole number of at least {least}")
    return int(value)


def _points(grid):
    """The points of a grid, each as the text that identifies it: JSON, names sorted, exact."""
    if not isinstance(grid, dict) or not grid or not all(isinstance(name, str) for name in grid):
        raise ValueError(f"grid: {grid!r} is not a dict of name -> list of values")
    axes = []
    for name, values in sorted(grid.items()):
        if name in ("seed", "error"):
            raise ValueError(f"grid: the name {name!r} is taken")
        if not isinstance(values, (list, tuple, range, np.ndarray)) or not len(values):
            raise ValueError(f"grid: {name} has {values!r}, want a list of values")
        axes.append([_scalar(f"grid: {name}", value) for value in values])
        infinite = any(isinstance(x, float) and not math.isfinite(x) for x in axes[-1])
        if infinite or len(set(axes[-1])) < len(values):
            raise ValueError(f"grid: {name} has {values!r}, want finite values, each once")
    return [json.dumps(dict(zip(sorted(grid), values))) for values in itertools.product(*axes)]


def _scalar(name, value):
    if isinstance(value, (np.generic, np.ndarray)) and np.ndim(value) == 0:
        value = value.item()
    if not isinstance(value, (bool, int, float, str)):
        raise ValueError(f"{name} has {value!r}, want a number, a bool or a text")
    return value


def _identity(function, grid, seed):
    """What a file must have been made with to be gone on with."""
    try:
        inspect.signature(function).bind(seed=seed, **grid)
        name, code = f"{function.__module__}.{function.__qualname__}", _code(function)
    except (AttributeError, OSError, TypeError, ValueError) as error:
        want = f"a function of seed and the grid's names at the top level of a file ({error})"
        raise ValueError(f"function: {function!r} must be {want}") from error
    return dict(function=name, code=code, names=json.dumps(sorted(grid)), seed=str(seed))


def _code(function):
    """Hash of a function's file, and in a package of every Python file of its folder and below."""
    module = sys.modules.get(function.__module__)
    if getattr(module, function.__qualname__, None) is not function:
        raise TypeError(f"{function.__module__} has none of that name")
    file = Path(module.__file__)
    files = sorted(file.parent.rglob("*.py")) if module.__package__ else [file]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


# ---- the file


@contextmanager
def _naming(path, *kinds):
    """Errors of these kinds, and SQLite's, as a ValueError that names the file."""
    try:
        yield
    except (sqlite3.Error, json.JSONDecodeError, *kinds) as error:
        why = "another sweep is writing to it" if isinstance(error, BlockingIOError) else error
        raise ValueError(f"path: {str(path)!r} cannot be used for this sweep ({why})") from error


@contextmanager
def _writing(path, identity):
    """A connection to the file of this sweep, made if it is new; no other can write meanwhile."""
    with _naming(path, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = open(f"{path}.lock", "w")  # left behind: who removes it may remove another's
    options = dict(timeout=WAIT, check_same_thread=False)
    with lock, _naming(path), closing(sqlite3.connect(path, **options)) as db:
        with _naming(path, OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not db.execute("select * from sqlite_master").fetchall():
            db.execute("begin")
            db.execute("create table results (point text primary key, outcome text)")
            db.execute("create table sweep (name text primary key, value text)")
            db.executemany("insert into sweep values (?, ?)", identity.items())
            db.commit()
        found = dict(db.execute("select name, value from sweep"))
        for what in identity:
            if found.get(what) != identity[what]:
                differ = f"({found.get(what)}, not {identity[what]}); choose another or delete it"
                raise ValueError(f"path: {str(path)!r} holds a sweep of another {what} {differ}")
        over = threading.Event()
        thread = threading.Thread(target=_keep_committing, args=(db, over), daemon=True)
        thread.start()
        try:
            yield db
        finally:
            over.set()
            thread.join()
            db.commit()


def _keep_committing(db, over):
    """In a thread, because hours may pass between two results."""
    while not over.wait(EVERY):
        with suppress(sqlite3.Error):  # tried again, and in the end where it is heard
            db.commit()


def _stored(db):
    """point -> outcome: the text of each point stored, and a dict."""
    table = db.execute("select point, outcome from results")
    return {point: json.loads(outcome) for point, outcome in table}


def _rows(stored, points):
    kept = [(json.loads(point), stored[point]) for point in points]
    kept.sort(key=lambda row: [(isinstance(x, str), x, str(x)) for x in row[0].values()])
    return [{**point, **outcome} for point, outcome in kept]


# ---- running points


def _attempt(function, seed, point):
    """(point, the text of what the function returns there, or of its error); runs in workers."""
    arguments = json.loads(point)
    own = int.from_bytes(hashlib.sha256(f"{seed} {point}".encode()).digest()[:16])
    try:
        values = function(seed=own, **arguments)
        named = isinstance(values, dict) and all(isinstance(name, str) for name in values)
        if not named or {*arguments, "error"} & set(values):
            raise ValueError(f"returned {values!r}, want a dict of results, names of their own")
        values = {name: _scalar(name, value) for name, value in values.items()}
        return point, json.dumps(values, sort_keys=True)
    except (Exception, SystemExit) as error:
        text = "".join(traceback.format_exception_only(error)).strip()
        return point, json.dumps(dict(error=text))


def _outcomes(run, points):
    """(point, outcome) as they arrive; those of dead workers are run again, alone, in the end.

    run(points) yields (point, outcome), or (point, None) if a worker died that may have run it.
    """
    suspects = []
    for point, outcome in run(points):
        if outcome is None:
            suspects.append(point)
        else:
            yield point, outcome
    for point in suspects:
        ((_, outcome),) = run([point])
        yield point, outcome or json.dumps(dict(error="its worker died whenever it ran"))


def _on_joblib(jobs, attempt, points):
    options = dict(return_as="generator_unordered", batch_size=1, idle_worker_timeout=IDLE)
    while points:
        done, waiting = set(), iter(points)
        calls = (delayed(attempt)(point) for point in waiting)
        try:
            for point, outcome in Parallel(jobs, "loky", **options)(calls):
                done.add(point)
                yield point, outcome
            return
        except TerminatedWorkerError:  # joblib ends all of its workers when one dies
            rest = list(waiting)
            begun = points[: len(points) - len(rest)]
            yield from ((point, None) for point in begun if point not in done)
            points = rest


def _on_dask(scheduler, attempt, points):
    if not points:
        return
    with _client(scheduler) as client:
        from distributed import KilledWorker, as_completed
        from distributed.protocol.pickle import dumps, loads

        content = dumps(attempt)

        def load_and_run(point):  # goes by value: what cannot be loaded is an error, not silence
            return loads(content)(point)

        running, arriving = {}, as_completed(loop=client.loop)
        while points or running:
            if points and len(running) < WAVE:
                wave, points = points[:WAVE], points[WAVE:]
                futures = client.map(load_and_run, wave, pure=False)
                running.update((future.key, point) for future, point in zip(futures, wave))
                arriving.update(futures)
                del futures  # a future kept is a result kept
            future = next(arriving)
            point = running.pop(future.key)
            try:
                yield future.result()
            except KilledWorker:  # after dask's own retries (its allowed-failures)
                yield point, None
            except Exception as error:  # a restart cancels all; what else comes is no result
                if not isinstance(error, CancelledError) or client.status != "running":
                    raise ValueError(f"scheduler: {scheduler!r} failed ({error!r})") from error
                points.append(point)


def _client(scheduler):
    try:
        from distributed import Client

        return Client(scheduler, timeout=CONNECT, set_as_default=False)
    except ModuleNotFoundError:
        why = "needs an extra, `pip install -c lib/constraints.txt 'dask[distributed]'`"
    except (OSError, ValueError, TypeError) as error:
        why = f"does not answer ({error})"
    gc.collect()  # ends the half-made client here: the next one's start would wait for it
    raise ValueError(f"scheduler: {scheduler!r} {why}")
