"""Inputs: real digits, and a reader's own file with every way in which it can be wrong."""

import gzip
import hashlib
import json

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
    small = data.own_input(tmp_path / "own.npy", (2, 4))  # resized, as pictures are
    assert small.shape == (2, 4) and abs(small.mean() - array.mean()) < 0.1


def bad_files(folder):
    """(name, what the error says) of files that cannot serve."""
    np.save(folder / "shape.npy", np.arange(5.0))
    np.save(folder / "nan.npy", np.array([[1, np.nan]] * 2))
    np.save(folder / "constant.npy", np.full((2, 2), 3.0))
    np.save(folder / "zero.npy", np.zeros((2, 2)))
    np.save(folder / "words.npy", np.array([["a", "b"]] * 2))
    np.save(folder / "dates.npy", np.array([["2020-01-01", "2021-01-01"]] * 2, "datetime64[D]"))
    np.save(folder / "bools.npy", np.array([[True, False]] * 2))
    np.savez(folder / "archive", np.arange(4.0))
    (folder / "archive.npz").rename(folder / "archive.npy")
    np.save(folder / "vast.npy", np.array([[1.0, 1e300]] * 2))
    np.save(folder / "tiny.npy", np.array([[1e-300, 1e-200]] * 2))
    np.save(folder / "cube.npy", np.arange(8.0).reshape(2, 2, 2))
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
        "dates.npy": "dtype|datetime64",
        "bools.npy": "it holds bool",
        "archive.npy": "not an .npy file of numbers",
        "vast.npy": "1e\\+300 as its largest number",
        "tiny.npy": "1e-200 as its largest number",
        "cube.npy": r"shape \(2, 2, 2\), want \(2, 2\)",
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


def packed(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content))


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """An empty folder in the place of scikit-learn's, and no network."""

    def no_network(*_, **__):
        raise OSError("no network here")

    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr("socket.create_connection", no_network)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return tmp_path


def keep_openml(folder, X, y):
    """mnist_784 as scikit-learn keeps what openml.org answers, with few pictures."""
    api, d = folder / "openml" / "openml.org" / "api/v1/json/data", X.shape[1]
    names = [f"pixel{i + 1}" for i in range(d)]
    head = ["@RELATION mnist_784", *(f"@ATTRIBUTE {name} real" for name in names)]
    head += ["@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "@DATA"]
    rows = [",".join(map(str, [*x, label])) for x, label in zip(X, y, strict=True)]
    arff = "\n".join(head + rows).encode()
    url = "https://openml.org/data/v1/download/52667/mnist_784.arff"
    about = dict(id="554", name="mnist_784", version="1", format="ARFF", status="active", url=url)
    about |= dict(description="", file_id="52667", md5_checksum=hashlib.md5(arff).hexdigest())
    features = [
        dict(index=str(i), name=name, data_type="numeric", is_target="false")
        | dict(is_ignore="false", is_row_identifier="false", number_of_missing_values="0")
        for i, name in enumerate(names)
    ]
    features.append(features[0] | dict(index=str(d), name="class", data_type="nominal"))
    features[-1] |= dict(is_target="true", nominal_value=list("0123456789"))
    answers = {
        "list/data_name/mnist_784/limit/2/data_version/1": dict(data=dict(dataset=[dict(did=554)])),
        "554": dict(data_set_description=about),
        "features/554": dict(data_features=dict(feature=features)),
        "qualities/554": dict(
            data_qualities=dict(quality=[dict(name="NumberOfInstances", value=str(len(X)))])
        ),
    }
    for path, answer in answers.items():
        packed(api / f"{path}.gz", json.dumps(answer).encode())
    packed(folder / "openml/openml.org/data/v1/download/52667/mnist_784.arff.gz", arff)


def test_mnist_is_read_from_what_scikit_learn_keeps(kept, capsys):
    rng = np.random.default_rng(1)
    X, y = rng.integers(0, 256, (12, 784)), rng.integers(0, 10, 12)
    keep_openml(kept, X, y)
    found, label = data.digits(digits="mnist")
    assert np.array_equal(found, X) and np.array_equal(label, y) and label.dtype.kind == "i"
    assert capsys.readouterr().out.startswith("digits: loading MNIST")
    centred, _ = data.digits(True, "mnist")
    assert np.allclose(centred, X - X.mean(axis=0))


def test_faces_are_read_from_what_scikit_learn_keeps(kept, capsys):
    for name in ("pairsDevTrain.txt", "pairsDevTest.txt", "pairs.txt"):
        (kept / "lfw_home").mkdir(exist_ok=True)
        (kept / "lfw_home" / name).touch()
    for person, grey, count in (("A_One", 40, 40), ("B_Two", 200, 41), ("C_Few", 90, 3)):
        folder = kept / "lfw_home" / "lfw_funneled" / person
        folder.mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (250, 250), (grey, grey, grey)).save(folder / f"{i:04d}.jpg")
    X, y = data.people(faces="lfw")
    assert X.shape == (81, 25 * 18) and np.array_equal(np.bincount(y), [40, 41])
    assert np.allclose(X[y == 0], 40 / 255, atol=0.01) and np.allclose(
        X[y == 1], 200 / 255, atol=0.01
    )
    assert capsys.readouterr().out.startswith("faces: loading Labeled Faces")
    assert np.abs(data.people(True, "lfw")[0].mean(axis=0)).max() < 1e-12


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: data.digits(digits="mnist"), "digits"),
        (lambda: data.people(faces="lfw"), "faces"),
    ],
)
def test_offline_one_sentence_says_what_is_missing(kept, call, name):
    with pytest.raises(OSError, match=f"^{name}: not in {kept}") as caught:
        call()
    assert "\n" not in str(caught.value) and caught.value.__suppress_context__


def test_a_corrupted_copy_is_refused_by_name(kept):
    keep_openml(kept, np.zeros((12, 784), int), np.zeros(12, int))
    packed(kept / "openml/openml.org/data/v1/download/52667/mnist_784.arff.gz", b"torn")
    with pytest.raises(OSError, match="^digits: "):
        data.digits(digits="mnist")


def test_digits_stand_in_for_faces_and_other_names_are_refused():
    assert np.array_equal(data.people(True, "digits")[0], data.digits(True)[0])
    for call in (lambda: data.digits(digits="lfw"), lambda: data.people(faces="mnist")):
        with pytest.raises(ValueError, match="is not one of"):
            call()
