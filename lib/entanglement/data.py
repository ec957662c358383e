"""Inputs: noise, digits, faces, photographs, silhouettes, and a reader's own array or picture."""

import warnings
from os import PathLike
from pathlib import Path

import numpy as np

from entanglement import arguments
from entanglement.arguments import flag, inputs, numbers

LARGEST_FILE = 100 * 2**20  # bytes
LARGEST_PICTURE = 50_000_000  # pixels
SMALLEST, GREATEST = 1e-30, 1e30  # what the largest number of an own input may be
PHOTOGRAPHS = ("astronaut", "camera", "cat", "coffee", "rocket")  # scikit-image's
DRAWN = ("key", "star")


def noise(rng, count, input_dim):
    """Independent N(0, 1) inputs, (count, input_dim). rng: NumPy Generator."""
    count, input_dim = arguments.count("count", count), arguments.count("input_dim", input_dim)
    return rng.standard_normal((count, input_dim))


def digits(centred=False, digits="bundled"):
    """Handwritten digits as (X, y): X (P, d), less their mean if `centred`; y the digit.

    digits: "bundled", 1797 of 8 x 8 pixels from 0 to 16, or "mnist", 10 000 of 28 x 28 from 0 to
    255, MNIST's test set: fetched from openml.org once and kept by scikit-learn; a minute and a
    gigabyte each time; OSError if neither. Sources: UCI optical recognition set (Alpaydin and
    Kaynak 1998); LeCun, Cortes and Burges 1998.
    """
    from sklearn.datasets import load_digits

    centred = flag("centred", centred)
    _one_of("digits", digits, ("bundled", "mnist"))
    if digits == "bundled":
        X, y = load_digits(return_X_y=True)
    else:
        X, y = _kept("digits", "MNIST, 28 x 28 pixels, 15 MB to fetch", _mnist)
    return (X - X.mean(axis=0) if centred else X), y


def people(centred=False, faces="lfw"):
    """Faces of people as (X, y): X (P, 450), 25 x 18 grey pixels from 0 to 1, less their mean if
    `centred`; y the person. faces: "lfw", or "digits", which are not faces (see `digits`).

    Labeled Faces in the Wild (Huang et al. 2007), those with 40 pictures or more: fetched once
    through scikit-learn, which keeps them; OSError if neither.
    """
    _one_of("faces", faces, ("digits", "lfw"))
    if faces == "digits":
        return digits(centred)
    centred = flag("centred", centred)
    X, y = _kept("faces", "Labeled Faces in the Wild, 230 MB to fetch", _lfw)
    return (X - X.mean(axis=0) if centred else X), y


def _one_of(argument, value, known):
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{argument}: {value!r} is not one of {known}")


