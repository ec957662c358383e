"""Information reconciliation: masks, what a stranger reads, public rows, and a code-offset.

The authors publish message * sign(unit feature of the key) together with the network; whoever has
another input decodes with its signs. The code-offset (Juels and Wattenberg 1999) on the largest
coordinates of a key is this companion's, as are the laws in theory.
"""

import hashlib
from typing import NamedTuple

import numpy as np
from scipy import stats

from entanglement import arguments
from entanglement.arguments import count, inputs, numbers, one_input, signs
from entanglement.layer import margins, require
from entanglement.quadrature import legendre
from entanglement.theory import opposite_probability, tangents
from entanglement.theory.chain import mean_after

# --- the authors' scheme  ----


def pad(net, X, layer=None):
    """Signs (P, width), -1 and +1, of the rows' features after `layer` layers (default: all)."""
    return np.where(net.transform(X, layer) < 0, -1.0, 1.0)


def mask(message, pad):
    """The message times the pad, both -1 and +1, of one last axis; twice gives the message back."""
    message, pad = signs("message", message), signs("pad", pad)
    if message.shape[-1:] != pad.shape[-1:]:
        raise ValueError(f"pad: shape {pad.shape} does not fit the message's {message.shape}")
    return message * pad


def bit_error(decoded, message):
    """Share of differing bits, -1 and +1, along the last axis: 0 recovered, 1 inverted."""
    return np.mean(signs("decoded", decoded) != signs("message", message), axis=-1)


def folded(error):
    """min(e, 1 - e): the error of whoever turns a picture over if it is a negative."""
    error = arguments.numbers("error", error, 0, 1)
    return np.minimum(error, 1 - error)


def pixel_errors(layer, velocity, rng):
    """Share (P,) of wrong pixels of one decoder in each of P networks; exact.

    velocity: a Velocity (P,) at the last layer's input, as simulate returns for keep=[depth - 1]
    less its last axis. Rule `largest`.
    """
    errors = []
    for w in velocity.sign * np.exp(np.minimum(velocity.log_abs, 700)):
        a = margins(layer, rng)
        errors.append(np.mean(a * (a * w + rng.standard_normal(layer.width)) < 0))
    return np.array(errors)


# --- what is public  ----


def public_rows(layer, x, depth, rng):
    """The matrices W_1 .. W_L, a list, of a network inferred from x (d,), rule `largest`.

    The pool is never drawn. A kept row is a u + (I - u u^T) g with margin a, unit training feature
    u and fresh g: exact in law.
    """
    unit, weights, width = one_input("x", x), [], require(layer).width
    for _ in range(count("depth", depth)):
        unit = unit / np.linalg.norm(unit)
        G = rng.standard_normal((width, len(unit)))
        weights.append(G + np.outer(margins(layer, rng) - G @ unit, unit))
        unit = weights[-1] @ unit
    return weights


def guessed_key(rng, weights, rounds):
    """The key's direction up to sign (d,), without it: power iteration on H^T H, from noise.

    H = W_L ... W_1. weights: [W_1, .., W_L], arrays; rounds: of the iteration, each through all
    layers and back; rng: of the first guess.
    """
    v = rng.standard_normal(weights[0].shape[1])
    for _ in range(count("rounds", rounds)):
        for W in [*weights, *(W.T for W in reversed(weights))]:
            v = W @ v
            v = v / np.linalg.norm(v)
    return v


# --- a code-offset on selected bits  ----


class Helper(NamedTuple):
    """What is published: coordinates kept, a codeword plus their signs, a hash to check against.

    The hash lets anybody try all 2^code.k codewords: a practical secret takes a longer code.
    """

    kept: np.ndarray
    offset: np.ndarray
    digest: bytes


def bch(length, corrects):
    """The binary BCH code of `length` 2^m - 1 that corrects `corrects` errors: a galois.BCH."""
    length, corrects = count("length", length, 3), count("corrects", corrects)
    if length & (length + 1):
        raise ValueError(f"length: {length} is not 2^m - 1")
    if 2 * corrects >= length:
        raise ValueError(f"corrects: {corrects} errors in {length} bits leave no key")
    import galois

    # compiling would take longer than a few hundred words
    _, field = (galois.GF(order, compile="python-calculate") for order in (2, length + 1))
    return galois.BCH(length, d=2 * corrects + 1, extension_field=field)


