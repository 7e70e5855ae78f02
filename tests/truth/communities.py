"""Planted communities: found again, the same from seed to seed and from period to period, and the listeners in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from results import Measured, Row, row
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from jobs.contracts.fans import ARTIST_FANS, COMMUNITY_ARTISTS
from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from targeting.communities import communities, community_artists
from targeting.graph import Graph, followed, leiden, modularity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pyspark.sql import SparkSession
    from worlds import Size

    Ints = NDArray[np.int64]
    Score = Callable[[Ints, Ints], float]

COMMAND = "make truth NAME=communities"
NODES, GROUPS, EACH, MIXING = 60_000, 120, 32, 0.55  # nodes, communities, ends of edges a node, share of edges that lead anywhere
REPLACED = 0.1  # of the edges, from one period to the next
REPLICATES = 60


def found(size: Size) -> list[Row]:
    """Measure on every seed."""
    by_seed = {seed: of_graph(seed) for seed in size.seeds}
    spark = SparkLake(Address.parse(str(size.folder / "communities"))).spark
    listeners = {seed: of_listeners(spark, np.random.default_rng(seed)) for seed in size.seeds}
    where = f"{GROUPS} planted communities of {NODES:,} nodes, {MIXING:.0%} of edges leading anywhere"
    says = {
        "communities_ami": (f"{where}: AMI of those found", ">= 0.95"),
        "communities_seed_ari": (f"{where}: ARI of two seeds", ">= 0.9"),
        "communities_warm_ari": (f"after {REPLACED:.0%} of edges were replaced: ARI with the period before, going on from it", ">= 0.95"),
        "communities_warm_over_cold": ("by how much that is more than of a search anew", "> 0"),
        "communities_warm_modularity": ("modularity going on, less that of a search anew", ">= -0.002"),
    }
    rows = [row(name, what, goal, {seed: one[name] for seed, one in by_seed.items()}, COMMAND) for name, (what, goal) in says.items()]
    what = "3,000 listeners of 12 planted communities, six pairs of ten drawn from all: AMI of the communities they are assigned to"
    return [*rows, row("communities_listeners_ami", what, ">= 0.9", listeners, COMMAND)]


def planted(rng: np.random.Generator, group: Ints, edges: int, mixing: float) -> tuple[Ints, Ints]:
    """Draw edges between nodes of the same group, but for a share that leads anywhere."""
    count = int(group.max()) + 1
    order, size = np.argsort(group, kind="stable"), np.bincount(group, minlength=count)
    start = np.cumsum(size) - size
    a = rng.integers(0, len(group), edges)
    inside = order[start[group[a]] + (rng.random(edges) * size[group[a]]).astype(np.int64)]
    return a, np.where(rng.random(edges) < mixing, rng.integers(0, len(group), edges), inside)


def sizes(rng: np.random.Generator, nodes: int, groups: int) -> Ints:
    """Draw each node's group; groups differ in size."""
    weight = rng.gamma(4, 1, groups)
    return rng.choice(groups, nodes, p=weight / weight.sum())


def replaced(rng: np.random.Generator, ends: tuple[Ints, Ints], others: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """Return edges of which a tenth gave way to others."""
    gone = rng.random(len(ends[0])) < REPLACED
    return np.where(gone, others[0], ends[0]), np.where(gone, others[1], ends[1])


def of_graph(seed: int, nodes: int = NODES, groups: int = GROUPS) -> dict[str, Measured]:
    """Find communities twice, and again a period later from scratch and from those of before."""
    rng = np.random.default_rng(seed)
    group = sizes(rng, nodes, groups)
    ends, others = (planted(rng, group, nodes * EACH // 2, MIXING) for _ in range(2))
    weight = np.ones(len(ends[0]))
    graph, later = Graph.of(nodes, *ends, weight), Graph.of(nodes, *replaced(rng, ends, others), weight)
    first, again, cold = leiden(graph, seed), leiden(graph, seed + 1), leiden(later, seed + 2)
    warm = followed(later, first, seed + 2)
    draws = [rng.integers(0, nodes, nodes) for _ in range(REPLICATES)]

    def over_nodes(value: Callable[[Ints], float]) -> Measured:
        low, high = np.quantile([value(nodes) for nodes in draws], (0.025, 0.975))
        return Measured(value(np.arange(nodes)), float(low), float(high))

    ari: Score = adjusted_rand_score
    return {
        "communities_ami": over_nodes(lambda n: float(adjusted_mutual_info_score(group[n], first[n]))),
        "communities_seed_ari": over_nodes(lambda n: ari(first[n], again[n])),
        "communities_warm_ari": over_nodes(lambda n: ari(first[n], warm[n])),
        "communities_warm_over_cold": over_nodes(lambda n: ari(first[n], warm[n]) - ari(first[n], cold[n])),
        "communities_warm_modularity": Measured.exactly(modularity(later, warm) - modularity(later, cold)),
    }


def of_listeners(spark: SparkSession, rng: np.random.Generator, people: int = 3_000, groups: int = 12) -> Measured:
    """Plant listeners with a taste for a group's artists; six of ten pairs are of anybody's. Find them again by the tables' own jobs."""
    artists, pairs = groups * 40, people * 30
    group = sizes(rng, people, groups)
    listener = np.repeat(np.arange(people), pairs // people)
    popular = np.floor(40 * rng.random(pairs) ** 2).astype(np.int64)  # the first artists of a group are the most played
    artist = np.where(rng.random(pairs) < 0.6, rng.integers(0, groups, pairs), group[listener]) + groups * popular
    one, plays = np.unique(listener * artists + artist, return_counts=True)
    who, whom = np.char.mod("%032x", one // artists), np.char.mod("a%d", one % artists)
    day = np.full(len(one), np.datetime64("2026-11-09"))
    ladder = spark.createDataFrame(
        pa.table({"date": pa.array(day).cast(pa.date32()), "listener_id": who, "artist_id": whom, "plays": plays})
    )
    ids = np.unique(who)
    said = {"date": pa.array(day[: len(ids)]).cast(pa.date32()), "listener_id": ids, "ads_allowed": np.full(len(ids), True)}
    listeners = spark.createDataFrame(pa.table(said))
    nobody = (spark.createDataFrame([], table.ddl) for table in (ARTIST_FANS, COMMUNITY_ARTISTS))
    dates = (day[0].item(),)
    placed = community_artists(ladder, listeners, *nobody, dates=dates).cache()
    rows = communities(ladder, listeners, placed, dates=dates).toPandas()
    true = group[[int(name, 16) for name in rows.listener_id]]
    names = np.unique(rows.community, return_inverse=True)[1]
    draws = [rng.integers(0, len(rows), len(rows)) for _ in range(REPLICATES)]
    low, high = np.quantile([adjusted_mutual_info_score(true[n], names[n]) for n in draws], (0.025, 0.975))
    return Measured(float(adjusted_mutual_info_score(true, names)), float(low), float(high))
