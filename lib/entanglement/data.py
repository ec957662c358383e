"""Inputs: noise, real digits, and a reader's own array or picture."""

from pathlib import Path

import numpy as np

from entanglement.lazy import check_inputs
from entanglement.theory import check_numbers

LARGEST_FILE = 100 * 2**20  # bytes
LARGEST_PICTURE = 50_000_000  # pixels


def noise(rng, count, input_dim):
    """Independent N(0, 1) inputs, (count, input_dim). rng: NumPy Generator."""
    return rng.standard_normal((count, input_dim))


def digits(centred=False):
    """Handwritten digits as (X, y): X (1797, 64), 8 x 8 pixels from 0 to 16, less their mean if `centred`; y the digit.

    Source: scikit-learn's copy of the UCI optical recognition set (Alpaydin and Kaynak 1998).
    """
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return (X - X.mean(axis=0) if centred else X), y


def own_input(path, shape=None):
    """A reader's own input as a float array: an .npy file, or a picture made grey, 0 (black) to 1.

    shape: (rows, columns) wanted; pictures are resized to it, arrays must have it already (or be flat with as many numbers).
    Raises ValueError naming the path if it is missing, unreadable, too large, empty, constant, or not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"path: {str(path)!r} is not a file")
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"path: {str(path)!r} has {path.stat().st_size} bytes, more than {LARGEST_FILE}")
    values = _array(path, shape) if path.suffix == ".npy" else _picture(path, shape)
    if values.size and values.min() == values.max():
        raise ValueError(f"path: {str(path)!r} is constant, {values.flat[0]:g} everywhere")
    check_inputs(f"path: {str(path)!r}", values.reshape(1, -1))
    return values


def _array(path, shape):
    try:
        values = check_numbers("contents", np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise ValueError(f"path: {str(path)!r} is not an .npy file of numbers ({error})") from error
    if shape is not None and values.shape not in (tuple(shape), (int(np.prod(shape)),)):
        raise ValueError(f"path: {str(path)!r} has shape {values.shape}, want {tuple(shape)}")
    return values if shape is None else values.reshape(shape)


def _grey(picture):
    """A picture of any mode in 8 bits: deep ones (16 bits, float) scaled to their range, transparent ones on white."""
    from PIL import Image

    if picture.mode[0] in "IF":
        values = np.asarray(picture, dtype=float)
        return Image.fromarray(np.uint8(255 * (values - values.min()) / max(np.ptp(values), 1e-300)))
    colour = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour).convert("L")


def _picture(path, shape):
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                raise ValueError(f"{picture.width} x {picture.height} pixels are more than {LARGEST_PICTURE}")
            grey = _grey(picture)
            if shape is not None:
                grey = grey.resize((shape[1], shape[0]), Image.Resampling.LANCZOS)
            return np.asarray(grey, dtype=float) / 255
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"path: {str(path)!r} is not a picture that can be read ({error})") from error
