"""Micro-communities: consenting listeners who play the same artists, by Leiden on the graph of listeners and artists.

Spark builds the edges: a listener's most played artists of the 28 days, weighted by ln(1 + plays) and by how rare the artist's listeners
are. Leiden finds which artists belong together, from where they were when communities were found before, so that names stay. A listener
belongs to the community whose artists have more of the listener's weight than of everybody's, by the widest margin: it over-indexes most.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.contracts.fans import ARTIST_FANS, COMMUNITIES, COMMUNITY_ARTISTS, EVERY_ARTIST, FAN_LADDER
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.run import NOTHING, PUBLISHED, Job, Outcome, Read, run
from targeting.graph import NEW, Graph, followed, leiden
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.lake.spark import SparkLake
    from targeting.graph import Ints

FEWEST = 30  # listeners below which no community is looked for
MOST_ARTISTS = 30  # of a listener that count: who plays everything tells little of any
LEARNT = 50_000  # listeners, about, that communities are learnt from; all are assigned
BACK = 7  # days within which communities go on from those found before
SEED = 1
NAMED = 3  # artists that a community is named by


def find(lake: SparkLake, day: date) -> Outcome:
    """Find the communities of a date's consenting listeners and assign every listener to one."""
    found, assigned = run(FIND, lake, [day]), run(ASSIGN, lake, [day])
    state = PUBLISHED if PUBLISHED in (found.state, assigned.state) else NOTHING
    sentence = assigned.sentence
    if found.state == PUBLISHED and not found.rows:
        sentence = f"{COMMUNITIES.name}: no community was found among the listeners of {day} who agreed to advertising; they are too few"
    return Outcome(COMMUNITIES.name, state, assigned.dates, assigned.rows, version=assigned.version, sentence=sentence)


