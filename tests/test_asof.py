"""The point-in-time join against plain Python: every row once, and never a value that had not happened or was not known."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from jobs.asof import CLOCKS, Part, as_of

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Row = dict[str, Any]


def drawn(seed: int) -> tuple[list[Row], list[Row]]:
    """Draw rows and facts of few listeners within few hours, so that moments are often equal; some facts become known late, some early."""
    rng = random.Random(seed)
    who = ["a", "b", "c", None]
    rows = [{"listener": rng.choice([*who, "d"]), "at": NOON + rng.randrange(-1, 12) * HOUR} for _ in range(80)]
    rows.append({"listener": "a", "at": None})
    facts = []
    for n in range(60):
        happened = NOON + rng.randrange(12) * HOUR
        known = happened + rng.choice((0, 0, 1, 5, -2)) * HOUR
        facts.append({"listener": rng.choice(who), "happened": happened, "known": known, "value": float(n), "other": n})
    facts.append({"listener": "a", "happened": NOON, "known": None, "value": 60.0, "other": 60})
    return rows, facts


def newest(row: Row, facts: list[Row], within: timedelta | None) -> Row | None:
    if None in (row["listener"], row["at"]):
        return None
    mine = [one for one in facts if one["listener"] == row["listener"] and None not in (one["happened"], one["known"])]
    there = [one for one in mine if one["happened"] <= row["at"] and one["known"] <= row["at"]]
    last = max(there, key=lambda one: (one["happened"], one["known"], one["value"]), default=None)
    return last if last and (within is None or last["happened"] >= row["at"] - within) else None


def asked(rows: list[Row]) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    schema = pa.schema([("listener", pa.string()), ("at", pa.timestamp("us", "UTC"))])
    table = pa.Table.from_pylist(rows, schema)
    return table["listener"], table["at"]


def part(facts: list[Row], reads: list[int] | None = None) -> Part:
    moment = pa.timestamp("ms", "UTC")
    schema = pa.schema([("listener", pa.string()), ("happened", moment), ("known", moment), ("value", pa.float64()), ("other", pa.int32())])
    table = pa.Table.from_pylist(facts, schema)

    def values() -> pa.Table:
        if reads is not None:
            reads.append(len(facts))
        return table.select(["value", "other"])

    return Part(lambda: table.select(["listener", "happened", "known"]).rename_columns(CLOCKS), values)


@pytest.mark.parametrize("within", [None, 2 * HOUR])
@pytest.mark.parametrize("cuts", [(), (0, 7, 7, 40)])
@pytest.mark.parametrize("seed", range(5))
def test_each_row_gets_the_newest_that_had_happened_and_was_known(seed: int, cuts: tuple[int, ...], within: timedelta | None) -> None:
    rows, facts = drawn(seed)
    parts = [part(facts[a:b]) for a, b in pairwise([0, *cuts, len(facts)])]
    found = as_of(*asked(rows), parts, within)
    assert found.column_names == ["value", "other"]
    expected = [newest(row, facts, within) for row in rows]
    assert found.to_pylist() == [{name: one[name] if one else None for name in ("value", "other")} for one in expected]
    naive = [newest(row, [one | {"known": one["happened"]} for one in facts], within) for row in rows]
    assert naive != expected, "the second clock puts it to the test"


def test_without_facts_every_row_stays() -> None:
    rows = asked([{"listener": "a", "at": NOON}, {"listener": "b", "at": NOON}])
    assert as_of(*rows, [part([])]).to_pylist() == [{"value": None, "other": None}] * 2
    assert as_of(*asked([]), [part(drawn(1)[1])]).to_pylist() == []


def test_moments_may_be_dates_or_finer_than_facts() -> None:
    facts = [{"listener": "a", "happened": NOON, "known": NOON, "value": 1.0, "other": 1}]
    who, noon = pa.chunked_array([["a", "a"]]), int(NOON.timestamp()) * 10**9
    fine = pa.chunked_array([pa.array([noon - 1, noon + 1]).cast(pa.timestamp("ns"))])
    assert as_of(who, fine, [part(facts)])["other"].to_pylist() == [None, 1]
    days = pa.chunked_array([[NOON.date(), NOON.date() + timedelta(days=1)]])
    assert as_of(who, days, [part(facts)])["other"].to_pylist() == [None, 1]


def test_parts_of_which_no_row_needs_anything_are_not_read() -> None:
    reads: list[int] = []
    facts = [{"listener": "a", "happened": NOON + n * HOUR, "known": NOON + n * HOUR, "value": 1.0, "other": n} for n in range(6)]
    parts = [part(facts[:1], reads), part(facts[1:3], reads), part(facts[3:6], reads)]
    found = as_of(*asked([{"listener": "a", "at": NOON}, {"listener": "a", "at": NOON + 9 * HOUR}]), parts)
    assert (found["other"].to_pylist(), reads) == ([0, 5], [1, 3])
