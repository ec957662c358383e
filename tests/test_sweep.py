"""Sweeps: one table whatever runs them, nothing repeated, nothing lost when something dies."""

import gc
import importlib
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from companion import claims, sweep
from entanglement import Layer, pairs, phase, theory

GRID = dict(b=["x", "y"], a=[2, 1, 10, 0.5])
KILL = signal.SIGKILL


def draw(a, b, seed):
    """Numbers of every kind; some points raise."""
    if (a, b) == (2, "y"):
        raise ArithmeticError("no result,\nsaid the function")
    normal = np.random.default_rng(seed).standard_normal()
    return dict(whole=np.int64(a * 10), normal=normal, kind=b + "!", large=a > 1)


def marked(a, folder, seed):
    """Leaves a mark each time it runs; obeys what a file in `folder` orders for its point."""
    Path(folder, f"ran-{a}-{time.time_ns()}").touch()
    order = Path(folder, f"order-{a}")
    if order.is_file():
        what = order.read_text()
        if what != "die always":
            order.unlink()
        if what == "raise":
            raise OSError("told to")
        os.kill(os.getpid(), KILL)
    time.sleep(0.02)
    return dict(normal=np.random.default_rng(seed).standard_normal())


def slow(a, folder, seed):
    time.sleep(0.05)
    return marked(a, folder, seed)


def runs(folder, count=12):
    return [len(list(Path(folder).glob(f"ran-{a}-*"))) for a in range(count)]


def grid_of(folder, count=12):
    return dict(a=list(range(count)), folder=[str(folder)])


def table(path):
    sweep.export(sweep.rows(path), f"{path}.csv")
    return Path(f"{path}.csv").read_bytes()


