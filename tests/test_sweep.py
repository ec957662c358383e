"""Sweeps: one table whatever runs them, nothing repeated that was stored, nothing lost when something dies; the phase diagram."""

import gc
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from companion import claims, sweep
from entanglement import pairs, phase, theory

GRID = dict(b=["x", "y"], a=[2, 1, 10, 0.5])
KILL = signal.SIGKILL


def draw(a, b, seed):
    """Numbers of every kind; some points raise."""
    if (a, b) == (2, "y"):
        raise ArithmeticError("no result,\nsaid the function")
    return dict(whole=np.int64(a * 10), normal=np.random.default_rng(seed).standard_normal(), kind=b + "!", large=a > 1)


def marked(a, folder, seed):
    """Leaves a mark each time it runs; does once what a file in `folder` orders for the point of this name."""
    Path(folder, f"ran-{a}-{time.time_ns()}").touch()
    order = Path(folder, f"order-{a}")
    if order.is_file():
        what = order.read_text()
        if what != "die always":
            order.unlink()
        if what == "interrupt":
            raise KeyboardInterrupt
        if what == "raise":
            raise OSError("told to")
        os.kill(os.getpid(), KILL)
    time.sleep(0.02)
    return dict(normal=np.random.default_rng(seed).standard_normal())


def slow(a, folder, seed):
    time.sleep(0.05)
    return marked(a, folder, seed)


def runs(folder, a):
    return len(list(Path(folder).glob(f"ran-{a}-*")))


def grid_of(folder, count=12):
    return dict(a=list(range(count)), folder=[str(folder)])


def table(path):
    sweep.export(path, f"{path}.csv")
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


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """The sweep of draw in this process, whose table others must equal."""
    path = tmp_path_factory.mktemp("serial") / "draw.sqlite"
    sweep.sweep(draw, GRID, 1, path, jobs=1)
    return path


def test_rows_hold_what_the_function_returns(tmp_path):
    found = sweep.sweep(draw, GRID, 1, tmp_path / "new" / "s.sqlite", jobs=1)
    assert [(row["a"], row["b"]) for row in found] == [(a, b) for a in (0.5, 1, 2, 10) for b in "xy"]
    assert found[-1].keys() == {"a", "b", "whole", "normal", "kind", "large"}
    assert found[5] == dict(a=2, b="y", error="ArithmeticError: no result,\nsaid the function")
    assert (found[6]["whole"], found[6]["kind"], found[6]["large"]) == (100, "x!", True)
    assert len({row.get("normal") for row in found}) == 8, "each point has a seed of its own"
    assert found == sweep.rows(tmp_path / "new" / "s.sqlite")
    other = sweep.sweep(draw, GRID, 2, tmp_path / "other.sqlite", jobs=1)
    assert not {row.get("normal", 0) for row in other} & {row.get("normal", 1) for row in found}


def test_order_and_workers_change_nothing(tmp_path, serial, capfd):
    shuffled = dict(a=GRID["a"][::-1], b=GRID["b"][::-1])
    assert sweep.sweep(draw, shuffled, 1, tmp_path / "two.sqlite", jobs=2) == sweep.rows(serial)
    assert table(tmp_path / "two.sqlite") == table(serial)
    assert capfd.readouterr().err == "", "the progress bar is for terminals"


def test_a_point_keeps_its_seed_in_another_grid(tmp_path, serial):
    (row,) = sweep.sweep(draw, dict(a=[10], b=["y"]), 1, tmp_path / "s.sqlite", jobs=1)
    assert row == sweep.rows(serial)[-1]


def special_floats(a, seed):
    return dict(third=1 / 3, tiny=5e-324, huge=1.7976931348623157e308, inf=-math.inf, nan=math.nan, single=np.float32(0.1), a_hundred=1e2)


