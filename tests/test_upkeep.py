"""Upkeep: old dates go, files are put together, what nobody needs is deleted; nothing else changes, and there is a way back."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from small_lake import one, put, said, who

from jobs import ledger
from jobs.contracts.delivery import AUDIENCES, TRAININGS
from jobs.contracts.derived import USER_DAYS
from jobs.contracts.events import LISTENERS, PLAYS
from jobs.contracts.operations import FILES, QUARANTINE
from jobs.contracts.silver import LISTENS, SESSIONS, SILVER_LISTENERS
from jobs.lake import files, upkeep
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note, stamp
from jobs.lake.schema import arrow_schema
from jobs.lake.versions import publications, restore
from jobs.run import fingerprints, stale
from jobs.sessions import JOB
from targeting.__main__ import main
from validation.verdict import Conflict, OvertoneError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from validation.contract import Table

D = [date(2026, 11, 1) + timedelta(days=n) for n in range(4)]
NOW = datetime(2026, 11, 9, tzinfo=UTC)
DAY = 86_400


@pytest.fixture
def lake(tmp_path: Path) -> ArrowLake:
    return ArrowLake(Address.parse(str(tmp_path / "lake")))


def rows(table: Table, day: date, *numbers: int) -> pa.Table:
    key = next(name for name in table.key if name != "date")
    found = [one(table, date=day, **{key: who(n)}) for n in numbers]
    return pa.Table.from_pylist(found, arrow_schema(table))


def add(lake: ArrowLake, table: Table, day: date, *numbers: int) -> None:
    lake.append(table, rows(table, day, *numbers), Note("test"))


def content(lake: ArrowLake, table: Table) -> list[str]:
    return sorted(map(repr, lake.read(table).to_pylist()))


def below(lake: ArrowLake, table: Table) -> set[str]:
    root = Path(lake.uri(table).removeprefix("file://"))
    return {str(path.relative_to(root)) for path in root.rglob("*.parquet")}


@pytest.fixture
def aged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Let what is done within happen so many days ago, as the log tells it."""

    def ago(days: float) -> None:
        then = time.time_ns() - int(days * DAY * 1e9)
        monkeypatch.setattr(files.time, "time", lambda: then / 1e9)

    yield ago
    monkeypatch.undo()


def test_files_of_a_date_become_one_and_their_rows_and_mark_stay(lake: ArrowLake) -> None:
    for n in range(5):
        add(lake, LISTENS, D[0], 10 * n, 10 * n + 1)
    add(lake, LISTENS, D[1], 99)
    before, marks = content(lake, LISTENS), lake.marks(LISTENS)
    assert upkeep.compact(lake, LISTENS) == 4
    assert {day: len(paths) for day, paths in lake.files(LISTENS).items()} == {str(D[0]): 1, str(D[1]): 1}
    assert content(lake, LISTENS) == before
    assert lake.marks(LISTENS) == marks
    assert lake.count(LISTENS) == 11
    version = lake.version(LISTENS)
    assert upkeep.compact(lake, LISTENS) == 0
    assert lake.version(LISTENS) == version, "a second time there is nothing to do"


def test_rows_that_come_after_change_the_mark_and_are_put_together_again(lake: ArrowLake) -> None:
    for n in range(2):
        add(lake, LISTENS, D[0], n)
    upkeep.compact(lake, LISTENS)
    marks = lake.marks(LISTENS)
    add(lake, LISTENS, D[0], 7)
    grown = lake.marks(LISTENS)
    assert grown != marks
    assert upkeep.compact(lake, LISTENS) == 1
    assert lake.marks(LISTENS) == grown
    put(lake, LISTENS, [one(LISTENS, date=D[0], event_id=who(1))], D[0])
    assert lake.marks(LISTENS) not in (marks, grown)


