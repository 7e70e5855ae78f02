"""Features joined to rows of one's own: every row comes back, with what was known at its moment and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_lake import DAY, put, who

from jobs.contracts.derived import USER_FEATURES
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from targeting.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)
MIDNIGHT = datetime.combine(DAY, datetime.min.time(), UTC)  # when the features of the day before begin to hold


@pytest.fixture
def filled(tmp_path: Path) -> ArrowLake:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    for back, plays in ((10, 1), (2, 2), (1, 3)):
        day = DAY - back * 24 * HOUR
        put(lake, USER_FEATURES, [{"listener_id": who(1), "date": day, "known_date": day, "plays_28d": plays}], day)
    return lake


def answer(lake: ArrowLake, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = 0
    try:
        main(["features", "join", *words, "--lake", str(lake.address.path)])
    except SystemExit as end:
        code = int(end.code or 0)
    out = capsys.readouterr()
    return code, out.out + out.err


def joined(folder: Path) -> dict[int, dict[str, Any]]:
    return {int(row["sale"]): row for row in pq.read_table(folder).to_pylist()}


def test_each_row_has_what_was_known_at_its_moment(filled: ArrowLake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moments = {
        0: (1, MIDNIGHT),
        1: (1, MIDNIGHT - HOUR),
        2: (1, MIDNIGHT + 6 * 24 * HOUR),
        3: (1, MIDNIGHT + 8 * 24 * HOUR),
        4: (1, MIDNIGHT - 10 * 24 * HOUR),
        5: (2, MIDNIGHT),
    }
    rows = [{"sale": n, "listener_id": who(one), "event_ts": at} for n, (one, at) in moments.items()]
    rows.append({"sale": 6, "listener_id": None, "event_ts": None})
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    wanted = {0: 3, 1: 2, 2: 3, 3: None, 4: None, 5: None, 6: None}
    words = ("--columns", "plays_28d", "--json")
    code, said = answer(filled, capsys, str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "out"), *words)
    assert (code, json.loads(said)["rows"], json.loads(said)["known"]) == (0, 7, 3)
    found = joined(tmp_path / "out")
    assert {n: row["plays_28d"] for n, row in found.items()} == wanted
    assert found[0]["features_date"] == DAY - 24 * HOUR
    lines = [f"{row['sale']},{row['listener_id'] or ''},{row['event_ts'].isoformat() if row['event_ts'] else ''}" for row in rows]
    (tmp_path / "rows.csv").write_text("\n".join(["sale,listener_id,event_ts", *lines]))
    assert answer(filled, capsys, str(tmp_path / "rows.csv"), "--out", str(tmp_path / "again"), *words)[0] == 0
    assert {n: row["plays_28d"] for n, row in joined(tmp_path / "again").items()} == wanted
    assert answer(filled, capsys, str(tmp_path / "rows.csv"), "--out", str(tmp_path / "long"), *words, "--within", "30")[0] == 0
    assert joined(tmp_path / "long")[3]["plays_28d"] == 3
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".long")]


def test_no_rows_are_joined_to_nothing(filled: ArrowLake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.csv").write_text("listener_id,event_ts\n")
    assert answer(filled, capsys, str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out"), "--columns", "plays_28d")[0] == 0
    assert pq.read_table(tmp_path / "out").column_names == ["listener_id", "event_ts", "features_date", "plays_28d"]
    assert pq.read_table(tmp_path / "out").num_rows == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("listener,event_ts\na,2026-11-01", "has no column 'listener_id'; it has listener, event_ts"),
        ("", "cannot be read: Empty CSV file; give a CSV"),
        ("listener_id,event_ts\na,soon", "'soon' is no moment of the form 2026-11-10T06:00"),
        ("listener_id,event_ts,a,A\na,2026-11-01,1,2", "has column 'a' more than once; name each column once"),
        ("listener_id,event_ts,Plays_28d\na,2026-11-01,3", "has a column 'plays_28d' of its own"),
        ("listener_id,event_ts,plays_28d\na,2026-11-01,3", "has a column 'plays_28d' of its own; rename it"),
    ],
)
def test_rows_that_cannot_be_joined_are_refused(
    filled: ArrowLake, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    (tmp_path / "rows.csv").write_text(text)
    code, said = answer(filled, capsys, str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out"))
    assert (code, told in said) == (2, True), said
    assert not (tmp_path / "out").exists()


def test_a_moment_that_is_none_is_refused(filled: ArrowLake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for moments, told in (
        (
            pa.array([2**60], pa.timestamp("us")),
            "1152921504606846976 microseconds from 1970 lie too far off; choose between 1970-01-01 and 2200-12-31",
        ),
        (pa.array([20261101]), "column 'event_ts' is int64; it must be a timestamp"),
    ):
        pq.write_table(pa.table({"listener_id": ["a"], "event_ts": moments}), tmp_path / "rows.parquet")
        code, said = answer(filled, capsys, str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "out"))
        assert (code, told in said) == (2, True), said