def test_floats_are_exact_and_come_back(tmp_path):
    (row,) = sweep.sweep(special_floats, dict(a=[0.1 + 0.2]), 1, tmp_path / "s.sqlite", jobs=1)
    want = dict(a=0.1 + 0.2, **special_floats(0, 0))
    head, line = (text.split(",") for text in table(tmp_path / "s.sqlite").decode().splitlines())
    for name, text in zip(head[:-1], line):
        for value in (row[name], float(text)):
            assert value == want[name] or math.isnan(value) and name == "nan"


def refused(message, *arguments, **options):
    with pytest.raises(ValueError, match=message):
        sweep.sweep(*arguments, **options)


def no_seed(a):
    return {}


@pytest.mark.parametrize(
    "message, change",
    [
        ("grid: {} is not a dict", dict(grid={})),
        (r"grid: \[1\] is not a dict", dict(grid=[1])),
        ("grid: {2: .* is not a dict of name", dict(grid={2: [1], "a": [1]})),
        ("grid: a has 3, want a list", dict(grid=dict(a=3))),
        (r"grid: a has \[\]", dict(grid=dict(a=[]))),
        ("grid: a has None, want a number", dict(grid=dict(a=[1, None]))),
        ("grid: a has .*nan.*, want finite", dict(grid=dict(a=[1, math.nan]))),
        ("grid: a has a value twice", dict(grid=dict(a=[1, 2, 1.0]))),
        ("grid: the name 'seed' is taken", dict(grid=dict(seed=[1]))),
        ("function: .* must be a function, defined in a file, of seed", dict(grid=dict(wrong=[1]))),
        ("function: .* must be a function", dict(function=no_seed)),
        ("function: .* must be a function", dict(function=3)),
        ("seed: -1 is not", dict(seed=-1)),
        ("jobs: 0 is not", dict(jobs=0)),
    ],
)
def test_bad_arguments_are_named(tmp_path, message, change):
    refused(message, **(dict(function=special_floats, grid=dict(a=[1]), seed=1, path=tmp_path / "s.sqlite") | change))
    assert not list(tmp_path.iterdir())


def returns_a_list(a, seed):
    return [1]


def returns_its_own_name(a, seed):
    return dict(a=1)


def returns_an_array(a, seed):
    return dict(b=np.ones(3))


def leaves(a, seed):
    sys.exit(3)


@pytest.mark.parametrize(
    "function, error",
    [
        (returns_a_list, r"ValueError: returned [1], want a dict of results under names of their own"),
        (returns_its_own_name, "ValueError: returned {'a': 1}, want a dict of results under names of their own"),
        (returns_an_array, "ValueError: b has array([1., 1., 1.]), want a number, a bool or a text"),
        (leaves, "SystemExit: 3"),
    ],
)
def test_what_a_point_may_not_do_is_its_error(tmp_path, function, error):
    assert sweep.sweep(function, dict(a=[1]), 1, tmp_path / "s.sqlite", jobs=1) == [dict(a=1, error=error)]


def test_the_file_of_another_sweep_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "s.sqlite"
    sweep.sweep(draw, GRID, 1, path, jobs=1)
    before = path.read_bytes()
    refused("path: .*s.sqlite' holds a sweep of another function", no_seed_but_b, GRID, 1, path)
    refused("another seed", draw, GRID, 2, path)
    refused("another grid", draw, dict(GRID, a=[1]), 1, path)
    monkeypatch.setattr(sweep.inspect, "getsource", lambda function: "def draw(a, b, seed): return {}")
    refused("another source", draw, GRID, 1, path)
    assert path.read_bytes() == before


def no_seed_but_b(a, b, seed):
    return {}


def test_what_is_no_sweep_is_refused_and_left_alone(tmp_path):
    text, foreign = tmp_path / "text", tmp_path / "foreign.sqlite"
    text.write_text("some file of the user's\n" * 100)
    db = sqlite3.connect(foreign)
    db.execute("create table mine (x)")
    db.commit()
    db.close()
    for path in (text, foreign, tmp_path, text / "below"):
        before = path.read_bytes() if path.is_file() else None
        refused("path: .* cannot hold this sweep", draw, GRID, 1, path, jobs=1)
        assert not path.is_file() or path.read_bytes() == before
    for path in (text, foreign, tmp_path / "none"):
        with pytest.raises(ValueError, match="path: .* is not the file of a sweep"):
            sweep.rows(path)
    assert not (tmp_path / "none").exists()


