"""One contract over both lakes: same verbs, same rows, each reads what the other wrote."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from small_lake import filled

from jobs.lake.address import Address, folder
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from jobs.lake.committed import EVERY, TURNS, in_turn
from jobs.lake.schema import arrow_schema
from jobs.lake.spark import SparkLake
from jobs.lake.still import StillLake
from validation.contract import Column, Purpose, Table
from validation.verdict import Conflict, OvertoneError, WrongUse

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

PLAYS = Table(
    "try.plays",
    "one play",
    ("date", "who"),
    (
        Column("date", "date", "day", required=True),
        Column("who", "string", "listener", required=True, identifies=True),
        Column("at", "timestamp", "moment"),
        Column("n", "bigint", "count"),
        Column("x", "double", "value"),
        Column("tags", "array<string>", "words"),
    ),
    Purpose.SERVICE,
    retention_days=1,
)
SMALL = Table("try.small", "one", ("who",), PLAYS.columns[1:4], Purpose.SERVICE, retention_days=1, partition=())
D1, D2, D3 = date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3)
AT = datetime(2026, 11, 1, 23, 59, 59, 999999, tzinfo=UTC)


def row(day: date, who: str, n: int) -> dict[str, Any]:
    return {"date": day, "who": who, "at": AT, "n": n, "x": n / 2, "tags": ["a b", "ü"]}


class Arrow:
    """The contract's view of ArrowLake: rows as dicts."""

    def __init__(self, lake: SparkLake) -> None:
        self.lake = lake.arrow

    def frame(self, table: Table, rows: list[dict[str, Any]]) -> Any:
        return pa.Table.from_pylist(rows, arrow_schema(table))

    def rows(self, table: Table, *args: Any, **kw: Any) -> list[dict[str, Any]]:
        return sorted(self.lake.read(table, *args, **kw).to_pylist(), key=lambda r: (str(r.get("date")), r["who"]))


class Spark(Arrow):
    def __init__(self, lake: SparkLake) -> None:
        self.lake = lake  # type: ignore[assignment]

    def frame(self, table: Table, rows: list[dict[str, Any]]) -> Any:
        return self.lake.spark.createDataFrame([tuple(r[c] for c in table.names) for r in rows], table.ddl)  # type: ignore[attr-defined]

    def rows(self, table: Table, *args: Any, **kw: Any) -> list[dict[str, Any]]:
        found = [r.asDict() for r in self.lake.read(table, *args, **kw).collect()]
        for r in found:
            r["at"] = r["at"].astimezone(UTC) if r["at"] else None
        return sorted(found, key=lambda r: (str(r.get("date")), r["who"]))


KINDS = {"arrow": Arrow, "spark": Spark}


@pytest.fixture(params=KINDS)
def writer(request: pytest.FixtureRequest, lake: SparkLake) -> Arrow:
    return KINDS[request.param](lake)


@pytest.fixture(params=KINDS)
def reader(request: pytest.FixtureRequest, lake: SparkLake) -> Arrow:
    return KINDS[request.param](lake)


def test_a_table_that_does_not_exist_reads_as_empty_and_typed(reader: Arrow) -> None:
    assert reader.rows(PLAYS) == []
    assert reader.lake.history(PLAYS) == []


def test_overwriting_dates_replaces_exactly_those(writer: Arrow, reader: Arrow) -> None:
    first = [row(D1, "a", 1), row(D2, "a", 2), row(D3, "a", 3)]
    writer.lake.overwrite(PLAYS, writer.frame(PLAYS, first), [D1, D2, D3], Note("run1", {str(d): "f1" for d in (D1, D2, D3)}))
    before = writer.lake.overwrite(PLAYS, writer.frame(PLAYS, [row(D2, "b", 9)]), [D2], Note("run2", {str(D2): "f2"}))
    assert reader.rows(PLAYS) == [row(D1, "a", 1), row(D2, "b", 9), row(D3, "a", 3)]
    assert reader.rows(PLAYS, [D2, D3]) == [row(D2, "b", 9), row(D3, "a", 3)]
    assert reader.rows(PLAYS, None, before - 1) == first
    newest = reader.lake.history(PLAYS)[0]
    assert (newest.version, newest.note.run, newest.note.published) == (before, "run2", {str(D2): "f2"})


def test_merge_and_append(writer: Arrow, reader: Arrow) -> None:
    writer.lake.append(PLAYS, writer.frame(PLAYS, [row(D1, "a", 1)]), Note("r1"))
    version = writer.lake.merge(PLAYS, writer.frame(PLAYS, [row(D1, "a", 5), row(D1, "c", 6)]), Note("r2"))
    assert reader.rows(PLAYS) == [row(D1, "a", 5), row(D1, "c", 6)]
    assert reader.lake.history(PLAYS)[0].note.run == "r2"
    assert reader.lake.history(PLAYS)[0].version == version


