"""Communities of listeners: planted tastes found, names that stay, nobody without consent, nothing told of few."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from batches import batch
from small_lake import DAY, one, put, said, who

from jobs.contracts.fans import ARTIST_FANS, COMMUNITIES, COMMUNITY_ARTISTS, FAN_LADDER
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.run import NOTHING, PUBLISHED
from targeting.communities import FEWEST, MOST_ARTISTS, edges, find
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.lake.spark import SparkLake

pytestmark = pytest.mark.spark
SIZES = (40, 25, 15)
GENRES = {"t0": "jazz", "t1": "folk"}
Row = dict[str, Any]


def heard(day: date = DAY, people: tuple[int, ...] = SIZES) -> list[Row]:
    """Each listener plays eight of the ten artists of a taste, one artist that all play, and now and then another's."""
    rng, rows, n = np.random.default_rng(0), [], 0
    for taste, size in enumerate(people):
        for _ in range(size):
            mine = {f"t{taste}a{k:02}": int(rng.integers(3, 30)) for k in rng.choice(10, 8, replace=False)}
            mine |= {"all": 25, f"t{rng.integers(len(people))}a{rng.integers(10):02}": 2}
            rows += [{"date": day, "listener_id": who(n), "artist_id": name, "plays": plays} for name, plays in sorted(mine.items())]
            n += 1
    return rows


def publish(lake: SparkLake, rows: list[Row], day: date = DAY, agreed: int = sum(SIZES)) -> None:
    put(lake.arrow, FAN_LADDER, [one(FAN_LADDER, **row) for row in rows], day)
    put(lake.arrow, SILVER_LISTENERS, [said(n, consent="granted" if n < agreed else "refused", day=day) for n in range(sum(SIZES))], day)
    names = {row["artist_id"] for row in rows}
    put(
        lake.arrow,
        ARTIST_FANS,
        [one(ARTIST_FANS, date=day, artist_id=name, artist_name=name.upper(), genre=GENRES.get(name[:2])) for name in sorted(names)],
        day,
    )


def members(lake: SparkLake, day: date = DAY) -> dict[str, str]:
    return {row["listener_id"]: row["community"] for row in lake.arrow.read(COMMUNITIES, [day]).to_pylist()}


def test_planted_tastes_are_communities_that_keep_their_names(lake: SparkLake) -> None:
    publish(lake, heard())
    assert find(lake, DAY).state == PUBLISHED
    tastes = [taste for taste, size in enumerate(SIZES) for _ in range(size)]
    first = members(lake)
    assert Counter((tastes[int(name, 16)], community) for name, community in first.items()) == {(0, "m1"): 40, (1, "m2"): 25, (2, "m3"): 15}
    rows = lake.arrow.read(COMMUNITY_ARTISTS, [DAY]).to_pylist()
    told = {row["community"]: (row["listeners"], row["label"]) for row in rows}
    assert {name: size for name, (size, _) in told.items()} == {"m1": 40, "m2": 20, "m3": 10}, "rounded down to ten"
    for n, name in enumerate(("m1", "m2", "m3")):
        genre = GENRES.get(f"t{n}")
        assert told[name][1].startswith(f"{genre}: T" if genre else "T")
        assert all(part.startswith(f"T{n}A") for part in told[name][1].removeprefix(f"{genre}: ").split(", "))
    assert sum(row["part"] for row in rows) == pytest.approx(1)
    played = {(row["listener_id"], row["artist_id"]) for row in heard()}
    for row in rows:
        mine = [name for name, community in first.items() if community == row["community"]]
        share = sum((name, row["artist_id"]) in played for name in mine) / len(mine)
        assert row["share"] == (pytest.approx(share) if share * len(mine) >= GRAIN else None)
        assert row["usual"] == pytest.approx(sum((name, row["artist_id"]) in played for name in first) / len(first))
    assert find(lake, DAY).state == NOTHING, "what was found before is no reason to look again"

    later = DAY + timedelta(days=3)
    turned = [{**row, "listener_id": who(sum(SIZES) - 1 - int(row["listener_id"], 16))} for row in heard(later, SIZES[::-1])]
    turned = [{**row, "artist_id": row["artist_id"].replace("t0", "x").replace("t2", "t0").replace("x", "t2")} for row in turned]
    publish(lake, [row for row in turned if row["listener_id"] != who(0)], later)
    assert find(lake, later).state == PUBLISHED
    again = members(lake, later)
    assert {name: first[name] for name in again} == again, "the same people, drawn anew, in the same communities"


def test_only_who_agreed_is_in_a_community_and_too_few_are_in_none(lake: SparkLake) -> None:
    publish(lake, heard(), agreed=65)
    find(lake, DAY)
    assert set(members(lake)) == {who(n) for n in range(65)}
    assert {row["community"] for row in lake.arrow.read(COMMUNITY_ARTISTS, [DAY]).to_pylist()} == {"m1", "m2"}
    publish(lake, heard(), agreed=FEWEST - 1)
    outcome = find(lake, DAY)
    assert (members(lake), outcome.rows) == ({}, 0)
    assert "too few" in outcome.sentence


def test_edges_are_of_the_most_played_artists_that_enough_play(spark: SparkSession) -> None:
    many = [{"listener_id": who(0), "artist_id": f"a{k:02}", "plays": 100 - k} for k in range(MOST_ARTISTS + 2)]
    rest = [{"listener_id": who(n), "artist_id": f"a{k:02}", "plays": 1} for n in range(1, GRAIN) for k in range(1, MOST_ARTISTS + 2)]
    made = edges(batch(spark, FAN_LADDER, [one(FAN_LADDER, **row) for row in many + rest])).collect()
    mine = {row.artist_id: row.weight for row in made if row.listener_id == who(0)}
    assert sorted(mine) == [f"a{k:02}" for k in range(1, MOST_ARTISTS + 1)], "the first and the last are played by one alone"
    assert mine["a01"] == pytest.approx(np.log(1 + 99) * np.log(1 + GRAIN / GRAIN))
