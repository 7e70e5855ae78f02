"""Leiden against closed forms and plain loops: cliques found, modularity by its definition, names that stay, splits that are seen."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from targeting.graph import NEW, Graph, followed, leiden, modularity

Ints = NDArray[np.int64]
Edges = list[tuple[int, int, float]]


def graph(nodes: int, edges: Edges) -> Graph:
    a, b, w = (np.array(column) for column in zip(*edges, strict=True)) if edges else (np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    return Graph.of(nodes, a.astype(np.int64), b.astype(np.int64), w.astype(float))


def cliques(sizes: tuple[int, ...], bridges: Edges = ()) -> Graph:  # type: ignore[assignment]
    edges, first = list(bridges), 0
    for size in sizes:
        edges += [(first + i, first + j, 1.0) for i, j in combinations(range(size), 2)]
        first += size
    return graph(first, edges)


def planted(seed: int, *, nodes: int = 3_000, groups: int = 15, mixing: float = 0.5) -> tuple[NDArray[np.int64], Ints, Ints]:
    """Return each node's group and the ends of 15 edges a node; `mixing` of them lead anywhere."""
    rng = np.random.default_rng(seed)
    group = np.sort(rng.integers(0, groups, nodes))
    start, size = np.searchsorted(group, np.arange(groups)), np.bincount(group, minlength=groups)
    a = rng.integers(0, nodes, nodes * 15)
    inside = start[group[a]] + (rng.random(len(a)) * size[group[a]]).astype(np.int64)
    return group, a, np.where(rng.random(len(a)) < mixing, rng.integers(0, nodes, len(a)), inside)


def test_cliques_are_communities_the_largest_first() -> None:
    found = leiden(cliques((4, 7, 5), [(0, 4, 1.0), (5, 11, 1.0)]), seed=1)
    assert found.tolist() == [2] * 4 + [0] * 7 + [1] * 5


weighted = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.floats(0.1, 9)), min_size=1, max_size=30)


@given(edges=weighted, part=st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_modularity_is_newmans(edges: Edges, part: list[int]) -> None:
    ties = np.zeros((8, 8))
    for a, b, w in edges:
        if a != b:
            ties[a, b] += w
            ties[b, a] += w
    if not ties.any():
        return
    k, total = ties.sum(axis=1), ties.sum()
    same = np.equal.outer(part, part)
    assert modularity(graph(8, edges), np.array(part)) == pytest.approx(((ties - np.outer(k, k) / total) * same).sum() / total)


@given(edges=weighted, part=st.lists(st.integers(-1, 3), min_size=8, max_size=8))
def test_going_on_from_a_partition_never_makes_it_worse(edges: Edges, part: list[int]) -> None:
    made = graph(8, edges)
    before = np.array(part, dtype=np.int64)
    after = followed(made, before, seed=1)
    if made.total and (before >= 0).all():
        assert modularity(made, after) >= modularity(made, before) - 1e-9


def test_a_graph_without_edges_leaves_everybody_alone() -> None:
    alone = graph(5, [(2, 2, 3.0)])
    assert leiden(alone, seed=1).tolist() == [0, 1, 2, 3, 4]
    assert followed(alone, np.array([3, 3, NEW, 0, NEW]), seed=1).tolist() == [3, 3, 4, 0, 5]


def test_communities_keep_their_numbers_and_take_in_who_is_new() -> None:
    made = cliques((5, 5, 5), [(0, 5, 1.0), (9, 10, 1.0)])
    before = np.array([8] * 4 + [NEW] + [3] * 5 + [5] * 4 + [NEW])
    assert followed(made, before, seed=1).tolist() == [8] * 5 + [3] * 5 + [5] * 5


def test_what_fell_apart_is_taken_apart_and_what_grew_together_is_one() -> None:
    split = followed(cliques((20, 20, 20), [(0, 20, 1.0)]), np.array([0] * 40 + [1] * 20), seed=1)
    assert sorted(len(set(split[i : i + 20])) for i in (0, 20, 40)) == [1, 1, 1]
    assert len(set(split.tolist())) == 3
    assert set(split[40:]) == {1}
    together = followed(cliques((12, 12)), np.array([0] * 6 + [1] * 6 + [2] * 12), seed=1)
    assert len(set(together[:12].tolist())) == 1
    assert set(together[12:]) == {2}


def test_a_period_later_it_agrees_with_the_one_before_better_than_a_search_anew() -> None:
    group, a, b = planted(4)
    first = leiden(Graph.of(len(group), a, b, np.ones(len(a))), seed=1)
    assert adjusted_rand_score(group, first) > 0.9
    _, other, end = planted(5)
    swapped = np.random.default_rng(6).random(len(a)) < 0.1
    a, b = np.where(swapped, other, a), np.where(swapped, end, b)
    later = Graph.of(len(group), a, b, np.ones(len(a)))
    warm, cold = followed(later, first, seed=2), leiden(later, seed=2)
    assert adjusted_rand_score(first, warm) >= adjusted_rand_score(first, cold)
    assert modularity(later, warm) >= modularity(later, cold) - 0.002


def test_the_same_seed_gives_the_same_communities_whatever_order_edges_come_in() -> None:
    group, a, b = planted(7, nodes=500, groups=6)
    ones, turn = np.ones(len(a)), np.random.default_rng(0).permutation(len(a))
    first, again = (leiden(Graph.of(len(group), *ends, ones), seed=3) for ends in ((a, b), (b[turn], a[turn])))
    assert (first == again).all()
