"""Inputs: real digits, and a reader's own file with every way in which it can be wrong."""

import numpy as np
import pytest
from PIL import Image

from entanglement import data


def test_digits_are_the_real_ones():
    X, y = data.digits()
    assert X.shape == (1797, 64) and X.min() == 0 and X.max() == 16
    assert np.array_equal(np.bincount(y), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert np.abs(data.digits(centred=True)[0].mean(axis=0)).max() < 1e-12


def test_noise_is_standard_normal():
    X = data.noise(np.random.default_rng(0), 400, 500)
    assert (
        X.shape == (400, 500)
        and abs(X.mean()) < 4 / 447
        and abs(X.var() - 1) < 4 * np.sqrt(2) / 447
    )


@pytest.mark.parametrize(
    "mode, size",
    [
        ("L", (7, 5)),
        ("RGB", (64, 33)),
        ("RGBA", (32, 32)),
        ("P", (40, 90)),
        ("1", (50, 20)),
        ("I;16", (20, 20)),
    ],
)
def test_a_picture_of_any_mode_and_size(tmp_path, mode, size):
    ramp = np.linspace(0, 255, size[0] * size[1]).reshape(size[::-1]).astype(np.uint8)
    picture = (
        Image.fromarray(ramp.astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(ramp).convert(mode)
    )
    picture.save(tmp_path / "own.png")
    values = data.own_input(tmp_path / "own.png", (32, 32))
    assert values.shape == (32, 32) and 0 <= values.min() < 0.3 and 0.7 < values.max() <= 1
    assert data.own_input(tmp_path / "own.png").shape == size[::-1]


def test_an_array_keeps_its_numbers(tmp_path):
    array = np.random.default_rng(0).standard_normal((4, 8))
    np.save(tmp_path / "own.npy", array)
    assert np.array_equal(data.own_input(tmp_path / "own.npy"), array)
    np.save(tmp_path / "flat.npy", array.ravel())
    assert np.array_equal(data.own_input(str(tmp_path / "flat.npy"), (4, 8)), array)


def bad_files(folder):
    """(name, what the error says) of files that cannot serve."""
    np.save(folder / "shape.npy", np.arange(5.0))
    np.save(folder / "nan.npy", np.array([[1, np.nan]] * 2))
    np.save(folder / "constant.npy", np.full((2, 2), 3.0))
    np.save(folder / "zero.npy", np.zeros((2, 2)))
    np.save(folder / "words.npy", np.array([["a", "b"]] * 2))
    np.save(folder / "dates.npy", np.array([["2020-01-01", "2021-01-01"]] * 2, "datetime64[D]"))
    np.save(folder / "capitals", np.arange(5.0))
    (folder / "capitals.npy").rename(folder / "capitals.NPY")
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000)}".ljust(117)
    (folder / "huge.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + header.encode() + b"\n")
    Image.fromarray(np.array([[1, np.nan]] * 2, np.float32)).save(folder / "nan.tiff")
    np.save(folder / "objects.npy", np.array([[None, {}]] * 2), allow_pickle=True)
    (folder / "torn.npy").write_bytes((folder / "nan.npy").read_bytes()[:100])
    (folder / "text.png").write_text("no picture")
    (folder / "empty.png").touch()
    Image.new("L", (5, 5), 128).save(folder / "grey.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90), np.uint8)).save(
        folder / "whole.png"
    )
    (folder / "half.png").write_bytes((folder / "whole.png").read_bytes()[:4000])
    return {
        "missing.png": "not a file",
        "shape.npy": r"shape \(5,\), want \(2, 2\)",
        "nan.npy": "nan",
        "constant.npy": "constant, 3",
        "zero.npy": "0",
        "words.npy": "not an .npy file of numbers",
        "objects.npy": "not an .npy file of numbers",
        "dates.npy": "it holds datetime64",
        "capitals.NPY": r"shape \(5,\)",
        "huge.npy": "not an .npy file of numbers",
        "nan.tiff": "nan",
        "torn.npy": "not an .npy file of numbers",
        "text.png": "not a picture",
        "empty.png": "not a picture",
        "grey.png": "constant",
        "half.png": "not a picture",
    }


def test_every_bad_file_is_refused_by_name(tmp_path):
    for name, message in bad_files(tmp_path).items():
        with pytest.raises(ValueError, match=message) as caught:
            data.own_input(tmp_path / name, (2, 2))
        assert name in str(caught.value), name


def test_a_picture_stands_as_its_camera_was_held(tmp_path):
    ramp = np.tile(np.linspace(0, 255, 8).astype(np.uint8), (4, 1))
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn
    Image.fromarray(ramp).save(tmp_path / "own.png", exif=turned)
    values = data.own_input(tmp_path / "own.png")
    assert values.shape == (8, 4) and np.allclose(values[:, 0], np.linspace(0, 1, 8), atol=0.01)


def test_a_huge_file_or_picture_is_refused(tmp_path, monkeypatch):
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(tmp_path / "own.png")
    monkeypatch.setattr(data, "LARGEST_PICTURE", 99)
    with pytest.raises(ValueError, match="10 x 10 pixels"):
        data.own_input(tmp_path / "own.png")
    monkeypatch.setattr(data, "LARGEST_FILE", 10)
    with pytest.raises(ValueError, match="more than 10"):
        data.own_input(tmp_path / "own.png")