def test_a_table_without_dates_is_replaced_whole(writer: Arrow, reader: Arrow) -> None:
    one = {"who": "a", "at": AT, "n": 1}
    writer.lake.overwrite(SMALL, writer.frame(SMALL, [one]), None, Note("r1"))
    writer.lake.overwrite(SMALL, writer.frame(SMALL, [{**one, "who": "b"}]), None, Note("r2"))
    assert [r["who"] for r in reader.rows(SMALL)] == ["b"]


@pytest.fixture
def staged(lake: SparkLake) -> SparkLake:
    spark = Spark(lake)
    two = spark.frame(PLAYS, [row(D1, "a", 1), row(D2, "a", 2)])
    spark.lake.overwrite(PLAYS, two, [D1, D2], Note("r0", {str(D1): "f0", str(D2): "f0"}))
    lake.stage(PLAYS, spark.frame(PLAYS, [row(D2, "b", 7), row(D3, "b", 8)]), "run-1")
    return lake


def test_staged_files_are_invisible_until_one_commit_adopts_them(staged: SparkLake) -> None:
    arrow, spark = Arrow(staged), Spark(staged)
    before = [row(D1, "a", 1), row(D2, "a", 2)]
    assert spark.rows(PLAYS) == arrow.rows(PLAYS) == before
    base = staged.arrow.version(PLAYS)
    assert base is not None
    replace = [{"date": str(D2)}, {"date": str(D3)}]
    version = staged.arrow.adopt(PLAYS, "run-1", replace, Note("r1", {str(D2): "f1", str(D3): "f1"}), base)
    after = [row(D1, "a", 1), row(D2, "b", 7), row(D3, "b", 8)]
    assert version == base + 1
    assert spark.rows(PLAYS) == arrow.rows(PLAYS) == after
    assert staged.arrow.published(PLAYS) == {str(D1): "f0", str(D2): "f1", str(D3): "f1"}
    assert {day: len(files) for day, files in staged.arrow.files(PLAYS).items()} == {str(D1): 1, str(D2): 1, str(D3): 1}
    assert arrow.rows(PLAYS, None, base) == before


def test_what_failed_tasks_left_behind_is_never_adopted(staged: SparkLake) -> None:
    root = staged.address.path / folder(PLAYS.name)
    whole = staged.arrow.staged_files(PLAYS, "run-1")
    for place in ("_temporary/0/_temporary/attempt_1", ".spark-staging-1", "__magic"):
        left = root / "run-1" / place / whole[0].removeprefix("run-1/")
        left.parent.mkdir(parents=True)
        shutil.copy(root / whole[0], left)
    assert staged.arrow.staged_files(PLAYS, "run-1") == whole
    assert len(whole) == 2
    staged.arrow.adopt(PLAYS, "run-1", None, Note("r1"), staged.arrow.version(PLAYS) or 0)
    assert Arrow(staged).rows(PLAYS) == [row(D2, "b", 7), row(D3, "b", 8)]


def test_of_two_writers_from_one_version_the_second_is_refused_whole(staged: SparkLake) -> None:
    base = staged.arrow.version(PLAYS)
    assert base is not None
    spark = Spark(staged)
    staged.stage(PLAYS, spark.frame(PLAYS, [row(D3, "c", 1)]), "run-2")
    staged.arrow.adopt(PLAYS, "run-1", [{"date": str(D2)}, {"date": str(D3)}], Note("r1"), base)
    now = spark.rows(PLAYS)
    with pytest.raises(Conflict, match="published"):
        staged.arrow.adopt(PLAYS, "run-2", [], Note("r2"), base)
    assert spark.rows(PLAYS) == now


def test_a_commit_that_lands_between_check_and_write_is_a_conflict_too(staged: SparkLake) -> None:
    """Both open the table at one version; only the application id tells them apart, since both merely add files."""
    spark = Spark(staged)
    staged.stage(PLAYS, spark.frame(PLAYS, [row(D3, "c", 1)]), "run-2")
    base = staged.arrow.version(PLAYS)
    assert base is not None
    stale = StaleLake(staged.address)
    stale.hold(PLAYS)
    staged.arrow.adopt(PLAYS, "run-1", [], Note("r1"), base)
    with pytest.raises(Conflict, match="first"):
        stale.adopt(PLAYS, "run-2", [], Note("r2"), base)


