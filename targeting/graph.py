"""Communities of a weighted graph by Leiden, found anew or from the partition of the period before; the home of networkit.

Nodes are numbered from 0; a partition is an array with each node's community. One thread works and chance comes from the seed, so a
graph in one numbering always has the same communities.

Traag, Waltman, van Eck: From Louvain to Leiden (Scientific Reports 9, 2019): move nodes, refine what they make, move what the refinement
left whole. networkit's ParallelLeiden begins with single nodes and takes no other start, so the moves of `followed` are made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

ITERATIONS = 10  # of ParallelLeiden; with 3, two seeds agree clearly less
PASSES = 3  # from what that found on: communities that it took for one are taken apart, and two seeds agree
SWEEPS, PATIENCE = 60, 5  # at most so many rounds of moves; so many without a better partition end them
LEAST = 1e-9  # share of all weight that a move must gain
NEW = -1  # the community of a node that had none


@dataclass(frozen=True)
class Graph:
    """An undirected graph: symmetric weights, a node's weight with itself counted twice."""

    weights: Any  # scipy's csr_array
    degree: Floats
    loops: Floats

    @classmethod
    def of(cls, nodes: int, a: Ints, b: Ints, weight: Floats) -> Graph:
        """Return the graph of these edges; several between two nodes are one of their sum, one from a node to itself is dropped."""
        apart = a != b
        a, b, weight = a[apart], b[apart], weight[apart]
        ends = np.concatenate((a, b)), np.concatenate((b, a))
        return cls.from_weights(sparse.coo_array((np.concatenate((weight, weight)), ends), shape=(nodes, nodes)).tocsr())

    @classmethod
    def from_weights(cls, weights: Any) -> Graph:
        """Return the graph of a symmetric matrix."""
        return cls(weights, np.asarray(weights.sum(axis=1)).ravel(), weights.diagonal())

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.degree)

    @property
    def total(self) -> float:
        """Twice the weight of all edges."""
        return float(self.degree.sum())


def leiden(graph: Graph, seed: int) -> Ints:
    """Return the communities of a graph, the largest first."""
    part = _networkit(graph, seed, gamma=1.0, iterations=ITERATIONS)
    for turn in range(PASSES):
        part = followed(graph, part, seed + turn)
    return _by_size(part)


def followed(graph: Graph, before: Ints, seed: int) -> Ints:
    """Return the communities that a partition becomes: nodes move from where they were, and what fell apart is taken apart.

    A community that goes on keeps its number; `NEW` nodes join where they gain most, and a new community has a number that none had.
    """
    part = _joined(graph, before)
    if graph.total:
        rng = np.random.default_rng(seed)
        part = _moved(graph, part, rng)
        parts = _refined(graph, part, seed)
        merged, start = _merged(graph, parts), np.empty(int(parts.max()) + 1, dtype=np.int64)
        start[parts] = part
        part = _moved(graph, _moved(merged, start, rng)[parts], rng)
    return _named(part, before)


def modularity(graph: Graph, part: Ints) -> float:
    """Return Newman's modularity: the share of weight inside communities above that of a graph of equal degrees drawn at random."""
    return _looked(graph, _dense(part))[0]


def _joined(graph: Graph, before: Ints) -> Ints:
    """Return a partition in which nodes that had no community are in that which they gain most by, or alone."""
    part, fresh = before.astype(np.int64), before < 0
    part[fresh] = int(part.max(initial=-1)) + 1 + np.arange(int(fresh.sum()))
    if not graph.total or fresh.all():
        return part
    names, place = np.unique(part, return_inverse=True)
    _, to, gain = _looked(graph, place)
    joining = fresh & (gain > 0) & (to < len(names))
    return np.where(joining, names[np.minimum(to, len(names) - 1)], part)


def _moved(graph: Graph, part: Ints, rng: np.random.Generator) -> Ints:
    """Move nodes to the community that gains most, a random half of them at a time lest neighbours swap; return the best partition seen."""
    best, most, waits = part, -np.inf, 0
    for _ in range(SWEEPS):
        names, place = np.unique(part, return_inverse=True)
        quality, to, gain = _looked(graph, place)
        better = quality > most + LEAST
        best, most, waits = (part, quality, 0) if better else (best, most, waits + 1)
        willing = gain > LEAST * graph.total
        if waits == PATIENCE or not willing.any():
            break
        going = willing & (rng.integers(0, 2, graph.nodes) > 0)
        others = np.append(names, 0)  # who leaves for none of them is alone
        part = np.where(going, np.where(to < len(names), others[to], int(part.max()) + 1 + np.arange(graph.nodes)), part)
    return best


