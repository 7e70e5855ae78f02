"""The point-in-time join against plain Python: every row once, and never a value that had not happened or was not known."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jobs.asof import Facts, as_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Row = dict[str, Any]


def drawn(seed: int) -> tuple[list[Row], list[Row]]:
    """Draw rows and facts of few listeners within few hours, so that moments are often equal; some facts become known late, some early."""
    rng = random.Random(seed)
    who = ["a", "b", "c", None]
    rows = [{"n": n, "listener": rng.choice(who), "place": rng.choice("xy"), "at": NOON + rng.randrange(12) * HOUR} for n in range(80)]
    rows.append({"n": 80, "listener": "a", "place": "x", "at": None})
    facts = []
    for n in range(60):
        happened = NOON + rng.randrange(12) * HOUR
        known = happened + rng.choice((0, 0, 1, 5, -2)) * HOUR
        facts.append(
            {"listener": rng.choice(who), "place": rng.choice("xy"), "happened": happened, "known": known, "value": float(n), "other": n}
        )
    return rows, facts


def newest(row: Row, facts: list[Row], within: timedelta | None) -> Row | None:
    mine = [
        one
        for one in facts
        if None not in (row["listener"], row["at"]) and (one["listener"], one["place"]) == (row["listener"], row["place"])
    ]
    there = [one for one in mine if one["happened"] <= row["at"] and one["known"] <= row["at"]]
    last = max(there, key=lambda one: (one["happened"], one["known"], one["value"]), default=None)
    return last if last and (within is None or last["happened"] >= row["at"] - within) else None


@pytest.mark.parametrize(("within", "ttl"), [("", None), ("INTERVAL 2 HOURS", 2 * HOUR)])
def test_each_row_gets_the_newest_that_had_happened_and_was_known(spark: SparkSession, within: str, ttl: timedelta | None) -> None:
    rows, facts = drawn(3)
    asked = spark.createDataFrame(rows, "n INT, listener STRING, place STRING, at TIMESTAMP")
    told = spark.createDataFrame(facts, "listener STRING, place STRING, happened TIMESTAMP, known TIMESTAMP, value DOUBLE, other INT")
    found = as_of(asked, Facts(told, ("listener", "place"), "happened", "known", ("value", "other")), at="at", within=within).collect()
    assert found[0].__fields__ == ["n", "listener", "place", "at", "value", "other"]
    assert sorted(row["n"] for row in found) == [row["n"] for row in rows]
    expected = {row["n"]: newest(row, facts, ttl) for row in rows}
    assert {row["n"]: (row["value"], row["other"]) for row in found} == {
        n: (one["value"], one["other"]) if one else (None, None) for n, one in expected.items()
    }
    naive = {row["n"]: newest(row, [one | {"known": one["happened"]} for one in facts], ttl) for row in rows}
    assert [n for n in expected if naive[n] != expected[n]], "the second clock puts it to the test"


def test_without_facts_every_row_stays(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1, NOON), (2, NOON)], "listener INT, at TIMESTAMP")
    none = spark.createDataFrame([], "listener INT, happened TIMESTAMP, value DOUBLE")
    found = as_of(rows, Facts(none, ("listener",), "happened", "happened", ("value",)), at="at").collect()
    assert [(row["listener"], row["value"]) for row in sorted(found)] == [(1, None), (2, None)]
    dotted = as_of(rows.withColumnRenamed("at", "a.t"), Facts(none, ("listener",), "happened", "happened", ("value",)), at="`a.t`")
    assert dotted.columns == ["listener", "a.t", "value"]