@pytest.mark.parametrize("behind", [0, 1, TURNS - 1])
def test_who_is_behind_tries_again(behind: int) -> None:
    left = iter(range(behind))
    assert in_turn(lambda: 7 if next(left, None) is None else _beaten()) == 7


def test_who_is_always_behind_gives_up() -> None:
    with pytest.raises(Conflict, match="ahead"):
        in_turn(_beaten)


def _beaten() -> int:
    raise Conflict("another was ahead")


class StaleLake(ArrowLake):
    """Keeps the handle it opened first, as a writer does whose commit races another's."""

    def hold(self, table: Table) -> None:
        self.held = super()._opened(table)

    def _opened(self, table: Table) -> Any:
        return self.held if table else None


def test_a_checkpoint_that_cannot_be_written_fails_no_commit(staged: SparkLake, tmp_path: Path) -> None:
    """The commit stands by then: whoever took it for failed would delete the files that it made part of the table."""
    lake = staged.arrow
    while lake.version(PLAYS) < EVERY - 2:
        lake.append(PLAYS, pa.Table.from_pylist([], arrow_schema(PLAYS)), Note("x"))
    (tmp_path / "lake" / folder(PLAYS.name) / "_delta_log" / f"{EVERY - 1:020}.checkpoint.parquet/in the way").mkdir(parents=True)
    before, base = lake.count(PLAYS), lake.version(PLAYS)
    assert lake.adopt(PLAYS, "run-1", (), Note("r"), base) == base + 1
    assert lake.count(PLAYS) > before
    for _ in range(EVERY):
        lake.append(PLAYS, pa.Table.from_pylist([], arrow_schema(PLAYS)), Note("x"))
    checkpoints = (tmp_path / "lake" / folder(PLAYS.name) / "_delta_log").glob("*.checkpoint.parquet")
    assert {int(path.name.split(".")[0]) for path in checkpoints if path.is_file()} == {2 * EVERY - 1}


def test_what_was_adopted_is_never_discarded(staged: SparkLake) -> None:
    """Whoever is interrupted right after the commit cleans up like one who was before it."""
    lake = staged.arrow
    lake.adopt(PLAYS, "run-1", (), Note("r"), lake.version(PLAYS) or 0)
    before = lake.read(PLAYS).num_rows
    lake.discard(PLAYS, "run-1")
    assert lake.read(PLAYS).num_rows == before > 0


def test_a_lake_that_stands_still_reads_one_version_of_a_table(staged: SparkLake) -> None:
    lake = staged.arrow
    still = StillLake(lake)
    seen, version = still.marks(PLAYS), still.version(PLAYS)
    lake.append(PLAYS, pa.Table.from_pylist([row(D1, "late", 9)], arrow_schema(PLAYS)), Note("x"))
    assert (still.marks(PLAYS), still.version(PLAYS)) == (seen, version)
    assert "late" not in still.read(PLAYS)["who"].to_pylist()
    assert "late" in StillLake(lake).read(PLAYS)["who"].to_pylist()


