"""Randomness without a generator: every draw is a hash of (seed, entity, counter), so that any shard draws the same.

The hash is the finaliser of SplitMix64 (Steele, Lea, Flood 2014), applied to whole numpy arrays.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

GOLDEN = 0x9E3779B97F4A7C15
MASK = 0xFFFFFFFFFFFFFFFF
ONE_IN_2_53 = 2.0**-53


def _mixed(state: Keys) -> Keys:
    """Scramble 64-bit states in place; the map is a bijection."""
    state ^= state >> np.uint64(30)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return state


def _constant(purpose: str) -> np.uint64:
    """Return a 64-bit constant of a purpose's name."""
    word = purpose.encode()
    return np.uint64(((zlib.crc32(word) << 32) | zlib.crc32(word[::-1] + b"/")) * GOLDEN & MASK)


def key(seed: int, purpose: str, number: Any) -> Keys:
    """Return the key of each numbered entity of one kind (`listener`, `artist`, ...) in the world of this seed."""
    start = int(_mixed(np.array([seed & MASK], dtype=np.uint64) ^ _constant(purpose))[0])
    return sub(np.asarray(start, dtype=np.uint64), number)


def sub(parent: Keys, *counters: Any) -> Keys:
    """Return the keys of what belongs to `parent`, told apart by counters; arguments broadcast."""
    state = np.atleast_1d(parent)  # arrays wrap around in silence, as the hash wants it; numpy's scalars warn
    for counter in counters:
        state = _mixed(state + (np.atleast_1d(counter).astype(np.uint64) + np.uint64(1)) * np.uint64(GOLDEN))
    return state


def bits(keys: Keys, purpose: str) -> Keys:
    """Return 64 random bits for each key and purpose."""
    return _mixed(keys ^ _constant(purpose))


def uniform(keys: Keys, purpose: str) -> Floats:
    """Return a draw from [0, 1) for each key."""
    return (bits(keys, purpose) >> np.uint64(11)).astype(np.float64) * ONE_IN_2_53


def chance(keys: Keys, purpose: str, probability: Any) -> Bools:
    """Return for each key whether something of this probability happens."""
    return np.asarray(uniform(keys, purpose) < probability)


def normal(keys: Keys, purpose: str) -> Floats:
    """Return a standard normal draw for each key (Box and Muller 1958)."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(keys, purpose)))
    radius *= np.cos(2.0 * np.pi * uniform(keys, purpose + "/angle"))
    return radius


def normals(keys: Keys, purpose: str, width: int) -> Floats:
    """Return `width` independent standard normal draws for each key, shape (keys, width)."""
    return normal(sub(keys[:, None], np.arange(width)), purpose)


def poisson(keys: Keys, purpose: str, mean: Floats, most: int) -> Ints:
    """Return Poisson counts by inversion, none above `most`."""
    left = uniform(keys, purpose)
    term = np.exp(-mean)
    count = np.zeros(left.shape, dtype=np.int64)
    for k in range(1, most + 1):
        left = left - term
        count += left >= 0
        term = term * mean / k
    return count


def geometric(keys: Keys, purpose: str, mean: Any) -> Ints:
    """Return counts 0, 1, 2, ... that fall off geometrically around `mean` (> 0)."""
    stay = mean / (1.0 + mean)
    return np.asarray((np.log(1.0 - uniform(keys, purpose)) / np.log(stay)).astype(np.int64))


def choose(keys: Keys, purpose: str, cumulative: Floats) -> Ints:
    """Return an index for each key by weights given as running sums, shape (choices,) or (keys, choices)."""
    target = uniform(keys, purpose) * cumulative[..., -1]
    if cumulative.ndim == 1:
        return np.asarray(np.minimum(np.searchsorted(cumulative, target, side="right"), len(cumulative) - 1))
    chosen = np.zeros(len(target), dtype=np.int64)
    for k in range(cumulative.shape[1] - 1):  # the last choice takes the rest; column by column keeps memory flat
        chosen += cumulative[:, k] <= target
    return chosen


def shares(logits: Floats) -> Floats:
    """Return the softmax over the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def logistic(logit: Any) -> Floats:
    """Return the probability of a log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))