def _kept(argument, what, load):
    """What `load` returns, from scikit-learn's cache or the network; one clear error if neither."""
    from sklearn.datasets import get_data_home

    print(f"{argument}: loading {what} if not yet kept by scikit-learn ...", flush=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of retries
            return load()
    except (OSError, ValueError, EOFError) as error:
        raise OSError(
            f"{argument}: not in {get_data_home()} and not to be had from the network ({error})"
        ) from None


def _mnist():
    from sklearn.datasets import fetch_openml

    options = dict(as_frame=False, parser="liac-arff")  # the other one needs pandas
    X, y = fetch_openml("mnist_784", version=1, return_X_y=True, n_retries=1, **options)
    return X[-10_000:].astype(float), y[-10_000:].astype(int)


def _lfw():
    from sklearn.datasets import fetch_lfw_people

    found = fetch_lfw_people(min_faces_per_person=40, resize=0.2, n_retries=1)
    return found.data.astype(float), found.target


def photograph(name, shape):
    """One of PHOTOGRAPHS, grey, of `shape` (rows, columns), 0 (black) to 1; its centred part.

    Source: the pictures that scikit-image ships (public domain or CC0; see README).
    """
    from PIL import Image
    from skimage import data as bundled

    if name not in PHOTOGRAPHS:
        raise ValueError(f"name: {name!r} is not one of {PHOTOGRAPHS}")
    shape = arguments.shape("shape", shape, 1, 2)
    return _cut(_grey(Image.fromarray(getattr(bundled, name)())), shape)


def faces(shape=(25, 25)):
    """The 100 faces of scikit-image's lfw_subset, (100, rows, columns), 0 to 1, 25 x 25 enlarged.

    The other 100 of its 200 pictures show no face and are left out. They are people, and no licence
    is stated: nothing here publishes them. Source: Labeled Faces in the Wild (Huang et al. 2007).
    """
    from PIL import Image
    from skimage.data import lfw_subset

    shape = arguments.shape("shape", shape, 1, 2)
    small = lfw_subset()[:100].astype(np.float32)
    return np.clip([_resized(Image.fromarray(face), shape) for face in small], 0, 1)


def drawn_faces(count, shape=(50, 50)):
    """`count` faces drawn here, (count, rows, columns), 0 to 1: no person, alike as faces are.

    The i-th is the same whatever the count: its proportions and greys come from its own seed.
    """
    count, shape = arguments.count("count", count), arguments.shape("shape", shape, 1, 2)
    y, x = np.meshgrid(*(2 * (np.arange(size) + 0.5) / size - 1 for size in shape), indexing="ij")
    return np.array([_face(x, y, np.random.default_rng([2309, i])) for i in range(count)])


def _face(x, y, rng):
    """One face on the coordinates x, y in [-1, 1]; every part is an ellipse with a soft edge."""

    def paint(canvas, grey, x0, y0, width, height):
        from_centre = np.hypot((x - x0) / width, (y - y0) / height)
        edge = np.clip(20 * (from_centre - 1) * min(width, height) ** 0.5, -60, 60)
        cover = 1 / (1 + np.exp(edge))
        return canvas + cover * (grey - canvas)

    skin, hair, wall, iris = rng.uniform((0.6, 0.1, 0.3, 0.05), (0.85, 0.35, 0.6, 0.2))
    wide, tall, apart, brow = rng.uniform((0.5, 0.68, 0.2, 0.12), (0.62, 0.82, 0.27, 0.2))
    mouth, nose, light = rng.uniform((0.15, 0.3, -0.2), (0.28, 0.42, 0.2))
    face = paint(np.full(x.shape, wall), hair, 0, -0.15, wide + 0.15, tall + 0.08)
    face = paint(face, 0.9 * skin, 0, 1.05, 0.35, 0.4)  # neck
    face = paint(face, skin, 0, 0.08, wide, tall - 0.06)
    for side in (-apart, apart):
        face = paint(face, 0.95, side, -0.12, 0.13, 0.07)
        face = paint(face, iris, side, -0.12, 0.06, 0.07)
        face = paint(face, hair, side, -0.12 - brow, 0.15, 0.04)
    face = paint(face, 0.75 * skin, 0, nose - 0.18, 0.09, 0.13)
    face = paint(face, 0.45 * skin, 0, nose + 0.2, mouth, 0.06)
    return np.clip(face * (1 + light * x), 0, 1)


def standardised(picture, columns=False):
    """A picture (rows, columns) with mean 0 and variance 1, as a whole or column by column.

    A constant column becomes 0. ValueError if nothing is left, or for NaN.
    """
    picture = arguments.stack("picture", picture, "rows", "columns")
    axis = 0 if flag("columns", columns) else None
    centred = picture - picture.mean(axis=axis)
    deviation = centred.std(axis=axis)
    kept = deviation > 1e-9 * np.abs(picture).max()
    if not np.any(kept):
        where = " in every column" if columns else ""
        raise ValueError(f"picture: it is constant{where}, nothing is left of it once standardised")
    return np.where(kept, centred / np.where(kept, deviation, 1), 0.0)


def silhouette(name, shape):
    """A binary picture (rows, columns), True where the figure is: "horse", or one of DRAWN."""
    from PIL import Image
    from skimage.data import horse

    shape = arguments.shape("shape", shape, 1, 2)
    if name == "horse":
        background = np.pad(horse(), ((36, 36), (0, 0)), mode="edge")  # to a square
        return _cut(Image.fromarray(np.uint8(255 * background)), shape) < 0.5
    y, x = np.meshgrid(*(2 * (np.arange(size) + 0.5) / size - 1 for size in shape), indexing="ij")
    if name == "star":
        outer, inner, half = 0.95, 0.363, np.pi / 5  # radii of tips and notches
        turn = np.abs((np.arctan2(x, -y - 0.05) + half) % (2 * half) - half)  # from the nearest tip
        beside = inner * np.sin(half - turn) + outer * np.sin(turn)
        return np.hypot(x, y + 0.05) < outer * inner * np.sin(half) / beside
    if name == "key":
        from_bow = np.hypot(x + 0.5, y)
        shaft = (np.abs(y) < 0.1) & (x > -0.2) & (x < 0.9)
        teeth = (y > 0) & (y < 0.4) & ((np.abs(x - 0.45) < 0.08) | (np.abs(x - 0.75) < 0.08))
        return ((from_bow < 0.4) & (from_bow > 0.2)) | shaft | teeth
    raise ValueError(f"name: {name!r} is not one of {('horse', *DRAWN)}")


def own_input(path, shape=None):
    """A reader's own input as a float array: an .npy file, or a picture made grey, 0 (black) to 1.

    shape: (rows, columns) wanted; pictures and arrays of rows are resized to it, in single
    precision, flat arrays must have as many numbers. ValueError naming the path if it is missing,
    unreadable, too large, empty, constant, not finite, or its largest number not in 1e-30 to 1e30.
    """
    shape = None if shape is None else arguments.shape("shape", shape, 1, 2)
    if not isinstance(path, str | PathLike):
        raise ValueError(f"path: {path!r} is no path")
    path, told = Path(path), f"path: {str(path)!r}"
    if not path.is_file():
        raise ValueError(f"{told} is not a file")
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{told} has {path.stat().st_size} bytes, more than {LARGEST_FILE}")
    read = _array if path.suffix.lower() == ".npy" else _picture
    values = read(path, shape, told)
    if values.size and values.min() == values.max():
        raise ValueError(f"{told} is constant, {values.flat[0]:g} everywhere")
    largest = np.abs(inputs(told, values.reshape(1, -1))).max()
    if not SMALLEST <= largest <= GREATEST:
        raise ValueError(f"{told} has {largest:g} as its largest number, want 1e-30 to 1e30")
    return values


def _array(path, shape, told):
    from PIL import Image

    try:  # mapped, its size is known before anything is read
        values = np.lib.format.open_memmap(path, mode="r")
        if values.dtype.kind not in "iuf":
            raise ValueError(f"it holds {values.dtype}")
        values = numbers("contents", values)
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise ValueError(f"{told} is not an .npy file of numbers ({error})") from error
    if shape is None or values.shape == tuple(shape):
        return values
    if values.shape == (np.prod(shape),):
        return values.reshape(shape)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"{told} has shape {values.shape}, want {tuple(shape)}")
    scale = np.abs(values).max() or 1.0
    return scale * _resized(Image.fromarray((values / scale).astype(np.float32)), shape)