def test_an_interrupted_sweep_goes_on_and_repeats_nothing(tmp_path):
    (tmp_path / "order-7").write_text("interrupt")
    path, grid = tmp_path / "s.sqlite", grid_of(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        sweep.sweep(marked, grid, 1, path, jobs=1)
    assert stored(path) == list(range(7))
    sweep.sweep(marked, grid, 1, path, jobs=1)
    assert [runs(tmp_path, a) for a in range(12)] == [1] * 7 + [2] + [1] * 4
    assert stored(path) == list(range(12))


def test_a_point_that_raises_is_run_again_only_when_asked(tmp_path):
    (tmp_path / "order-3").write_text("raise")
    path, grid = tmp_path / "s.sqlite", grid_of(tmp_path)
    for _ in range(2):
        assert sweep.sweep(marked, grid, 1, path, jobs=1)[3] == dict(a=3, folder=str(tmp_path), error="OSError: told to")
    assert runs(tmp_path, 3) == 1
    whole = sweep.sweep(marked, grid, 1, path, jobs=1, retry=True)
    assert not any("error" in row for row in whole)
    assert [runs(tmp_path, a) for a in range(12)] == [1] * 3 + [2] + [1] * 8


def test_a_killed_worker_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "RUNS", 1)
    (tmp_path / "order-4").write_text("die once")
    (tmp_path / "order-9").write_text("die always")
    found = sweep.sweep(marked, grid_of(tmp_path), 1, tmp_path / "s.sqlite", jobs=2)
    assert (runs(tmp_path, 4), runs(tmp_path, 9)) == (2, 2)
    assert found[9] == dict(a=9, folder=str(tmp_path), error="its worker died whenever it ran")
    (tmp_path / "order-9").unlink()
    whole = sweep.sweep(marked, grid_of(tmp_path), 1, tmp_path / "whole.sqlite", jobs=1)
    assert found[:9] + found[10:] == whole[:9] + whole[10:]


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_sweep import grid_of, slow
from companion.sweep import sweep
if __name__ == "__main__":
    sweep(slow, grid_of({folder!r}), 1, {path!r}, jobs={jobs})