def test_of_two_that_add_a_column_at_once_both_go_on(staged: SparkLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, wider = staged.arrow, replace(PLAYS, columns=(*PLAYS.columns, Column("more", "bigint", "count")))
    stale, fresh = [DeltaTable(lake.uri(PLAYS))], lake._open  # noqa: SLF001
    ArrowLake(lake.address).create(wider)
    monkeypatch.setattr(lake, "_open", lambda *args: stale.pop() if stale else fresh(*args))
    lake.create(wider)
    assert not stale
    assert [field.name for field in DeltaTable(lake.uri(PLAYS)).schema().fields].count("more") == 1


def test_a_commit_tells_its_own_version_though_another_followed_at_once(staged: SparkLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, base = staged.arrow, staged.arrow.version(PLAYS) or 0
    write = DeltaTable.create_write_transaction

    def overtaken(opened: DeltaTable, *args: Any, **how: Any) -> None:
        write(opened, *args, **how)
        ArrowLake(lake.address).append(PLAYS, pa.Table.from_pylist([], arrow_schema(PLAYS)), Note("another"))

    monkeypatch.setattr(DeltaTable, "create_write_transaction", overtaken)
    assert lake.adopt(PLAYS, "run-1", (), Note("r"), base) == base + 1
    assert lake.version(PLAYS) == base + 2


def test_file_statistics_hold_no_value_of_any_row(staged: SparkLake, tmp_path: Path) -> None:
    base = staged.arrow.version(PLAYS)
    assert base is not None
    staged.arrow.adopt(PLAYS, "run-1", [], Note("r1"), base)
    logs = "".join(path.read_text() for path in sorted((tmp_path / "lake/try/plays/_delta_log").glob("*.json"))[-1:])
    assert '"numRecords\\": 1' in logs or '\\"numRecords\\": 1' in logs
    assert "minValues" not in logs


@pytest.mark.parametrize(
    ("text", "spark", "arrow"),
    [
        ("s3://b/lake/", "s3a://b/lake", "s3://b/lake"),
        ("s3a://b/lake", "s3a://b/lake", "s3://b/lake"),
        ("S3://B/Lake", "s3a://B/Lake", "s3://B/Lake"),
        ("s3://b", "s3a://b", "s3://b"),
        ("file:///x/y", "file:///x/y", "file:///x/y"),
        ("FILE:/x/y/", "file:///x/y", "file:///x/y"),
    ],
)
def test_one_address_is_spelt_for_each_engine(text: str, spark: str, arrow: str) -> None:
    address = Address.parse(text)
    assert (address.spark(), address.arrow()) == (spark, arrow)


def test_a_folder_becomes_a_uri_and_spaces_are_kept(tmp_path: Path) -> None:
    address = Address.parse(str(tmp_path / "a lake"))
    assert address.uri.endswith("/a%20lake")
    assert address.path == tmp_path / "a lake"
    assert address.beside(".key") == tmp_path / "a lake.key"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ftp://x/y", "unknown scheme 'ftp'; choose from file, s3"),
        ("  ", "empty"),
        ("s3://", "names no bucket"),
        ("s3:///lake", "names no bucket"),
        ("s3:/bucket/lake", "names no bucket"),
        ("file://", "no folder of its own"),
        ("file:///", "no folder of its own"),
        ("file://build/lake", "no folder of its own; .* file:///folder/lake"),
        ("/", "no folder of its own"),
        ("FOLDER/file", "FOLDER/file' is a file"),
        ("FOLDER/file/lake", "FOLDER/file' is a file"),
        ("file://FOLDER/file/lake", "FOLDER/file' is a file"),
        ("FOLDER/circle/lake", "circle"),
        ("file://FOLDER/circle/lake", "circle' is a link to nowhere"),
        ("~nosuchuser/x", "home"),
        ("FOLDER/" + "a" * 300, "name too long"),
        ("file://FOLDER/" + "a" * 300, "name too long"),
        ("FOLDER/a\0b", "null"),
    ],
)
def test_a_wrong_address_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(WrongUse, match=why.replace("FOLDER", str(tmp_path))) as told:
        Address.parse(text.replace("FOLDER", str(tmp_path)))
    assert "s3" in str(told.value), "the sentence shows what can be given"


def test_a_damaged_log_is_named_in_one_line(lake: SparkLake, tmp_path: Path) -> None:
    lake.arrow.create(PLAYS)
    (tmp_path / "lake/try/plays/_delta_log/00000000000000000000.json").write_text("{broken\n")
    with pytest.raises(OvertoneError, match=r"try\.plays in .*: its log cannot be read") as told:
        lake.arrow.version(PLAYS)
    assert "\n" not in str(told.value)


def test_a_lake_lies_where_it_was_put_though_the_path_has_a_space(spark: SparkSession, tmp_path: Path) -> None:
    lake = SparkLake(Address.parse(str(tmp_path / "my lake")))
    lake.overwrite(PLAYS, lake.spark.createDataFrame([row(D1, "a", 1)], PLAYS.ddl), [D1], Note("r"))
    lake.stage(PLAYS, lake.empty(PLAYS), "run-x")
    assert [path.name for path in tmp_path.iterdir()] == ["my lake"]
    assert lake.arrow.count(PLAYS) == 1
    assert (tmp_path / "my lake/try/plays/run-x/_SUCCESS").exists()


def test_a_process_that_reads_and_ends_ends_well(tmp_path: Path) -> None:
    """Eight times over: where Arrow's threads call Python, about every other such process is aborted as it ends."""
    filled(ArrowLake(Address.parse(str(tmp_path / "lake"))))
    reads = (
        "import sys; from jobs.catalogue import TABLES; from jobs.lake.address import Address; from jobs.lake.arrow import ArrowLake\n"
        "lake = ArrowLake(Address.parse(sys.argv[1]))\n"
        "for table in TABLES.values(): lake.read(table)"
    )
    ended = [
        subprocess.run([sys.executable, "-c", reads, str(tmp_path / "lake")], capture_output=True, text=True, check=False) for _ in range(8)
    ]
    assert [(one.returncode, one.stderr) for one in ended] == [(0, "")] * 8
