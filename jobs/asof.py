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

    `values` reads what it says, rows in the same order, and is asked only where a row takes some: of other parts only clocks are in memory.
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
    taken = np.zeros(len(facts), np.int64)
    taken[known] = facts.filter(pa.array(known)).to_numpy()
    used = np.zeros(sum(map(len, clocks)) + 1, bool)
    used[taken[known]] = True
    needed, places = np.flatnonzero(used), np.cumsum(used) - 1
    ends = np.cumsum([len(one) for one in clocks])
    cuts = np.searchsorted(needed, [0, *ends])
    read = [
        part.values().take(needed[cuts[n] : cuts[n + 1]] - (ends[n] - len(clocks[n])))
        for n, part in enumerate(parts)
        if cuts[n] < cuts[n + 1] or not n  # the first says which columns there are
    ]
    # One chunk, for `take` looks chunks up row by row.
    return pa.concat_tables(read).combine_chunks().take(pa.array(places[taken], mask=~known))


def newest(who: pa.ChunkedArray, at: pa.ChunkedArray, clocks: pa.Table, within: timedelta | None = None) -> pa.Array:
    """Return for each row the place in `clocks` (columns who, happened, known) of the fact that `as_of` takes, or null.

    A fact counts from the moment on that it has both happened and is known. So facts and rows are sorted together, by whose they are and
    by that moment, and a running maximum says which fact was the newest: no row meets one that it does not take.
    """
    told = pc.and_(pc.and_(pc.is_valid(clocks["who"]), pc.is_valid(clocks["happened"])), pc.is_valid(clocks["known"]))
    index = np.flatnonzero(told.to_numpy())
    clocks = clocks.filter(told)
    if not len(clocks):
        return pa.nulls(len(who), pa.int64())
    everybody = pc.unique(clocks["who"])
    happened, known, moment = _micros(clocks["happened"]), _micros(clocks["known"]), _micros(at)
    facts = len(happened)
    by_age = _by_age(happened, known)
    age = _places(by_age)

    # Whose and when in one number, the when by its rank; of one moment facts come first: what is known at the moment itself counts.
    person = np.concatenate((_codes(clocks["who"], everybody), _codes(who, everybody)))
    moments = np.concatenate((np.maximum(happened, known), moment))
    steps = np.argsort(moments)
    rank = np.empty_like(steps)
    rank[steps] = np.cumsum(np.diff(moments[steps], prepend=moments[steps[0]]) > 0)
    sort = np.argsort((person * len(steps) + rank) * 2 + (np.arange(len(steps)) >= facts))
    # Each person's ages lie above those of the one before, so that one running maximum serves all.
    ages = np.full(len(steps), -1)
    ages[:facts] = person[:facts] * facts + age
    best = np.empty_like(sort)
    best[sort] = np.maximum.accumulate(ages[sort])
    best, mine = best[facts:], person[facts:]
    found = (best >= 0) & (best // facts == mine) & pc.is_valid(at).to_numpy()
    fact = by_age[np.where(found, best % facts, 0)]
    if within is not None:
        found &= happened[fact] >= moment - within // timedelta(microseconds=1)
    return pa.array(index[fact], mask=~found)


def _by_age(happened: Whole, known: Whole) -> Whole:
    """Return facts in the order in which they happened, of one moment in that in which they were known, and then as they stand."""
    order = np.argsort(happened, kind="stable")
    apart = np.diff(happened[order]) > 0
    return order if apart.all() else np.lexsort((known, happened))


def _places(order: Whole) -> Whole:
    """Return at which place of an order each stands."""
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return places


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