def _grey(picture):
    """A picture in 8 bits: deep ones scaled to their range, transparent ones on white."""
    from PIL import Image

    if picture.mode[0] in "IF":
        values = numbers("pixels", np.asarray(picture, dtype=float))
        return Image.fromarray(np.uint8(255 * (values - values.min()) / (np.ptp(values) or 1)))
    colour = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour).convert("L")


def _resized(picture, shape):
    from PIL import Image

    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.LANCZOS), dtype=float)


def _cut(picture, shape):
    """The centred part of a grey picture that has the proportions of `shape`, resized, 0 to 1."""
    scale = min(picture.height / shape[0], picture.width / shape[1])
    half = scale * shape[1] / 2, scale * shape[0] / 2
    x, y = picture.width / 2, picture.height / 2
    box = map(int, (x - half[0], y - half[1], x + half[0], y + half[1]))
    return _resized(picture.crop(tuple(box)), shape) / 255


def _picture(path, shape, told):
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                size = f"{picture.width} x {picture.height} pixels"
                raise ValueError(f"{size} are more than {LARGEST_PICTURE}")
            grey = _grey(ImageOps.exif_transpose(picture))  # as its camera was held
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{told} is not a picture that can be read ({error})") from error
    return _resized(grey, shape or (grey.height, grey.width)) / 255
