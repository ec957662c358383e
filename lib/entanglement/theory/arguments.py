"""Checks of arguments, for every room."""

from numbers import Real

import numpy as np

RULES = ("none", "largest", "signed", "labelled")
WIDE = 32  # width from which the norm of a layer's margins has its quantile function


def check_count(name, value, least=1):
    """`value` as an int; ValueError naming it unless it is a whole number of at least `least`."""
    if not isinstance(value, Real) or isinstance(value, bool) or value % 1 != 0 or value < least:
        raise ValueError(f"{name}: {value!r} is not a whole number of at least {least}")
    return int(value)


def check_numbers(name, value):
    """`value` as a float array; ValueError naming it unless it holds real numbers."""
    try:
        if np.iscomplexobj(value):
            raise TypeError("complex numbers")
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: not an array of real numbers ({error})") from error


def check_layer(width, pool=None, rule="none"):
    """(width, pool, rule) of a layer, with pool=None turned into an ordinary layer; ValueError names what is wrong."""
    width = check_count("width", width, 2)
    if rule not in RULES:
        raise ValueError(f"rule: {rule!r} is not one of {RULES}")
    if pool is None:
        return width, width, "none"
    pool = check_count("pool", pool)
    if pool < width:
        raise ValueError(f"pool: {pool} is less than width {width}")
    if rule == "none" and pool > width:
        raise ValueError(f"pool: {pool} is more than width {width}, but rule 'none' keeps every row")
    if rule == "labelled" and pool % width:
        raise ValueError(f"pool: {pool} is not a multiple of width {width}, as rule 'labelled' needs")
    return width, pool, rule


def check_theta(theta):
    """`theta` as a float array (radians); ValueError unless all of it lies in the open interval (0, pi)."""
    theta = check_numbers("theta", theta)
    inside = (theta > 0) & (theta < np.pi)
    if not inside.all():
        raise ValueError(f"theta: {float(theta[~inside].flat[0])} is outside (0, pi)")
    return theta


def check_angles(name, value):
    value = check_numbers(name, value)
    if not np.isfinite(value).all():
        raise ValueError(f"{name}: holds {value[~np.isfinite(value)].flat[0]}, want finite angles in radians")
    return value


def check_range(name, value, low, high=np.inf):
    """`value` as a float array; ValueError naming it unless all of it lies in [low, high]."""
    value = check_numbers(name, value)
    outside = ~((value >= low) & (value <= high))
    if outside.any():
        raise ValueError(f"{name}: {value[outside].flat[0]:g} is outside [{low:g}, {high:g}]")
    return value


def check_selected(width, pool, rule="largest"):
    """(width, pool, rule) of a layer that selects, wide enough for the law of its norm; ValueError names what is wrong."""
    width, pool, rule = check_layer(check_count("width", width, WIDE), pool, rule)
    if pool == width:
        raise ValueError(f"pool: {pool} is the width, want more candidates than rows kept")
    return width, pool, rule


def check_excess(excess):
    if not excess > -1:
        raise ValueError(f"excess: {excess!r} is not a number above -1")
    return excess
