"""Leiden and its peer Louvain (networkit's PLM) on the friendships of 41,773 Deezer users: modularity, and whether two seeds agree.

Rozemberczki et al., GEMSEC: Graph Embedding with Self Clustering (2019). Both in one run, on the same graph and the same seeds.
"""

from __future__ import annotations

import os
import sys
import time
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import networkit
import numpy as np
from pairs import T95
from results import Measured, Row, row, unmeasured
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from jobs.lake.foreign import read_foreign
from targeting.graph import Graph, leiden, modularity
from targeting.own_table import edges

if TYPE_CHECKING:
    from collections.abc import Callable

    from targeting.graph import Ints

SEEDS = (1, 2, 3, 4, 5)
COMMAND = "make bench NAME=communities"
SAYS = {
    "deezer_leiden_modularity": ("Deezer, 41,773 users: modularity of Leiden, the worst of five seeds", ">= 0.76"),
    "deezer_modularity_over_louvain": ("modularity of Leiden above Louvain's, by seed", "> 0"),
    "deezer_seed_ari": ("mean ARI of Leiden between two of five seeds", ">= 0.7"),
    "deezer_seed_ari_over_louvain": ("mean ARI between seeds above Louvain's, by pair", "> 0"),
}


def measure() -> list[Row]:
    """Find communities with every seed by both, and compare."""
    path = Path(os.environ.get("OVERTONE_DATA", "../shared/data")) / "deezer-graph" / "edges.csv.gz"
    if not path.exists():
        return [
            unmeasured(name, what, goal, f"there is no {path}; OVERTONE_DATA names the folder", COMMAND)
            for name, (what, goal) in SAYS.items()
        ]
    frame = read_foreign(path)
    graph = edges(frame, frame.column_names).graph
    ours, theirs = _found("Leiden", leiden, graph), _found("Louvain", louvain, graph)
    quality = np.array([[modularity(graph, part) for part in found] for found in (ours, theirs)])
    agree = np.array([[adjusted_rand_score(a, b) for a, b in combinations(found, 2)] for found in (ours, theirs)])
    sys.stderr.write(f"modularity, Leiden and Louvain: {np.round(quality, 4).tolist()}\nARI between seeds: {np.round(agree, 3).tolist()}\n")
    measured = {
        "deezer_leiden_modularity": Measured.exactly(float(quality[0].min())),
        "deezer_modularity_over_louvain": _mean(quality[0] - quality[1]),
        "deezer_seed_ari": _mean(agree[0]),
        "deezer_seed_ari_over_louvain": _mean(agree[0] - agree[1]),
    }
    return [row(name, what, goal, dict.fromkeys(SEEDS, measured[name]), COMMAND) for name, (what, goal) in SAYS.items()]


def louvain(graph: Graph, seed: int) -> Ints:
    """Return the communities of networkit's Louvain, in one thread, nodes in an order drawn from the seed."""
    networkit.setNumberOfThreads(1)
    networkit.setSeed(seed, False)
    upper = sparse.triu(graph.weights).tocoo()
    made = networkit.GraphFromCoo((upper.data, (upper.row, upper.col)), n=graph.nodes, weighted=True, directed=False)
    return np.array(networkit.community.PLM(made, par="none randomized").run().getPartition().getVector(), dtype=np.int64)


def _found(name: str, search: Callable[[Graph, int], Ints], graph: Graph) -> list[Ints]:
    began = time.process_time()
    found = [search(graph, seed) for seed in SEEDS]
    sys.stderr.write(f"{name}: {(time.process_time() - began) / len(SEEDS):.1f} CPU seconds a seed\n")
    return found


def _mean(values: np.ndarray) -> Measured:
    """Return the mean with its interval; values of pairs of seeds are as many as seeds."""
    half = T95[len(SEEDS) - 1] * float(values.std(ddof=1)) / len(SEEDS) ** 0.5
    return Measured(float(values.mean()), float(values.mean()) - half, float(values.mean()) + half)