def stored(path):
    """What a reader sees of a sweep that may be running."""
    try:
        return [row["a"] for row in sweep.rows(path)]
    except ValueError:
        return []


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def refused(message, *arguments, **options):
    with pytest.raises(ValueError, match=message):
        sweep.sweep(*arguments, **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s.sqlite"


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """The sweep of draw in this process, whose table others must equal."""
    path = tmp_path_factory.mktemp("serial") / "new" / "draw.sqlite"
    return path, sweep.sweep(draw, GRID, 1, path, jobs=1)


def test_rows_hold_what_the_function_returns(path, serial):
    where, found = serial
    assert [row["a"] for row in found] == [0.5, 0.5, 1, 1, 2, 2, 10, 10]
    assert "".join(row["b"] for row in found) == "xyxyxyxy"
    assert found[-1].keys() == {"a", "b", "whole", "normal", "kind", "large"}
    assert found[5] == dict(a=2, b="y", error="ArithmeticError: no result,\nsaid the function")
    assert (found[6]["whole"], found[6]["kind"], found[6]["large"]) == (100, "x!", True)
    assert len({row.get("normal") for row in found}) == 8, "each point has a seed of its own"
    assert found == sweep.rows(where)
    other = sweep.sweep(draw, GRID, 2, path, jobs=1)
    assert not {row.get("normal", 0) for row in other} & {row.get("normal", 1) for row in found}


def test_order_and_workers_change_nothing(path, serial, capfd):
    shuffled = dict(a=GRID["a"][::-1], b=GRID["b"][::-1])
    assert sweep.sweep(draw, shuffled, 1, path, jobs=2) == serial[1]
    assert table(path) == table(serial[0])
    assert capfd.readouterr().err == "", "the progress bar is for terminals"


def test_a_grid_may_grow_and_shrink(path, tmp_path):
    few, more = ({**grid_of(tmp_path), "a": points} for points in ([2], [3, 1, 2]))
    (first,) = sweep.sweep(marked, few, 1, path, jobs=1)
    assert [row["a"] for row in sweep.sweep(marked, more, 1, path, jobs=1)] == [1, 2, 3]
    assert sweep.sweep(marked, few, 1, path, jobs=1) == [first] == sweep.rows(path)[1:2]
    assert stored(path) == [1, 2, 3] and runs(tmp_path, 4) == [0, 1, 1, 1]


def floats(a, seed):
    values = dict(third=1 / 3, tiny=5e-324, huge=1.7976931348623157e308, inf=-math.inf)
    return values | dict(nan=math.nan, single=np.float32(0.1), hundred=1e2)


def test_floats_are_exact_and_come_back(path):
    (row,) = sweep.sweep(floats, dict(a=[0.1 + 0.2]), 1, path, jobs=1)
    want = dict(a=0.1 + 0.2, **floats(0, 0))
    head, line = (text.split(",") for text in table(path).decode().splitlines())
    for name, text in zip(head[:-1], line):
        for value in (row[name], float(text)):
            assert value == want[name] or math.isnan(value) and name == "nan"


def test_commits_are_by_time_and_not_by_point(path):
    sweep.sweep(floats, dict(a=range(300)), 1, path, jobs=1)
    commits = int.from_bytes(path.read_bytes()[24:28])  # SQLite's file change counter
    assert commits < 10


@pytest.mark.parametrize(
    "message, change",
    [
        ("grid: {} is not a dict", dict(grid={})),
        (r"grid: \[1\] is not a dict", dict(grid=[1])),
        ("grid: {2: .* is not a dict of name", dict(grid={2: [1], "a": [1]})),
        ("grid: a has 3, want a list", dict(grid=dict(a=3))),
        (r"grid: a has \[\]", dict(grid=dict(a=[]))),
        ("grid: a has None, want a number", dict(grid=dict(a=[1, None]))),
        ("grid: a has .*nan.*, want finite values, each once", dict(grid=dict(a=[1, math.nan]))),
        ("grid: a has .*1.0.*, want finite values, each once", dict(grid=dict(a=[1, 2, 1.0]))),
        ("grid: the name 'seed' is taken", dict(grid=dict(seed=[1]))),
        ("function: .* must be a function of seed and the grid's", dict(grid=dict(wrong=[1]))),
        ("function: .* at the top level of a file", dict(function=lambda a, seed: {})),
        ("function: 3 must be a function", dict(function=3)),
        ("seed: -1 is not", dict(seed=-1)),
        ("jobs: 0 is not", dict(jobs=0)),
        ("jobs: 1.5 is not", dict(jobs=1.5)),
    ],
)
def test_bad_arguments_are_named(path, tmp_path, message, change):
    refused(message, **(dict(function=floats, grid=dict(a=[1]), seed=1, path=path) | change))
    assert not list(tmp_path.iterdir())


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


def odd(what, seed):
    if what == "exit":
        sys.exit(3)
    if what == "mute":
        raise Mute
    return dict(array=dict(b=np.ones(3)), giant=dict(b=10**5000), list=[1], own=dict(what=1))[what]


@pytest.mark.parametrize(
    "what, error",
    dict(
        array="ValueError: b has array([1., 1., 1.]), want a number, a bool or a text",
        exit="SystemExit: 3",
        giant="ValueError: Exceeds the limit",
        list="ValueError: returned [1], want a dict of results, names of their own",
        mute=f"{__name__}.Mute: <exception str() failed>",
        own="ValueError: returned {'what': 1}, want a dict of results",
    ).items(),
)
def test_what_a_point_may_not_do_is_its_error(path, what, error):
    (row,) = sweep.sweep(odd, dict(what=[what]), 1, path, jobs=1)
    assert row.pop("error").startswith(error) and row == dict(what=what)


def optional(a, seed, b="x"):
    return {}


def test_the_file_of_another_sweep_is_refused(path):
    sweep.sweep(optional, dict(a=[1]), 1, path, jobs=1)
    before = path.read_bytes()
    refused("path: .*s.sqlite' holds a sweep of another function", floats, dict(a=[1]), 1, path)
    refused("another seed", optional, dict(a=[1]), 2, path)
    refused("another names", optional, GRID, 1, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("module, edited", [("alone", "alone"), ("pack.work", "pack/helper")])
def test_rows_of_changed_code_are_not_mixed(path, tmp_path, monkeypatch, module, edited):
    (tmp_path / "pack").mkdir()
    for name in ("alone", "pack/__init__", "pack/helper", "pack/work"):
        (tmp_path / f"{name}.py").write_text("C = 1\ndef times(a, seed):\n    return dict(b=C * a)")
    monkeypatch.syspath_prepend(tmp_path)
    times = importlib.import_module(module).times
    sweep.sweep(times, dict(a=[1]), 1, path, jobs=1)
    edited = tmp_path / f"{edited}.py"
    edited.write_text(edited.read_text().replace("C = 1", "C = 2"))
    refused("holds a sweep of another code", times, dict(a=[1]), 1, path, jobs=1)


def test_what_is_no_sweep_is_refused_and_left_alone(path, tmp_path, serial):
    text, foreign, torn, row = (tmp_path / name for name in ("text", "foreign", "torn", "row"))
    text.write_text("some file of the user's\n" * 100)
    torn.write_bytes(serial[0].read_bytes()[:4096] + b"?" * 16384)
    row.write_bytes(serial[0].read_bytes().replace(b'{"kind"', b'{"kind?'))
    with sqlite3.connect(foreign) as db:
        db.execute("create table mine (x)")
    for file in (text, foreign, torn, row, tmp_path, text / "below"):
        before = file.read_bytes() if file.is_file() else None
        message = f"path: '{file}' cannot be used for this sweep"
        refused(message, draw, GRID, 1, file, jobs=1)
        with pytest.raises(ValueError, match=message):
            sweep.rows(file)
        assert not file.is_file() or file.read_bytes() == before
    with pytest.raises(ValueError, match="path: .*none' cannot be used"):
        sweep.rows(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_reader_undoes_what_a_killed_commit_left(path, tmp_path, serial):
    path.write_bytes(serial[0].read_bytes())
    with sqlite3.connect(path) as db:
        db.execute("pragma cache_size = 1")  # page: more than that is written before the commit
        db.executemany("insert into results values (?, ?)", ((i, "x" * 500) for i in range(99)))
        for end in ("", "-journal"):
            (tmp_path / f"left{end}").write_bytes(Path(f"{path}{end}").read_bytes())
    assert sweep.rows(tmp_path / "left") == serial[1]


def test_a_point_that_raises_is_run_again_only_when_asked(path, tmp_path):
    (tmp_path / "order-3").write_text("raise")
    for _ in range(2):
        found = sweep.sweep(marked, grid_of(tmp_path), 1, path, jobs=1)
        assert found[3] == dict(a=3, folder=str(tmp_path), error="OSError: told to")
    assert runs(tmp_path)[3] == 1
    whole = sweep.sweep(marked, grid_of(tmp_path), 1, path, jobs=1, retry=True)
    assert not any("error" in row for row in whole)
    assert runs(tmp_path) == [1] * 3 + [2] + [1] * 8


def test_a_killed_worker_loses_nothing(path, tmp_path):
    (tmp_path / "order-4").write_text("die once")
    (tmp_path / "order-9").write_text("die always")
    found = sweep.sweep(marked, grid_of(tmp_path), 1, path, jobs=2)
    # the second may have been on its way to a worker that the first one's death ended
    assert runs(tmp_path)[4] == 2 and runs(tmp_path)[9] in (1, 2)
    assert found[9] == dict(a=9, folder=str(tmp_path), error="its worker died whenever it ran")
    (tmp_path / "order-9").unlink()
    whole = sweep.sweep(marked, grid_of(tmp_path), 1, tmp_path / "whole.sqlite", jobs=1)
    assert found[:9] + found[10:] == whole[:9] + whole[10:]


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_sweep import grid_of, slow, sweep
if __name__ == "__main__":
    sweep.EVERY = 0.1
    sweep.sweep(slow, grid_of({folder!r}, 24), 1, {path!r}, jobs={jobs})
"""


@pytest.mark.parametrize("number, jobs", [(signal.SIGINT, 2), (KILL, 1)], ids=["ctrl-c", "kill"])
def test_a_signal_in_the_middle_and_a_second_writer(path, tmp_path, number, jobs):
    names = dict(tests=str(Path(__file__).parent), folder=str(tmp_path), path=str(path), jobs=jobs)
    (tmp_path / "script.py").write_text(SCRIPT.format(**names))
    process = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
        # as from a terminal: what runs in the background ignores Ctrl-C, and so would its children
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(lambda: len(stored(path)) >= 3)
    refused("path: .*another sweep is writing to it", slow, grid_of(tmp_path, 24), 1, path, jobs=1)
    os.killpg(process.pid, number)
    assert process.wait(timeout=30) != 0
    early = stored(path)
    assert 3 <= len(early) < 24
    found = sweep.sweep(marked, grid_of(tmp_path), 1, tmp_path / "whole.sqlite", jobs=1)
    before = runs(tmp_path, 24)
    assert sweep.sweep(slow, grid_of(tmp_path, 24), 1, path, jobs=1)[:12] == found
    assert all(runs(tmp_path, 24)[a] == before[a] for a in early)
    assert stored(path) == list(range(24))


# ---- the example


def test_depth_of_the_phase_diagram_against_its_law_and_in_one_stretch(monkeypatch):
    width, ratio = 2000, 1.2  # wide: w is normal, of scale velocity_scale; median 0.6745 of that
    depths = [phase.entangling_depth(width, ratio, seed)["depth"] for seed in range(20)]
    layer = Layer(width, 2400)
    log_median = np.log(theory.velocity_scale(layer, np.arange(100), width) * 0.67449)
    want = np.interp(np.log(theory.ENTANGLED), log_median, np.arange(100)) + 0.5  # whole layers
    mean, stderr = claims.mean_error(depths)
    assert abs(mean - want) < 4 * max(stderr, 1 / np.sqrt(12 * 20))

    monkeypatch.setattr(phase, "LAYERS", 16)
    short = np.array([phase.entangling_depth(20, 1, seed)["depth"] for seed in range(20)])
    monkeypatch.setattr(phase, "PAIRS", 100)
    whole = []
    for seed in range(80):
        theta = pairs.independent_angles(np.random.default_rng(seed), 400, 20)
        log_abs = pairs.simulate(Layer(20), theta, 400, trials=400, seed=[seed, 1]).log_abs
        whole.append(np.argmax(np.median(log_abs, axis=0) >= np.log(10)))
    (first, error), (second, other) = claims.mean_error(short), claims.mean_error(whole)
    assert abs(first - second) < 4 * np.hypot(error, other)


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ENTANGLEMENT_OUT", str(tmp_path / "local"))
    made = tmp_path / "sweep" / "phase"
    for widths, lines in [([2], 3), ([2, 50], 5), ([50], 3)]:
        monkeypatch.setattr(phase, "GRID", dict(width=widths, ratio=[1.5, 10]))
        phase.main(["--jobs", "1"])
        assert capsys.readouterr().out.startswith(f"{lines - 1} points, 0 with an error: ")
        text = made.with_suffix(".csv").read_text().splitlines()
        assert text[0] == "ratio,width,depth,pool,error" and len(text) == lines
    made.with_suffix(".sqlite").write_text("?" * 1000)
    with pytest.raises(SystemExit, match="sweep: path: .* cannot be used"):
        phase.main(["--jobs", "1"])


# ---- dask: an extra


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("hangs"))
    signal.alarm(120)
    options = dict(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50)
    with distributed.LocalCluster(**options) as cluster:
        yield cluster
    signal.alarm(0)


def test_dask_without_dask_or_without_scheduler(path, monkeypatch):
    none = "tcp://127.0.0.1:1"
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "distributed", None)
        refused(f"scheduler: '{none}' needs an extra", draw, GRID, 1, path, scheduler=none)
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(sweep, "CONNECT", 1)
    for scheduler in (none, "nowhere", ""):
        message = f"scheduler: '{scheduler}' does not answer"
        refused(message, draw, GRID, 1, path, scheduler=scheduler)
    clients = [thing for thing in gc.get_objects() if type(thing) is distributed.Client]
    assert not clients, "its end would hang the next client's start"


def test_dask_worker_that_lacks_the_module(path, tmp_path, monkeypatch, cluster):
    (tmp_path / "elsewhere.py").write_text("def f(a, seed):\n    return dict(b=a)")
    monkeypatch.syspath_prepend(tmp_path)
    f = importlib.import_module("elsewhere").f
    message = "scheduler: .* failed .*No module named 'elsewhere'"
    refused(message, f, dict(a=[1, 2]), 1, path, scheduler=cluster.scheduler_address)


STRIKES = dict(
    kill=lambda cluster: os.kill(cluster.workers[0].pid, KILL),
    restart=lambda cluster: cluster.sync(cluster.scheduler.restart, stimulus_id="test"),
    close=lambda cluster: cluster.close(),
)


@contextmanager
def struck(cluster, how, path):
    """Something is done to a cluster once 5 points are stored; how many tasks it held till then."""
    held = []

    def wait_and_strike():
        wait_for(lambda: held.append(len(cluster.scheduler.tasks)) or len(stored(path)) >= 5)
        STRIKES[how](cluster)

    thread = threading.Thread(target=wait_and_strike)
    thread.start()
    yield held
    thread.join()


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_dask_struck_in_mid_sweep(path, tmp_path, cluster, monkeypatch, how):
    monkeypatch.setattr(sweep, "EVERY", 0.1)
    monkeypatch.setattr(sweep, "WAVE", 4)
    with struck(cluster, how, path) as held:
        sweep.sweep(slow, grid_of(tmp_path, 30), 1, path, scheduler=cluster.scheduler_address)
    assert max(held) <= 8, "only a few points are handed over at a time"
    assert 30 <= sum(runs(tmp_path, 30)) <= 38, "only what was handed over is run again"
    whole = tmp_path / "whole.sqlite"
    sweep.sweep(marked, grid_of(tmp_path, 30), 1, whole, jobs=2)
    assert table(path) == table(whole)


def test_dask_point_that_kills_its_workers(path, tmp_path, cluster, monkeypatch):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 1)
    (tmp_path / "order-4").write_text("die always")
    found = sweep.sweep(marked, grid_of(tmp_path), 1, path, scheduler=cluster.scheduler_address)
    assert [row["a"] for row in found if "error" in row] == [4]
    assert found[4]["error"] == "its worker died whenever it ran"


def test_dask_scheduler_that_ends(path, tmp_path, cluster):
    where = cluster.scheduler_address
    with struck(cluster, "close", path):
        message = f"scheduler: '{where}' failed"
        refused(message, slow, grid_of(tmp_path, 60), 1, path, scheduler=where)
    assert len(stored(path)) >= 5