"""


@pytest.mark.parametrize("number, jobs", [(signal.SIGINT, 2), (KILL, 1)], ids=["ctrl-c", "kill"])
def test_a_signal_in_the_middle(tmp_path, number, jobs):
    path, grid = tmp_path / "s.sqlite", grid_of(tmp_path)
    script = SCRIPT.format(tests=str(Path(__file__).parent), folder=str(tmp_path), path=str(path), jobs=jobs)
    (tmp_path / "script.py").write_text(script)
    # as from a terminal: a test run in the background ignores Ctrl-C, and so would its children
    heeding = dict(start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), stderr=subprocess.DEVNULL)
    process = subprocess.Popen([sys.executable, tmp_path / "script.py"], **heeding)
    wait_for(lambda: len(stored(path)) >= 3)
    os.killpg(process.pid, number)
    assert process.wait(timeout=30) != 0
    early = stored(path)
    assert 3 <= len(early) < 12
    sweep.sweep(slow, grid, 1, path, jobs=1)
    assert stored(path) == list(range(12))
    assert all(runs(tmp_path, a) == 1 for a in early)
    assert sweep.rows(path) == sweep.sweep(marked, grid, 1, tmp_path / "whole.sqlite", jobs=1)


# ---- the example


def test_depth_of_the_phase_diagram_against_its_law_and_in_one_stretch(monkeypatch):
    width, ratio = 2000, 1.2  # wide: w is normal, of scale velocity_scale, and its median 0.6745 of that
    depths = [phase.entangling_depth(width, ratio, seed)["depth"] for seed in range(20)]
    gain = theory.rapidity_gain(width, 2400, "largest")
    log_median = np.log(theory.velocity_scale(np.arange(100), gain, width, width) * 0.67449)
    want = np.interp(np.log(theory.ENTANGLED), log_median, np.arange(100)) + 0.5  # on average, the next whole layer
    mean, stderr = claims.mean_error(depths)
    assert abs(mean - want) < 4 * max(stderr, 1 / np.sqrt(12 * 20))

    monkeypatch.setattr(phase, "LAYERS", 16)
    short = np.array([phase.entangling_depth(20, 1, seed)["depth"] for seed in range(20)])
    monkeypatch.setattr(phase, "PAIRS", 100)
    whole = []
    for seed in range(80):
        theta = pairs.independent_angles(np.random.default_rng(seed), 400, 20)
        log_abs = pairs.simulate(theta, 20, 400, trials=400, seed=[seed, 1]).log_abs
        whole.append(np.argmax(np.median(log_abs, axis=0) >= np.log(10)))
    (first, error), (second, other) = claims.mean_error(short), claims.mean_error(whole)
    assert abs(first - second) < 4 * np.hypot(error, other)


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ENTANGLEMENT_OUT", str(tmp_path / "local"))
    monkeypatch.setattr(phase, "GRID", dict(width=[2, 50], ratio=[1.5, 10]))
    for _ in range(2):
        phase.main(["--jobs", "1"])
        assert capsys.readouterr().out.startswith("4 points, 0 with an error: ")
    assert (tmp_path / "sweep" / "phase.csv").read_text().splitlines()[0] == "ratio,width,depth,pool,error"
    monkeypatch.setattr(phase, "GRID", dict(width=[2], ratio=[1.5]))
    with pytest.raises(SystemExit, match="sweep: path: .* holds a sweep of another grid"):
        phase.main(["--jobs", "1"])


# ---- dask: an extra


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster


def test_dask_without_dask_or_without_scheduler(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    refused("scheduler: 'tcp://127.0.0.1:1' needs an extra", draw, GRID, 1, tmp_path / "s.sqlite", scheduler="tcp://127.0.0.1:1")
    monkeypatch.undo()
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(sweep, "CONNECT", 1)
    refused("scheduler: .* does not answer", draw, GRID, 1, tmp_path / "s.sqlite", scheduler="tcp://127.0.0.1:1")
    refused("scheduler: 'nowhere' does not answer", draw, GRID, 1, tmp_path / "s.sqlite", scheduler="nowhere")
    assert not [thing for thing in gc.get_objects() if type(thing) is distributed.Client], "its end would hang the next client's start"


def test_dask_with_a_worker_killed_in_mid_sweep(tmp_path, cluster, serial):
    sweep.sweep(draw, GRID, 1, tmp_path / "draw.sqlite", scheduler=cluster.scheduler_address)
    assert table(tmp_path / "draw.sqlite") == table(serial)

    path, grid = tmp_path / "s.sqlite", grid_of(tmp_path, 40)
    victim = cluster.workers[0].pid

    def kill():
        wait_for(lambda: len(stored(path)) >= 5)
        os.kill(victim, KILL)

    killer = threading.Thread(target=kill)
    killer.start()
    sweep.sweep(slow, grid, 1, path, scheduler=cluster.scheduler_address)
    killer.join()
    assert stored(path) == list(range(40))
    ran = sum(runs(tmp_path, a) for a in range(40))
    assert 40 <= ran <= 46, "only what the worker had not handed over is run again"
    sweep.sweep(slow, grid, 1, tmp_path / "joblib.sqlite", jobs=2)
    assert table(path) == table(tmp_path / "joblib.sqlite")


def test_dask_point_that_kills_its_workers(tmp_path, cluster, monkeypatch):
    monkeypatch.setattr(sweep, "RUNS", 1)
    cluster.scheduler.allowed_failures = 1
    (tmp_path / "order-4").write_text("die always")
    found = sweep.sweep(marked, grid_of(tmp_path), 1, tmp_path / "s.sqlite", scheduler=cluster.scheduler_address)
    assert [row["a"] for row in found if "error" in row] == [4]
    assert found[4]["error"] == "its worker died whenever it ran"