def community_artists(ladder: DataFrame, listeners: DataFrame, fans: DataFrame, before: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Put each artist of the consenting listeners of each date into a community, and say how it over-indexes there."""
    whole = before.where(F.lit(False)).select(*COMMUNITY_ARTISTS.names)  # noqa: FBT003
    names = fans.where(F.col("artist_id") != EVERY_ARTIST).select("date", "artist_id", "artist_name", "genre")
    for day in dates:
        # Not cached: Spark would take the edges of one version of a table for those of the next.
        mine = edges(agreed(ladder, listeners, day)).localCheckpoint()
        last = before.where(F.col("date").between(day - timedelta(days=BACK), day - timedelta(days=1)))
        newest = last.join(last.agg(F.max("date").alias("date")), "date", "left_semi").select("artist_id", "community")
        found = placed(mine, {row["artist_id"]: row["community"] for row in newest.collect()})
        told = described(mine, ladder.sparkSession.createDataFrame(found, PLACED), names.where(F.col("date") == day).drop("date"))
        whole = whole.unionByName(told.select(F.lit(day).alias("date"), *COMMUNITY_ARTISTS.names[1:]))
    return whole


PLACED = "artist_id STRING, community STRING, rarity DOUBLE, part DOUBLE"


def agreed(ladder: DataFrame, listeners: DataFrame, day: date) -> DataFrame:
    """Return a date's pairs of those who agreed to advertising."""
    allowed = listeners.where("ads_allowed").select("date", "listener_id")
    return ladder.where(F.col("date") == day).join(allowed, ["date", "listener_id"], "left_semi")


def edges(pairs: DataFrame) -> DataFrame:
    """Return the pairs that make the graph: of artists with enough listeners, each listener's most played ones, with their weights."""
    artist, listener = Window.partitionBy("artist_id"), Window.partitionBy("listener_id").orderBy(F.desc("plays"), "artist_id")
    people = pairs.select("listener_id").distinct().agg(F.count("*").alias("people"))
    heard = pairs.select("listener_id", "artist_id", "plays", F.count("*").over(artist).alias("n")).where(F.col("n") >= GRAIN)
    most = heard.withColumn("place", F.row_number().over(listener)).where(F.col("place") <= MOST_ARTISTS)
    weighed = most.join(F.broadcast(people), how="cross")
    return weighed.selectExpr(
        "listener_id", "artist_id", "people", "ln(1 + people / n) AS rarity", "ln(1 + plays) * ln(1 + people / n) AS weight"
    )


def placed(mine: DataFrame, before: dict[str, str]) -> pa.Table:
    """Return each artist with its community, as `PLACED`; listeners whose pseudonym begins low, drawn by chance, stand for many."""
    people = mine.agg(F.max("people")).first()[0] or 0  # type: ignore[index]
    if people < FEWEST:
        return pa.table({name: [] for name in ("artist_id", "community", "rarity", "part")}, schema=_PLACED)
    some = mine if people <= LEARNT else mine.where(F.col("listener_id") < f"{LEARNT * 16**8 // people:08x}")
    rows = (
        some.select("listener_id", "artist_id", "weight", "rarity")
        .toArrow()
        .sort_by([("artist_id", "ascending"), ("listener_id", "ascending")])
    )
    artists, a = np.unique(rows["artist_id"].to_numpy(), return_inverse=True)
    them, b = np.unique(rows["listener_id"].to_numpy(), return_inverse=True)
    weight, rarity = rows["weight"].to_numpy(), np.zeros(len(artists))
    rarity[a] = rows["rarity"].to_numpy()
    graph = Graph.of(len(artists) + len(them), a, len(artists) + b, weight)
    part = partition(graph, [before.get(name, "") for name in artists])[: len(artists)]
    held = np.bincount(a, weight, minlength=len(artists)) / weight.sum()
    return pa.table([artists, [f"m{n + 1}" for n in part], rarity, held], schema=_PLACED)


_PLACED = pa.schema([("artist_id", pa.string()), ("community", pa.string()), ("rarity", pa.float64()), ("part", pa.float64())])


def partition(graph: Graph, names: list[str]) -> Ints:
    """Return communities anew, or going on from those that the first nodes were in, by name (`m7`; empty: in none)."""
    known = np.array([int(name[1:]) - 1 if name else NEW for name in names], dtype=np.int64)
    if not (known >= 0).any():
        return leiden(graph, SEED)
    return followed(graph, np.concatenate((known, np.full(graph.nodes - len(known), NEW))), SEED)


def assigned(mine: DataFrame, artists: DataFrame) -> DataFrame:
    """Return each listener with the community whose artists have most of the listener's weight above what they have of everybody's."""
    usual = artists.groupBy("community").agg(F.sum("part").alias("usual"))
    held = mine.join(F.broadcast(artists.select("artist_id", "community")), "artist_id", "inner")
    sums = held.groupBy("listener_id", "community").agg(F.sum("weight").alias("weight")).join(F.broadcast(usual), "community", "inner")
    share = F.col("weight") / F.sum("weight").over(Window.partitionBy("listener_id"))
    return (
        sums.select("listener_id", "community", (share - F.col("usual")).alias("over"))
        .groupBy("listener_id")
        .agg(F.max_by("community", F.struct("over", "community")).alias("community"))
    )


def described(mine: DataFrame, artists: DataFrame, names: DataFrame) -> DataFrame:
    """Compare how many members play each artist with how many of all do; a community of fewer than `GRAIN` members is none.

    It is named by the genre of most of its artists, where a catalogue knows it, and the artists that add most to the difference between
    members and everybody (Kullback and Leibler's divergence).
    """
    many = assigned(mine, artists).groupBy("community").agg(F.count("*").alias("size")).where(F.col("size") >= GRAIN)
    artists = artists.join(many, "community", "left_semi").localCheckpoint()
    home = assigned(mine, artists).localCheckpoint()
    sizes = home.groupBy("community").agg(F.count("*").alias("size"))
    everybody = mine.agg(F.count_distinct("listener_id").alias("everybody"))
    at_home = artists.select("artist_id", F.col("community").alias("own"))
    plays = mine.select("listener_id", "artist_id").join(home, "listener_id", "inner").join(F.broadcast(at_home), "artist_id", "inner")
    counts = plays.groupBy("artist_id").agg(F.count("*").alias("heard"), F.count_if(F.col("community") == F.col("own")).alias("members"))
    found = (
        artists.join(sizes, "community", "inner")
        .join(counts, "artist_id", "inner")
        .join(F.broadcast(everybody), how="cross")
        .join(names, "artist_id", "left")
    )
    told = found.selectExpr(
        *("artist_id", "artist_name", "genre", "community", "rarity", "part"),
        f"size DIV {GRAIN} * {GRAIN} AS listeners",
        f"CASE WHEN members >= {GRAIN} THEN members / size END AS share",
        "heard / everybody AS usual",
    )
    telling = F.struct(
        F.expr("-share * ln(share / usual)").alias("rank"), "artist_id", F.coalesce("artist_name", "artist_id").alias("words")
    )
    ranked = F.sort_array(F.collect_list(F.when(F.expr("share > usual"), telling)))
    named = F.concat_ws(", ", F.slice(ranked, 1, NAMED)["words"])
    labels = told.groupBy("community").agg(F.expr("mode() WITHIN GROUP (ORDER BY genre)").alias("most"), named.alias("named"))
    label = F.concat_ws(": ", "most", F.expr("if(named = '', 'nothing over-indexes', named)")).alias("label")
    return told.join(labels.select("community", label), "community", "inner")


def communities(ladder: DataFrame, listeners: DataFrame, artists: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Assign every consenting listener of each date to a community; whose artists are in none has no row."""
    whole = ladder.where(F.lit(False)).select("date", "listener_id", F.lit("").alias("community"))  # noqa: FBT003
    for day in dates:
        mine = assigned(edges(agreed(ladder, listeners, day)), artists.where(F.col("date") == day))
        whole = whole.unionByName(mine.select(F.lit(day).alias("date"), "listener_id", "community"))
    return whole


FIND = Job(
    (Read(FAN_LADDER), Read(SILVER_LISTENERS), Read(ARTIST_FANS), Read(COMMUNITY_ARTISTS, back=BACK, ahead=-1)),
    COMMUNITY_ARTISTS,
    community_artists,
)
ASSIGN = Job((Read(FAN_LADDER), Read(SILVER_LISTENERS), Read(COMMUNITY_ARTISTS)), COMMUNITIES, communities)