def enrol(rng, x, code):
    """(key bits, Helper) of a key x (d,): the signs of its code.n largest coordinates."""
    x = one_input("x", x)
    if len(x) < code.n:
        raise ValueError(f"x: {len(x)} coordinates, fewer than the code's {code.n} bits")
    kept = np.sort(np.argpartition(-np.abs(x), code.n - 1)[: code.n])
    bits = x[kept] > 0
    codeword = np.asarray(code.encode(rng.integers(0, 2, code.k, dtype=np.uint8))) == 1
    return bits, Helper(kept, bits ^ codeword, _digest(bits))


def recover(X, helper, code):
    """(bits (P, code.n), accepted (P,)) from noisy copies X (P, d) of a key, checked by hash.

    helper, code: as enrol returned and took them. ValueError for copies shorter than the key.
    """
    X = inputs("X", X)
    if X.shape[1] <= helper.kept.max():
        named = helper.kept.max()
        raise ValueError(f"X: {X.shape[1]} columns, but the helper names column {named}")
    word = (X[:, helper.kept] > 0) ^ helper.offset
    codeword = np.asarray(code.decode(word.astype(np.uint8), output="codeword")) == 1
    bits = codeword ^ helper.offset
    return bits, np.array([_digest(row) == helper.digest for row in bits])


def _digest(bits):
    return hashlib.sha256(b"check" + np.packbits(bits).tobytes()).digest()


def stream(bits, count):
    """A pad (count,) of -1 and +1 from recovered bits (n,) by SHAKE-256: all or nothing.

    bits: bool, as enrol and recover return them; ValueError otherwise.
    """
    if getattr(bits, "dtype", None) != np.dtype(bool) or bits.ndim != 1 or not len(bits):
        raise ValueError(f"bits: {bits!r}, want a bool array (n,), as enrol and recover return")
    count = arguments.count("count", count)
    drawn = hashlib.shake_256(b"pad" + np.packbits(bits).tobytes()).digest(-(-count // 8))
    return 2.0 * np.unpackbits(np.frombuffer(drawn, dtype=np.uint8))[:count] - 1


# --- a picture under a mask that is added  ----


def typical_residue(layer, depth, input_dim):
    """Geometric mean over networks of 2 sin(theta_L/2), what is left of a mask of norm 1, with the
    better of the two signs, when an independent Gaussian input takes it off.

    depth: L >= 0. Every width and pool, input_dim >= 2; relative error 1e-3, 5e-3 below width 32:
    theory.mean_log_mask_error is its limit for wide layers. Ours.
    """
    freedom = count("input_dim", input_dim, 2) - 1
    node, weight = legendre(400)
    start = stats.t.ppf((1 + node) / 2, freedom) / np.sqrt(freedom)

    def log_residue(w):
        return np.log(2 * np.sin(np.arctan2(1, np.abs(w)) / 2))

    depth = np.array([count("depth", depth, 0)])
    return float(np.exp(mean_after(require(layer), log_residue, depth, start, weight / 2)[0]))


def opposite_share(layer, input_dim, depth, first, second, cosine):
    """Share of networks in which two inputs end on opposite sides: theory.opposite_probability at
    any width, averaged over the size of S, which is normal only given that.

    first, second: their w_0, arrays that broadcast with cosine, that of their rests, in [-0.99,
    0.99]; input_dim >= 2; error 1/input_dim. Ours.
    """
    square, weight = tangents(layer, input_dim, count("depth", depth))
    first, second, cosine = np.broadcast_arrays(
        numbers("first", first), numbers("second", second), numbers("cosine", cosine, -0.99, 0.99)
    )
    deviation = np.sqrt(square / (input_dim - 1))
    each = zip(first.flat, second.flat, cosine.flat, strict=True)
    shares = [opposite_probability(a, b, c, deviation) @ weight for a, b, c in each]
    return np.reshape(shares, first.shape)


def aimed_share(layer, input_dim, depth, step):
    """Share of independent inputs whose side a step along the training input, forwards or back,
    changes: P(|<r, v>| < step |v| cos(r, x)).

    step: over the norm of the input v, >= 0, any shape. Exact, at every width: v is isotropic, and
    the law of cos(r, x) is theory.tangents. Ours.
    """
    square, weight = tangents(layer, input_dim, count("depth", depth))
    step, cosine = numbers("step", step, 0), 1 / np.sqrt(1 + square)
    shares = [
        stats.beta.cdf(np.minimum(one * cosine, 1) ** 2, 0.5, (input_dim - 1) / 2) @ weight
        for one in step.flat
    ]
    return np.reshape(shares, step.shape)