def _named(part: Ints, before: Ints) -> Ints:
    """Give each community the number of that which most of its nodes come from, if most nodes of that one went to it; else a new one."""
    place, old = _dense(part), before >= 0
    pairs, nodes = np.unique(np.stack((place[old], before[old])), axis=1, return_counts=True)
    order = np.lexsort((pairs[1], pairs[0], -nodes))
    comes = {int(now): int(then) for now, then in pairs[:, order[::-1]].T}
    goes = {int(then): int(now) for now, then in pairs[:, order[::-1]].T}
    names, unused = np.empty(int(place.max(initial=-1)) + 1, dtype=np.int64), int(before.max(initial=-1)) + 1
    for now in range(len(names)):
        then = comes.get(now, NEW)
        kept = then != NEW and goes[then] == now
        names[now] = then if kept else unused
        unused += not kept
    return names[place]


def _looked(graph: Graph, place: Ints) -> tuple[float, Ints, Floats]:
    """Return the modularity of a partition numbered without gaps, and of each node where it gains most by moving, and how much.

    One number above all communities stands for a new one.
    """
    nodes, total, count = graph.nodes, graph.total, int(place.max()) + 1
    sums = np.bincount(place, graph.degree, minlength=count)
    member = sparse.csr_array((np.ones(nodes), (np.arange(nodes), place)), shape=(nodes, count))
    ties = (graph.weights @ member).tocsr()
    row, column = np.repeat(np.arange(nodes), np.diff(ties.indptr)), ties.indices
    own = column == place[row]
    inside = np.zeros(nodes)
    inside[row[own]] = ties.data[own]
    quality = inside.sum() / total - float(((sums / total) ** 2).sum())
    stay = inside - graph.loops - graph.degree * (sums[place] - graph.degree) / total
    # Leaving for a community of its own gains nothing but what staying costs.
    most, to = np.zeros(nodes), np.full(nodes, count)
    gain = np.where(own, -np.inf, ties.data - graph.degree[row] * sums[column] / total)
    last = np.lexsort((gain, row))  # ends, in each row, with its largest
    ends = last[np.cumsum(np.diff(ties.indptr))[np.diff(ties.indptr) > 0] - 1]
    up = ends[gain[ends] > 0]
    most[row[up]], to[row[up]] = gain[up], column[up]
    return quality, to, most - stay


def _refined(graph: Graph, part: Ints, seed: int) -> Ints:
    """Return the communities that lie inside those of a partition: Leiden without the edges between them.

    With fewer edges chance expects less weight inside; gamma makes up for it.
    """
    edges = graph.weights.tocoo()
    kept = part[edges.row] == part[edges.col]
    inner = Graph.from_weights(sparse.coo_array((edges.data[kept], (edges.row[kept], edges.col[kept])), shape=edges.shape).tocsr())
    if not inner.total:
        return np.arange(graph.nodes)
    found = _networkit(inner, seed, gamma=graph.total / inner.total, iterations=3)
    return _dense(found * (int(part.max()) + 1) + part)


def _merged(graph: Graph, parts: Ints) -> Graph:
    member = sparse.csr_array((np.ones(graph.nodes), (np.arange(graph.nodes), parts)))
    return Graph.from_weights((member.T @ graph.weights @ member).tocsr())


def _dense(part: Ints) -> Ints:
    return np.unique(part, return_inverse=True)[1]


def _networkit(graph: Graph, seed: int, *, gamma: float, iterations: int) -> Ints:
    import networkit  # takes a second, which only who looks for communities has to wait

    if not graph.total:
        return np.arange(graph.nodes)
    networkit.setNumberOfThreads(1)
    networkit.setSeed(seed, False)  # noqa: FBT003 - its own signature
    edges = sparse.triu(graph.weights).tocoo()
    made = networkit.GraphFromCoo((edges.data, (edges.row, edges.col)), n=graph.nodes, weighted=True, directed=False)
    found = networkit.community.ParallelLeiden(made, iterations=iterations, gamma=gamma).run().getPartition().getVector()
    return _by_size(np.asarray(found, dtype=np.int64))


def _by_size(part: Ints) -> Ints:
    """Number communities from the largest on; of equal ones that with the first node goes first."""
    _, first, place, sizes = np.unique(part, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[place]
