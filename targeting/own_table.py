"""Communities of a table of one's own: edges between people or things, or counts of what people listened to, bought or read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from targeting.graph import NEW, Graph, followed, leiden, modularity
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from targeting.graph import Ints

    Names = NDArray[np.str_]

NAMED = 3  # items that a community is named by
AT_ROOT = 1e-12


@dataclass(frozen=True)
class Links:
    """A graph with names: `first` are the nodes whose communities are told, `items` what counts say they have to do with, if any."""

    graph: Graph
    first: Names
    items: Names
    pairs: tuple[Ints, Ints]


@dataclass(frozen=True)
class Community:
    """One community: its name, members, their share of all, and what they have to do with more than others have."""

    community: str
    members: int
    share: float
    label: str


@dataclass(frozen=True)
class Found:
    """Communities of at least so many members, the largest first; each node with its community, empty where that was too small."""

    communities: tuple[Community, ...]
    modularity: float
    small: int
    nodes: Names
    names: Names


def edges(frame: pa.Table, columns: Sequence[str]) -> Links:
    """Return the graph of two columns of nodes and, if there is a third, of weights."""
    if len(columns) not in (2, 3):
        raise WrongUse(f"--edges {','.join(columns)}: name two columns of nodes, or these and one of weights, with a comma between")
    a, b = (_texts(frame, name) for name in columns[:2])
    weight = _numbers(frame, columns[2]) if columns[2:] else np.ones(len(a))
    nodes, ends = np.unique(np.concatenate((a, b)), return_inverse=True)
    graph = Graph.of(len(nodes), ends[: len(a)], ends[len(a) :], weight)
    if not graph.total:
        raise WrongUse("no edge of any weight joins two different nodes")
    return Links(graph, nodes, np.array([], dtype=str), (np.array([], dtype=np.int64), np.array([], dtype=np.int64)))


def counts(frame: pa.Table, columns: Sequence[str]) -> Links:
    """Return the graph of people and items: ln(1 + count), and more of an item that few people have to do with."""
    if len(columns) != 3:  # noqa: PLR2004 - who, what, how often
        raise WrongUse(f"--counts {','.join(columns)}: name three columns, listener, item and count, with a comma between")
    who, what, often = _texts(frame, columns[0]), _texts(frame, columns[1]), _numbers(frame, columns[2])
    people, a = np.unique(who[often > 0], return_inverse=True)
    items, b = np.unique(what[often > 0], return_inverse=True)
    if not len(people):
        raise WrongUse(f"column {columns[2]!r} holds no count above 0")
    pairs, place = np.unique(a * len(items) + b, return_inverse=True)
    a, b = pairs // len(items), pairs % len(items)
    weight = np.log1p(np.bincount(place, often[often > 0])) * np.log1p(len(people) / np.bincount(b))[b]
    return Links(Graph.of(len(people) + len(items), a, len(people) + b, weight), people, items, (a, b))


def find(links: Links, *, least: int, seed: int, before: Mapping[str, str] | None = None) -> Found:
    """Find communities, anew or from where nodes were `before`; one of fewer than `least` members is told of nowhere."""
    if before:
        known = sorted(set(before.values()))
        start = np.array([known.index(before[name]) if before.get(name) else NEW for name in links.first.tolist()], dtype=np.int64)
        rest = np.full(links.graph.nodes - len(start), NEW)
        part = followed(links.graph, np.concatenate((start, rest)), seed)
        names = _fresh_names(known, int(part.max()) + 1)
    else:
        part = leiden(links.graph, seed)
        names = [f"m{n + 1}" for n in range(int(part.max()) + 1)]
    mine = part[: len(links.first)]
    sizes = np.bincount(mine, minlength=len(names))
    told = [int(n) for n in np.argsort(-sizes, kind="stable") if sizes[n] >= least]
    labels = _labels(links, mine, told, least)
    found = tuple(Community(names[n], int(sizes[n]), float(sizes[n] / len(mine)), labels.get(n, "")) for n in told)
    shown = np.where(np.isin(mine, told), np.array(names)[mine], "")
    return Found(found, modularity(links.graph, part), int((sizes > 0).sum()) - len(told), links.first, shown)


def _fresh_names(known: list[str], count: int) -> list[str]:
    """Return the names of before and, for communities that are new, names that none had."""
    taken, names, n = set(known), list(known), 0
    while len(names) < count:
        n += 1
        if f"m{n}" not in taken:
            names.append(f"m{n}")
    return names


def _labels(links: Links, mine: Ints, told: Sequence[int], least: int) -> dict[int, str]:
    """Name communities by the items that add most to the difference between members and everybody (Kullback and Leibler's divergence).

    An item that fewer than `least` members have to do with is not named.
    """
    if not len(links.items):
        return {}
    a, b = links.pairs
    usual, labels = np.bincount(b, minlength=len(links.items)) / len(mine), {}
    for n in told:
        have = np.bincount(b[mine[a] == n], minlength=len(links.items))
        share = have / (mine == n).sum()
        adds = np.where((have >= least) & (share > usual), share * np.log(np.maximum(share, AT_ROOT) / np.maximum(usual, AT_ROOT)), 0)
        best = [k for k in np.argsort(-adds, kind="stable")[:NAMED] if adds[k] > 0]
        labels[n] = ", ".join(links.items[best].tolist()) or "nothing over-indexes"
    return labels


def _column(frame: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in frame.column_names:
        raise WrongUse(f"there is no column {name!r}{did_you_mean(name, frame.column_names)}")
    if not frame.num_rows:
        raise WrongUse("the table has no row")
    return frame[name]


def _texts(frame: pa.Table, name: str) -> Names:
    column = _column(frame, name)
    if pa.types.is_nested(column.type):
        raise WrongUse(f"column {name!r} is of type {column.type}; give one of names or numbers")
    texts = pc.cast(column, pa.string())
    bad = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(texts), ""), True)  # noqa: FBT003
    if pc.any(bad).as_py():
        raise WrongUse(f"column {name!r}, row {pc.index(bad, True).as_py() + 1:,}: nothing stands there; give every row a name")
    return np.asarray(texts.to_numpy(), dtype=str)


def _numbers(frame: pa.Table, name: str) -> NDArray[np.float64]:
    column = _column(frame, name)
    values = column.to_pylist()
    for number, value in enumerate(values, 1):
        try:
            good = 0 <= float(value) < np.inf
        except (TypeError, ValueError):
            good = False
        if not good:
            raise WrongUse(f"column {name!r}, row {number:,}: {value!r} will not do; give a number from 0 on")
    return np.array(values, dtype=np.float64)
