"""The benchmark at small sizes: what it writes, what it skips, and the flip share of its hashes."""

import importlib.util
import json

import numpy as np
import pytest

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
    mean, error = bench.flips(bits)
    assert np.all(np.abs(mean - bench.ANGLES / np.pi) < 4 * np.maximum(error, 0.0005))
    assert bits(1, np.eye(bench.DIMENSION)).shape == (bench.DIMENSION, bench.BITS)


def test_it_writes_table_and_picture_and_names_what_is_missing(
    small, monkeypatch, tmp_path, capsys
):
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
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_ratios_and_exponents(monkeypatch):
    assert bench.ratio("", [4, 6, 5], [1, 2, 4]) == bench.line("", 2.5, 1.0, 6.0)
    monkeypatch.setattr(bench, "GROWTH", {"it": ([1, 10, 100], None, 2)})
    (entry,) = bench.exponents({"it": [[1, 2, 1], [100, 200, 100], [10**4, 2 * 10**4, 10**4]]})
    assert np.allclose([entry["least"], entry["value"], entry["most"]], 2)