def test_a_large_partition_becomes_several_files_with_one_mark(lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(6):
        add(lake, LISTENS, D[0], *range(100 * n, 100 * n + 50))
    size = max(row["size_bytes"] for row in lake.log(LISTENS))
    monkeypatch.setattr(upkeep, "WHOLE", int(2.5 * size))
    before, marks = content(lake, LISTENS), lake.marks(LISTENS)
    assert upkeep.compact(lake, LISTENS) == 3
    assert len(lake.files(LISTENS)[str(D[0])]) == 3
    assert (content(lake, LISTENS), lake.marks(LISTENS)) == (before, marks)
    lost = {path for path in lake.files(LISTENS)[str(D[0])] if "-1of3" not in path}
    assert files.mark_of(lost) != marks[str(D[0])], "a part of them is not the whole"


def test_a_table_of_other_partitions_keeps_them(lake: ArrowLake) -> None:
    for target in ("a.b", "c.d"):
        for run in ("r1", "r2"):
            for n in range(2):
                row = one(QUARANTINE, target=target, run=run, reason=str(n), refused_at=NOW)
                lake.append(QUARANTINE, pa.Table.from_pylist([row], arrow_schema(QUARANTINE)), Note("test"))
    before = content(lake, QUARANTINE)
    assert upkeep.compact(lake, QUARANTINE) == 4
    assert content(lake, QUARANTINE) == before
    lake.replace(QUARANTINE, lake.read(QUARANTINE).slice(0, 0), {"target": "c.d", "run": "r2"}, Note("test"))
    assert lake.count(QUARANTINE) == 6


def test_what_is_made_of_a_table_is_not_stale_by_upkeep(lake: ArrowLake) -> None:
    for n in range(3):
        add(lake, LISTENS, D[1], n)
    marks = stale(JOB, lake, [D[1]])
    assert marks
    put_as(lake, SESSIONS, D[1], marks[D[1]])
    put_as(lake, SESSIONS, D[0], marks[D[0]])
    assert not stale(JOB, lake, [D[1]])
    upkeep.compact(lake, LISTENS)
    assert not stale(JOB, lake, [D[1]])
    add(lake, LISTENS, D[1], 9)
    assert stale(JOB, lake, [D[1]])


def put_as(lake: ArrowLake, table: Table, day: date, mark: str, *numbers: int) -> int:
    return lake.overwrite(table, rows(table, day, *(numbers or (1,))), [day], Note("test", {stamp(day): mark}))


def test_a_run_that_began_before_upkeep_publishes_all_the_same(lake: ArrowLake) -> None:
    for n in range(3):
        add(lake, LISTENS, D[0], n)
    base = lake.version(LISTENS)
    upkeep.compact(lake, LISTENS)
    lake.exchange(LISTENS, [], lambda row: row["partition.date"] == D[0], Note("run"), base)
    assert lake.count(LISTENS) == 0
    add(lake, LISTENS, D[0], 5)
    with pytest.raises(Conflict, match=r"silver\.listens: version .* was published while this run worked on version"):
        lake.exchange(LISTENS, [], lambda _: True, Note("run"), base)


def test_upkeep_gives_way_to_a_run(lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        add(lake, LISTENS, D[0], n)
    plain = upkeep._rewritten  # noqa: SLF001

    def meanwhile(*args: Any) -> Any:
        put(lake, LISTENS, [one(LISTENS, date=D[0], event_id=who(42))], D[0])
        return plain(*args)

    monkeypatch.setattr(upkeep, "_rewritten", meanwhile)
    with pytest.raises(Conflict):
        upkeep.compact(lake, LISTENS)
    assert [row["event_id"] for row in lake.read(LISTENS).to_pylist()] == [who(42)]


def test_dates_past_their_retention_go_and_their_last_day_stays(lake: ArrowLake) -> None:
    first = NOW.date() - timedelta(days=LISTENS.retention_days)
    for day in (first - timedelta(days=1), first, D[0]):
        add(lake, LISTENS, day, 1, 2)
    assert lake.horizon(LISTENS) is None
    assert upkeep.expire(lake, LISTENS, NOW) == 2
    assert sorted(lake.files(LISTENS)) == [str(first), str(D[0])]
    assert lake.horizon(LISTENS) == first
    version = lake.version(LISTENS)
    assert upkeep.expire(lake, LISTENS, NOW) == 0
    assert lake.version(LISTENS) == version


def test_a_date_whose_inputs_are_past_their_retention_is_never_made_again(lake: ArrowLake) -> None:
    """With part of its inputs gone it would be another date; what is there stays as it was published."""
    first = NOW.date() - timedelta(days=LISTENS.retention_days)
    days = [first + timedelta(days=n) for n in range(-2, 6)]
    for day in days:
        add(lake, LISTENS, day, 1)
    wanted = fingerprints(JOB, lake, days)
    for day in days:
        put_as(lake, SESSIONS, day, wanted[day])
    upkeep.expire(lake, LISTENS, NOW)
    assert not stale(JOB, lake, days)
    # Sessions of a date read plays from two days before: the first two dates that are left cannot be made again.
    for day in days[2:]:
        put_as(lake, SESSIONS, day, "older code")
    assert sorted(stale(JOB, lake, days)) == days[4:]


def test_rows_without_a_date_go_by_their_own_moment(lake: ArrowLake) -> None:
    old = NOW - timedelta(days=QUARANTINE.retention_days + 1)
    put(lake, QUARANTINE, [one(QUARANTINE, target="a.b", run="1", refused_at=old), one(QUARANTINE, target="a.b", run="2", refused_at=NOW)])
    put(lake, FILES, [one(FILES, sha256="a", ingested_at=NOW)])
    assert upkeep.expire(lake, QUARANTINE, NOW) == 1
    assert [row["run"] for row in lake.read(QUARANTINE).to_pylist()] == ["2"]
    assert upkeep.expire(lake, QUARANTINE, NOW) == upkeep.expire(lake, FILES, NOW) == 0


def test_what_retention_dropped_of_the_ledger_stays_dropped_and_its_files_are_known(lake: ArrowLake) -> None:
    times = {"old": NOW - timedelta(days=FILES.retention_days + 1), "new": NOW}
    told = {f"file:{name}": json.dumps(["native", f"{name}.jsonl", 7, 0, 0, when.isoformat()]) for name, when in times.items()}
    lake.append(PLAYS, rows(PLAYS, D[0], 1), Note("r", told))
    ledger.known(lake, [PLAYS])
    assert upkeep.expire(lake, FILES, NOW) == 1
    put(lake, FILES, [])  # an entry that was lost otherwise is written again
    known = ledger.known(lake, [PLAYS])
    assert {name: known[PLAYS.name, name]["kept"] for name in times} == {"old": 7, "new": 7}
    assert [row["sha256"] for row in lake.read(FILES).to_pylist()] == ["new"]


def test_a_statement_in_force_outlives_every_table_that_relies_on_it() -> None:
    assert LISTENERS.retention_days >= 10 * 365 > SILVER_LISTENERS.retention_days


def test_files_are_deleted_seven_days_after_nobody_needs_them(lake: ArrowLake, aged: Any) -> None:
    for n in range(3):
        add(lake, LISTENS, D[0], n)
    aged(upkeep.DAYS_KEPT + 1)
    upkeep.compact(lake, LISTENS)
    replaced = below(lake, LISTENS) - set(lake.files(LISTENS)[str(D[0])])
    aged(upkeep.DAYS_KEPT - 1)
    for n in range(10, 12):
        add(lake, LISTENS, D[0], n)
    upkeep.compact(lake, LISTENS)
    young = below(lake, LISTENS) - set(lake.files(LISTENS)[str(D[0])]) - replaced
    before = content(lake, LISTENS)
    assert upkeep.vacuum(lake, LISTENS) == len(replaced) == 3
    assert below(lake, LISTENS) == young | set(lake.files(LISTENS)[str(D[0])])
    assert content(lake, LISTENS) == before
    version = lake.version(LISTENS)
    assert upkeep.vacuum(lake, LISTENS) == 0
    assert lake.version(LISTENS) == version


def test_what_a_killed_run_staged_is_deleted_and_what_a_run_stages_now_is_not(lake: ArrowLake) -> None:
    add(lake, LISTENS, D[0], 1)
    root = Path(lake.uri(LISTENS).removeprefix("file://"))
    for name, days in (("run-dead", upkeep.DAYS_KEPT + 1), ("run-alive", 1)):
        path = root / name / "lane=ok" / f"date={D[0]}" / "part.parquet"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"staged")
        os.utime(path, (time.time() - days * DAY,) * 2)
    assert upkeep.vacuum(lake, LISTENS) == 1
    assert {path.split("/")[0] for path in below(lake, LISTENS)} == {"run-alive", f"date={D[0]}"}


def test_every_publication_of_a_date_is_told_and_any_of_them_brought_back(lake: ArrowLake) -> None:
    put_as(lake, LISTENS, D[0], "f1", 1)
    put_as(lake, LISTENS, D[1], "other", 9)
    put_as(lake, LISTENS, D[0], "f2", 1, 2)
    upkeep.compact(lake, LISTENS)
    put_as(lake, LISTENS, D[0], "f3", 1, 2, 3)
    told = publications(lake, LISTENS, D[0])
    assert [(n, commit.note.published[str(D[0])]) for commit, n, _ in told] == [(3, "f3"), (2, "f2"), (1, "f1")]
    first = told[-1][0].version
    made = restore(lake, LISTENS, D[0], first, "again")
    assert made == lake.version(LISTENS)
    assert [row["event_id"] for row in lake.read(LISTENS, [D[0]]).to_pylist()] == [who(1)]
    assert [row["event_id"] for row in lake.read(LISTENS, [D[1]]).to_pylist()] == [who(9)]
    assert lake.published(LISTENS) == {str(D[0]): "again", str(D[1]): "other"}
    assert restore(lake, LISTENS, D[0], first, "again") is None
    assert restore(lake, LISTENS, D[0], told[0][0].version, "forth") == made + 1
    assert lake.count(LISTENS) == 4


def test_what_was_made_of_a_date_before_is_up_to_date_again_once_it_is_brought_back(lake: ArrowLake) -> None:
    add(lake, LISTENS, D[1], 1)
    good = lake.version(LISTENS)
    for day, mark in stale(JOB, lake, [D[1]]).items():
        put_as(lake, SESSIONS, day, mark)
    put(lake, LISTENS, [], D[1])
    add(lake, LISTENS, D[1], 66)
    assert stale(JOB, lake, [D[1]])
    restore(lake, LISTENS, D[1], good, "x")
    assert not stale(JOB, lake, [D[1]])


def test_a_version_that_is_none_or_whose_files_are_gone_changes_nothing(lake: ArrowLake, aged: Any) -> None:
    put_as(lake, LISTENS, D[0], "f1", 1)
    first = lake.version(LISTENS)
    with pytest.raises(WrongUse, match=r"silver\.listens has no version 9; choose 0 to 1"):
        restore(lake, LISTENS, D[0], 9, "x")
    with pytest.raises(WrongUse, match=r"silver\.sessions has no version 0; it was never published"):
        restore(lake, SESSIONS, D[0], 0, "x")
    gone = next(iter(below(lake, LISTENS)))
    put_as(lake, LISTENS, D[0], "f2", 2)
    (Path(lake.uri(LISTENS).removeprefix("file://")) / gone).unlink()
    version = lake.version(LISTENS)
    with pytest.raises(OvertoneError, match=r"silver\.listens: 1 files of version 1 are deleted, such as .*; nothing was changed"):
        restore(lake, LISTENS, D[0], first, "x")
    assert lake.version(LISTENS) == version


def answered(lake: ArrowLake, capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    main([*argv, "--lake", lake.address.uri, "--json"])
    return json.loads(capsys.readouterr().out)


def test_an_engineer_goes_back_and_is_told_what_becomes_stale(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    add(lake, PLAYS, D[0], 1)
    put_as(lake, LISTENS, D[0], "f1", 1)
    put_as(lake, LISTENS, D[0], "f2", 2)
    for day, mark in fingerprints(JOB, lake, [D[0]]).items():
        put_as(lake, SESSIONS, day, mark)
    told = answered(lake, capsys, "table", "history", "silver.listens", "--date", str(D[0]))
    assert [(row["rows"], row["published_as"]) for row in told] == [(1, "f2"), (1, "f1")]
    done = answered(lake, capsys, "table", "restore", "silver.listens", "--date", str(D[0]), "--version", str(told[1]["version"]))
    assert done["stale"]["silver.sessions"] == [str(D[0])]
    after = answered(lake, capsys, "status")
    assert str(D[0]) not in after["stale"].get("silver.listens", []), "nobody makes it anew over what was brought back"
    assert "silver.sessions" not in done["follows"]
    assert {"features.user_features", "targeting.audiences", "models.trainings", "exports"} <= set(done["follows"])
    assert "silver.tracks" not in done["follows"]
    again = answered(lake, capsys, "table", "restore", "silver.listens", "--date", str(D[0]), "--version", str(told[1]["version"]))
    assert again["changed"] is False


def test_only_a_version_that_changed_the_date_is_gone_back_to(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    put_as(lake, LISTENS, D[0], "f1", 1)
    put_as(lake, LISTENS, D[1], "f1", 2)
    for version in (0, 2, 9):
        with pytest.raises(SystemExit) as ended:
            main(["table", "restore", "silver.listens", "--date", str(D[0]), "--version", str(version), "--lake", lake.address.uri])
        assert ended.value.code == 2
        assert f"version {version} of silver.listens is none that changed {D[0]}; choose among 1 (" in capsys.readouterr().err


def test_a_date_that_upkeep_dropped_comes_back(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    put_as(lake, LISTENS, D[0], "f1", 1)
    put_as(lake, LISTENS, D[1], "f1", 2)
    later = NOW + timedelta(days=LISTENS.retention_days + 100)
    assert upkeep.expire(lake, LISTENS, later) == 2
    (told,) = answered(lake, capsys, "table", "history", "silver.listens", "--date", str(D[0]))
    answered(lake, capsys, "table", "restore", "silver.listens", "--date", str(D[0]), "--version", str(told["version"]))
    assert lake.read(LISTENS).column("date").to_pylist() == [D[0]]


def test_audiences_that_were_brought_back_do_not_count_as_up_to_date(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    put_as(lake, AUDIENCES, D[0], "a1", 1)
    put_as(lake, AUDIENCES, D[0], "a2", 2)
    first = publications(lake, AUDIENCES, D[0])[-1][0].version
    main(["table", "restore", AUDIENCES.name, "--date", str(D[0]), "--version", str(first), "--lake", lake.address.uri])
    said = capsys.readouterr().out
    assert "it is made anew by the next overtone audience build" in said
    assert "up to date until" not in said
    assert "made of it, if by way of others: targeting.members, targeting.bookings, exports" in said


def test_a_table_that_no_job_makes_is_not_promised_anything(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    for day in (1, 2):
        put(lake, TRAININGS, [{"version": str(day)}])
    main(["table", "restore", TRAININGS.name, "--version", "1", "--lake", lake.address.uri])
    said = capsys.readouterr().out
    assert said.splitlines()[0] == "models.trainings is again what it was at version 1 (version 3)"
    assert "up to date until" not in said
    assert "made anew" not in said


def test_a_lake_is_maintained_by_one_command(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    old = NOW.date() - timedelta(days=LISTENS.retention_days + 1)
    for day in (old, D[0], D[0]):
        add(lake, LISTENS, day, *range(3))
    put(lake, SILVER_LISTENERS, [said(1, day=D[0])], D[0])
    done = answered(lake, capsys, "maintain", "--date", str(NOW.date()))
    assert capsys.readouterr().out == ""
    by = {row["table"]: row for row in done["tables"]}
    listens = by["silver.listens"]
    assert (listens["rows_dropped"], listens["files_before"], listens["files"]) == (3, 3, 1)
    assert by["silver.listeners"]["rows_dropped"] == 0
    assert done["disk"] == sum(row["disk"] for row in done["tables"]) > done["in_force"] > 0
    assert USER_DAYS.name not in by
    versions = {name: row["disk"] for name, row in by.items()}
    again = answered(lake, capsys, "maintain", "--date", str(NOW.date()))
    assert {row["table"]: row["disk"] for row in again["tables"]} == versions


def test_upkeep_frees_a_full_disk_before_it_asks_for_room(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=False).returncode:
        pytest.skip("only who may mount a file system can try this")
    try:
        lake = ArrowLake(Address.parse(str(disk / "lake")))
        for n in range(3):
            add(lake, LISTENS, D[0], *range(n * 5_000, (n + 1) * 5_000))
        root = Path(lake.uri(LISTENS).removeprefix("file://"))
        (root / "run-dead").mkdir()
        (root / "run-dead/part.parquet").write_bytes(b"x" * 20_000)
        os.utime(root / "run-dead/part.parquet", (time.time() - (upkeep.DAYS_KEPT + 1) * DAY,) * 2)
        before = content(lake, LISTENS)
        fill(disk / "filler")
        done = answered(lake, capsys, "maintain", "--date", str(NOW.date()))
        assert (done["tables"][0]["files_deleted"], done["tables"][0]["left"]) == (1, "compaction: no room on the disk")
        assert not list(root.glob("kept/*/*")), "what was half written is gone"
        (disk / "filler").unlink()
        done = answered(lake, capsys, "maintain", "--date", str(NOW.date()))
        assert (done["tables"][0]["files_before"], done["tables"][0]["files"], done["tables"][0]["left"]) == (3, 1, None)
        assert content(lake, LISTENS) == before
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4_096):
            pass


def test_upkeep_removes_expired_exports_wherever_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(import_module("targeting.exports.deliver"), "expire", lambda _, folder, __: asked.append(folder) or 0)
    lake = str(tmp_path / "lake")
    main(["maintain", "--lake", lake])
    main(["maintain", "--lake", lake, "--exports", str(tmp_path / "elsewhere")])
    assert asked == [tmp_path / "lake-exports", tmp_path / "elsewhere"]
