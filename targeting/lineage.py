"""What became of yesterday's clusters: which of today's carry their ids on, and who was born, died, split off or merged.

Numbers in, names and events out; no frames. Similarity is 0.7 of the Jaccard index of the listeners plus 0.3 of the cosine of the
centres, matched by the Hungarian method (Kuhn 1955); what counts as the same cluster follows MONIC (Spiliopoulou et al., KDD 2006).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

SHARED, ALIKE = 0.7, 0.3  # weights of common listeners and of the centres' direction
MOST_OF = 0.5  # share of a cluster's listeners that decides what became of it
SURVIVED, BORN, DIED, SPLIT, MERGED = "survived", "birth", "death", "split", "merge"


@dataclass(frozen=True)
class Flow:
    """Listeners by yesterday's cluster (rows) and today's (columns).

    `before` and `after` are the clusters' sizes; they count those too who are there on one of both days alone.
    """

    both: Ints
    before: Ints
    after: Ints


@dataclass(frozen=True)
class Event:
    """What happened to a cluster. `other` is whom it split off from or merged into, or where the largest part of a dead one's is now.

    `share` is the part of the older cluster's listeners that went along.
    """

    cluster: str
    kind: str
    other: str | None = None
    share: float | None = None


@dataclass(frozen=True)
class Lineage:
    """Today's clusters: their ids in the order of the columns, what happened, and the highest number ever given to an id."""

    names: tuple[str, ...]
    events: tuple[Event, ...]
    issued: int


def follow(flow: Flow, alike: Floats, names: Sequence[str], issued: int) -> Lineage:
    """Give today's clusters their ids; `alike` holds the cosines of yesterday's centres (rows) with today's.

    A cluster lives on if most of its listeners are in clusters whose listeners were mostly its own, or if most of the listeners of the
    one that it went to were of clusters that went there. The most similar of these inherits its id.
    """
    forward, backward = flow.both / np.maximum(flow.before, 1)[:, None], flow.both / np.maximum(flow.after, 1)[None, :]
    jaccard = flow.both / np.maximum(flow.before[:, None] + flow.after[None, :] - flow.both, 1)
    went, came = forward >= MOST_OF, backward >= MOST_OF
    in_children = came & ((forward * came).sum(axis=1, keepdims=True) >= MOST_OF)
    of_parents = went & ((backward * went).sum(axis=0, keepdims=True) >= MOST_OF)
    heirs = in_children | of_parents
    similar = np.where(heirs, np.maximum(SHARED * jaccard + ALIKE * alike, 0) + 1e-9, 0)
    olds, news = linear_sum_assignment(similar, maximize=True)
    heir = {int(new): int(old) for old, new in zip(olds, news, strict=True) if heirs[old, new]}
    born = sorted(set(range(len(flow.after))) - set(heir), key=lambda new: (-flow.after[new], new))
    given = {new: f"c{issued + n}" for n, new in enumerate(born, 1)}
    found = tuple(names[heir[new]] if new in heir else given[new] for new in range(len(flow.after)))
    events = [Event(found[new], SURVIVED, names[old], float(forward[old, new])) for new, old in heir.items()]
    for new in born:
        parent = next((old for old in heir.values() if came[old, new]), None)
        events.append(Event(given[new], BORN) if parent is None else Event(given[new], SPLIT, names[parent], float(forward[parent, new])))
    gone = sorted(set(range(len(names))) - set(heir.values()))
    events += [_end(names[old], flow.both[old], forward[old], found) for old in gone]
    return Lineage(found, tuple(events), issued + len(born))


def founded(sizes: Ints) -> Lineage:
    """Return the lineage of a first date: every cluster is born, c1 is the largest."""
    return follow(Flow(np.zeros((0, len(sizes)), np.int64), np.zeros(0, np.int64), sizes), np.zeros((0, len(sizes))), (), 0)


def _end(name: str, both: Ints, forward: Floats, found: Sequence[str]) -> Event:
    if not both.any():
        return Event(name, DIED)
    where = int(np.argmax(both))
    return Event(name, MERGED if forward[where] >= MOST_OF else DIED, found[where], float(forward[where]))


def kin(lineage: Lineage, names: Sequence[str]) -> Flags:
    """Return which of today's clusters (columns) are what became of each of yesterday's: itself, what split off, what it merged into."""
    ties: set[tuple[str | None, str | None]] = {(event.other, event.cluster) for event in lineage.events if event.kind in (SURVIVED, SPLIT)}
    ties |= {(event.cluster, event.other) for event in lineage.events if event.kind == MERGED}
    return np.array([[(old, new) in ties for new in lineage.names] for old in names], dtype=np.bool_).reshape(len(names), -1)


def agreement(unchanged: Ints, related: Flags) -> float:
    """Return the share of unchanged listeners, by yesterday's and today's cluster, whose cluster is what became of their own."""
    return float(unchanged[related].sum() / unchanged.sum()) if unchanged.sum() else 0.0


def shift(flow: Flow, related: Flags) -> float:
    """Return the population stability index of sizes, infinite where nothing continues.

    Clusters that an event ties together count as one; one that was born or died is an event, not a shift, and counts in neither share.
    """
    reach = (related @ related.T) | np.eye(len(flow.before), dtype=np.bool_)
    for _ in flow.before:
        reach = reach @ reach
    families = [row for row in np.unique(reach, axis=0) if related[row].any()]
    old = np.array([flow.before[row].sum() for row in families], dtype=np.float64)
    new = np.array([flow.after[related[row].any(axis=0)].sum() for row in families], dtype=np.float64)
    if not families or not (old.all() and new.all()):
        return float("inf")
    p, q = old / old.sum(), new / new.sum()
    return float(((q - p) * np.log(q / p)).sum())
