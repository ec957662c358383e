"""The benchmark at small sizes: what it writes, what it skips, and its hashes against the angle."""

import importlib.util
import json

import numpy as np
import pytest

from companion.claims import mean_error
from entanglement import bench

PEER = "scikit-learn's projection"


@pytest.fixture
def small(monkeypatch):
    for name, value in dict(
        SIZES=[(8, 32, 4), (16, 20, 4)], PAIR_DEPTH=100, REPEATS=3, VECTORS=300
    ).items():
        monkeypatch.setattr(bench, name, value)
    monkeypatch.setattr(bench, "DEEP", "print(3 * 2**20)")
    monkeypatch.setattr(
        bench,
        "GROWTH",
        {name: ([10, 100], run, slope) for name, (_, run, slope) in bench.GROWTH.items()},
    )


@pytest.mark.parametrize("name", bench.HASHES)
def test_bits_differ_as_often_as_the_angle_says(small, name):
    module, bits = bench.HASHES[name]
    pytest.importorskip(module)
    angles = np.radians([15, 45, 90, 135, 165])
    pairs = np.linalg.qr(np.random.default_rng(0).standard_normal((300, bench.DIMENSION, 2)))[0]
    X, other = np.moveaxis(pairs, -1, 0)
    turned = np.concatenate([X, *(np.cos(angle) * X + np.sin(angle) * other for angle in angles)])
    codes = [bits(seed, turned).reshape(len(angles) + 1, -1) for seed in range(3)]
    mean, error = mean_error([(code[1:] != code[0]).mean(axis=1) for code in codes])
    assert np.all(np.abs(mean - angles / np.pi) < 4 * np.maximum(error, 0.0005))
    assert bits(1, np.eye(bench.DIMENSION)).shape == (bench.DIMENSION, bench.BITS)


def test_it_writes_a_table_and_names_what_is_missing(small, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ENTANGLEMENT_OUT", str(tmp_path / "local"))
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "sklearn" else find(name)
    )
    bench.main()
    written = json.loads((tmp_path / "bench.json").read_text())
    assert (
        PEER in written["skipped"]
        and f"skipped: {PEER} is not installed here" in capsys.readouterr().out
    )
    assert not [entry for entry in written["lines"] if PEER in entry["what"]]
    assert all(entry["least"] <= entry["value"] <= entry["most"] for entry in written["lines"])


def test_ratios_and_exponents(monkeypatch):
    assert bench.ratio("", [4, 6, 5], [1, 2, 4]) == bench.line("", 2.5, 1.0, 6.0)
    monkeypatch.setattr(bench, "GROWTH", {"it": ([1, 10, 100], None, 2)})
    (entry,) = bench.exponents({"it": [[1, 2, 1], [100, 200, 100], [10**4, 2 * 10**4, 10**4]]})
    assert np.allclose([entry["least"], entry["value"], entry["most"]], 2)
