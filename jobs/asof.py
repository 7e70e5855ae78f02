"""The point-in-time join: what was known of each of one's rows at its own moment, by two clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CLOCKS = ("who", "happened", "known")
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Some of what there is to know, one row a fact: `clocks` reads whose it is, and the moments from which on it held and was known.

    `values` reads what it says, rows in the same order. Both are asked once; of what no row needs nothing but clocks is held in memory.
    """

    clocks: Callable[[], pa.Table]
    values: Callable[[], pa.Table]


def as_of(who: pa.ChunkedArray, at: pa.ChunkedArray, parts: Sequence[Part], within: timedelta | None = None) -> pa.Table:
    """Return for each row, in order, the values of the newest fact of its `who` that had happened and was known at its moment `at`.

    The newest is the one that happened last; of equal ones that which was known last, and then the one that is read last. Values are null
    where there is none, where it is older than `within`, and where a row says not whose it is or when. Moments are timestamps or dates.
    """
    clocks = [part.clocks().select(CLOCKS) for part in parts]
    facts = newest(who, at, pa.concat_tables(clocks), within)
    known = facts.is_valid().to_numpy(zero_copy_only=False)
    needed, places = np.unique(facts.filter(pa.array(known)).to_numpy(), return_inverse=True)
    ends = np.cumsum([len(one) for one in clocks])
    cuts = np.searchsorted(needed, [0, *ends])
    read = [
        part.values().take(needed[cuts[n] : cuts[n + 1]] - (ends[n] - len(clocks[n])))
        for n, part in enumerate(parts)
        if cuts[n] < cuts[n + 1] or not n  # the first says which columns there are
    ]
    taken = np.zeros(len(facts), np.int64)
    taken[known] = places
    # One chunk, for `take` looks chunks up row by row.
    return pa.concat_tables(read).combine_chunks().take(pa.array(taken, mask=~known))


def newest(who: pa.ChunkedArray, at: pa.ChunkedArray, clocks: pa.Table, within: timedelta | None = None) -> pa.Array:
    """Return for each row the place in `clocks` (columns who, happened, known) of the fact that `as_of` takes, or null.

    A fact counts from the moment on that it has both happened and is known. So facts are sorted by whose they are and by that moment, a
    running maximum says which was the newest from each on, and a row looks up where its own moment falls: none meets a fact that it does
    not take.
    """
    told = pc.and_(pc.and_(pc.is_valid(clocks["who"]), pc.is_valid(clocks["happened"])), pc.is_valid(clocks["known"]))
    index = np.flatnonzero(told.to_numpy())
    clocks = clocks.filter(told)
    if not len(clocks):
        return pa.nulls(len(who), pa.int64())
    everybody = pc.unique(clocks["who"])
    happened, known, moment = _micros(clocks["happened"]), _micros(clocks["known"]), _micros(at)
    counts = np.maximum(happened, known)
    steps = np.unique(counts)
    # Whose and when in one number, the when by its place among the moments at which anything begins to count.
    span = len(steps) + 1
    mine = _codes(clocks["who"], everybody) * span + np.searchsorted(steps, counts, side="right")
    person = _codes(who, everybody)
    asked = person * span + np.searchsorted(steps, moment, side="right")

    by_age = np.lexsort((known, happened))
    age = np.empty_like(by_age)
    age[by_age] = np.arange(len(by_age))
    sort = np.argsort(mine)
    whose = mine[sort] // span
    # Each person's ages above those of the one before, so that one running maximum serves all.
    best = np.maximum.accumulate(whose * len(age) + age[sort]) - whose * len(age)
    place = np.maximum(np.searchsorted(mine, asked, side="right", sorter=sort) - 1, 0)
    fact = by_age[best[place]]
    found = (person >= 0) & (whose[place] == person) & (mine[sort[place]] <= asked) & pc.is_valid(at).to_numpy()
    if within is not None:
        found &= happened[fact] >= moment - within // timedelta(microseconds=1)
    return pa.array(index[fact], mask=~found)


def _codes(who: pa.ChunkedArray, everybody: pa.Array) -> Whole:
    """Return where each is among everybody, -1 if nowhere."""
    places: Whole = pc.fill_null(pc.index_in(who.cast(everybody.type), everybody), -1).to_numpy().astype(np.int64)
    return places


def _micros(moments: pa.ChunkedArray) -> Whole:
    """Return moments as microseconds since 1970, UTC; 0 for none."""
    zone = getattr(moments.type, "tz", None)
    exact = moments.cast(pa.timestamp("us", zone), safe=False)
    since: Whole = pc.fill_null(exact.cast(pa.int64()), 0).to_numpy()
    return since
