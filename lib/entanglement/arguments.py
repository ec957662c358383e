"""One door for each kind of argument: everything public passes it, nothing below checks again.

Every refusal is a ValueError that begins with the argument's name and shows the value.
"""

import os
from numbers import Real

import numpy as np

LARGEST = 10**15  # every whole number up to here is a float too


def count(name, value, least=1, most=LARGEST):
    """`value` as an int; refused unless it is a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, Real) or not least <= value <= most:
        raise ValueError(f"{name}: {value!r} is not a whole number from {least:g} to {most:g}")
    if value % 1:
        raise ValueError(f"{name}: {value!r} is not a whole number")
    return int(value)


def number(name, value, low=-np.inf, high=np.inf, open=False):
    """`value` as a float; refused unless finite and in [low, high], or (low, high) if `open`."""
    one = real(name, value)
    if one.ndim:
        raise ValueError(f"{name}: {value!r} is not one number")
    return float(numbers(name, one, low, high, open))


def numbers(name, value, low=-np.inf, high=np.inf, open=False):
    """`value` as a float array, all of it finite and in [low, high], or (low, high) if `open`."""
    value = real(name, value)
    inside = np.isfinite(value) & (
        (value > low) & (value < high) if open else (value >= low) & (value <= high)
    )
    if not inside.all():
        ends = f"({low:g}, {high:g})" if open else f"[{low:g}, {high:g}]"
        raise ValueError(f"{name}: {value[~inside].flat[0]:g} is not a finite number in {ends}")
    return value


def real(name, value):
    """`value` as a float array of real numbers (NaN and inf are left to the caller)."""
    try:
        value = np.asarray(value)
        if value.dtype.kind not in "iuf":  # no text, dates, complex numbers, bools or objects
            raise TypeError(f"{value.dtype} {value.flat[0] if value.size else ''}".strip())
        return value.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: not an array of real numbers ({error})") from error


def stack(name, value, *axes):
    """`value` as a float array with these axes, words of its reader, not empty and finite."""
    value = numbers(name, value)
    if value.ndim != len(axes) or not value.size:
        raise ValueError(f"{name}: shape {value.shape}; want ({', '.join(axes)})")
    return value


def shape(name, value, least=0, axes=None):
    """`value`, a whole number or several, as sizes from `least` on, `axes` of them if given."""
    sizes = tuple(count(name, size, least) for size in np.atleast_1d(real(name, value)))
    if axes is not None and len(sizes) != axes:
        raise ValueError(f"{name}: {value!r} is not {axes} sizes")
    return sizes


def flag(name, value):
    """`value` as a bool; refused unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}: {value!r} is not True or False")
    return bool(value)


def angles(value, closed=False, name="theta"):
    """`value` as a float array of angles in radians, all in (0, pi), or [0, pi] if `closed`."""
    value = real(name, value)
    inside = (value >= 0) & (value <= np.pi) if closed else (value > 0) & (value < np.pi)
    if not inside.all():
        ends = "[0, pi]" if closed else "(0, pi)"
        raise ValueError(f"{name}: {value[~inside].flat[0]} is outside {ends}")
    return value


def inputs(name, X, input_dim=None):
    """`X` as a float array of inputs, rows (P, d), finite and none of zeros."""
    X = real(name, X)
    if X.ndim != 2 or not X.size:
        raise ValueError(f"{name}: shape {X.shape}; want inputs as rows, (P, d)")
    if input_dim is not None and X.shape[1] != input_dim:
        want = f"{input_dim} columns, as the training input has"
        raise ValueError(f"{name}: shape {X.shape}; want {want}")
    if not np.isfinite(X).all():
        raise ValueError(f"{name}: holds {X[~np.isfinite(X)][0]}, want finite numbers")
    empty = np.flatnonzero(~X.any(axis=1))
    if len(empty):
        raise ValueError(f"{name}: row {empty[0]} is 0, which has no direction")
    return X


def limits(value):
    """(least, greatest) value of a pixel as an array; refused unless the first is less."""
    value = numbers("limits", value)
    if value.shape != (2,) or not value[0] < value[1]:
        raise ValueError(f"limits: {value.tolist()} is not (least, greatest)")
    return value


def one_input(name, x):
    """`x` as one input, a float array (d,); refused as `inputs` refuses."""
    x = real(name, x)
    if x.ndim != 1:
        raise ValueError(f"{name}: shape {x.shape}; want one input, (d,)")
    return inputs(name, x[None])[0]


def signs(name, value, shape=None):
    """`value` as a float array of -1 and +1, of the given shape if there is one."""
    value = real(name, value)
    if not value.ndim or not value.size or not (np.abs(value) == 1).all():
        raise ValueError(f"{name}: {np.unique(value)[:4]} are not all -1 or +1")
    if shape is not None and value.shape != shape:
        raise ValueError(f"{name}: shape {value.shape}; want {shape}")
    return value


def generator(seed):
    """A NumPy Generator from an explicit seed, whatever default_rng takes but None."""
    try:
        if seed is None or np.asarray(seed).dtype == bool:
            raise TypeError("want an explicit seed")
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise ValueError(f"seed: {seed!r} is none for NumPy's default_rng ({error})") from error


def memory(name, what, size):
    """Refuse what would take `size` bytes, more than this machine has."""
    has = 2**33
    if hasattr(os, "sysconf"):
        has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > has:
        needs = f"{size / 2**30:.1f} GiB; {has / 2**30:.1f} GiB are here"
        raise ValueError(f"{name}: {what} would take {needs}")
