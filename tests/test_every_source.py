"""Every source: its feeds fit their tables, its files are its own, good files end in exactly the rows they hold, late ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from feeds import ANNA, BERT, CLOCK, EXAMPLES, PHONE, Row, pseudonym_of, put, stored
from pyspark.sql import functions as F

from jobs.catalogue import TABLES
from jobs.ingest import Report, ingest
from jobs.lake.key import load_key
from jobs.sources import SOURCES
from jobs.sources.chunks import head
from jobs.sources.files import find
from jobs.sources.opening import opened
from jobs.sources.parsing import Taking, keys, parse
from jobs.sources.pseudonym import pseudonym, with_pseudonym
from jobs.sources.reading import DDL
from jobs.sources.source import FORMS
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from jobs.lake.spark import SparkLake

FEEDS = [pytest.param(source, feed, id=f"{source.name}-{feed.table.name}") for source in SOURCES.values() for feed in source.feeds]
MADE = {"date", "event_id", "feed", "listener_id", "ingested_at"}  # columns that are not the record's own


@pytest.mark.parametrize(("source", "feed"), FEEDS)
def test_a_feeds_columns_compile_to_the_types_of_its_table(source, feed, spark: SparkSession) -> None:  # type: ignore[no-untyped-def]
    assert set(feed.columns) == set(feed.table.names) - MADE - {"file", "position"}
    records = spark.createDataFrame([], DDL)
    for user in ("me", None):
        taking = Taking(source.name, bytes(32), CLOCK, user)
        made = parse(records, feed, taking)
        types = {field.name: field.dataType.simpleString() for field in made.schema}
        assert types == {column.name: column.dtype for column in feed.table.columns} | {"reason": "string", "payload": "string"}
        assert keys(records, feed, taking).columns == ["date", *feed.table.key]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_says_who_it_is_and_its_forms_are_known(name: str) -> None:
    source = SOURCES[name]
    assert source.name == name
    assert source.meaning
    assert {form.kind for form in source.forms} <= set(FORMS)
    assert name in EXAMPLES, "say in feeds.py what its files look like"
    shared = [feed for feed in source.feeds if feed.files == ("*",)]
    assert sum(feed.unreadable for feed in shared) == bool(shared)  # a record that cannot be read counts once


def test_no_file_is_taken_by_two_sources_but_a_catalogue_which_is_a_feed_of_our_own_too(tmp_path: Path) -> None:
    for name, example in EXAMPLES.items():
        for path in (path for path in put(tmp_path / name, example.files).rglob("*") if path.is_file()):
            with opened(str(path)) as file:
                start = head(file) if path.suffix != ".parquet" else ""
            takers = {other for other, source in SOURCES.items() if source.form(path.name, start)}
            assert takers == ({"native", "catalogue"} if path.name == "songs.csv" else {name})


@pytest.mark.parametrize("name", SOURCES)
def test_the_files_of_other_sources_are_skipped_with_the_name_of_the_one_that_takes_them(name: str, tmp_path: Path) -> None:
    for other, example in EXAMPLES.items():
        put(tmp_path / other, example.files)
    (tmp_path / "README.txt").write_text("nothing")
    taken, skipped = find(SOURCES[name], [tmp_path], SOURCES)
    mine = {path.rsplit("/")[-1] for path in EXAMPLES[name].files}
    assert {one.path.name for one in taken} == mine
    expected = {path.rsplit("/")[-1]: (other,) for other, example in EXAMPLES.items() for path in example.files} | {"README.txt": ()}
    expected["songs.csv"] = ("native", "catalogue")
    assert {one.name: one.takers for one in skipped} == {file: takers for file, takers in expected.items() if file not in mine}
    with pytest.raises(WrongUse, match=rf"nothing for {name} in .*README.txt: skipped, no source takes it"):
        find(SOURCES[name], [tmp_path / "README.txt"], SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_good_files_end_in_exactly_their_rows_once_and_a_late_one_changes_its_dates_alone(
    name: str, lake: SparkLake, tmp_path: Path
) -> None:
    example = EXAMPLES[name]
    folder = put(tmp_path / "feed", example.files)
    first = take_in(lake, name, folder)
    for table, rows in example.rows.items():
        assert read(lake, name, table) == expected(lake, name, rows), table
    assert sum(one.total.quarantined for one in first.intakes) == 0
    assert {one.table: one.total.kept for one in first.intakes if one.total.kept} == {t: len(rows) for t, rows in example.rows.items()}
    assert not raw_ids_in(lake)

    before = {table: lake.arrow.version(TABLES[table]) for table in TABLES}
    again = take_in(lake, name, folder)
    assert (again.changed, again.known) == (False, len(example.files))
    (folder / sorted(example.files)[0]).rename(tmp_path / "feed" / f"renamed-{sorted(example.files)[0].replace('/', '-')}")
    if name != "native":  # there the name says what a file holds
        assert not take_in(lake, name, folder).changed
    assert {table: lake.arrow.version(TABLES[table]) for table in TABLES} == before

    files = {table: lake.arrow.files(TABLES[table]) for table in example.rows}
    late = take_in(lake, name, put(tmp_path / "late", example.late))
    total = sum((one.total for one in late.intakes[1:]), late.intakes[0].total)
    assert (total.kept, total.deduplicated) == (sum(map(len, example.late_rows.values())), example.known_already)
    for table, rows in example.late_rows.items():
        assert read(lake, name, table) == expected(lake, name, [*example.rows[table], *rows])
        touched = {day.isoformat() for one in late.intakes for day in one.dates}
        old, new = files[table], lake.arrow.files(TABLES[table])
        changed = {key for key in old | new if old.get(key) != new.get(key)}
        assert changed == (touched or {""})
        assert all(set(old.get(key, ())) <= set(new[key]) for key in changed)


def take_in(lake: SparkLake, name: str, folder: Path) -> Report:
    return ingest(lake, name, [folder], clock=CLOCK, user="me" if SOURCES[name].needs_user else None)


def read(lake: SparkLake, name: str, table: str) -> list[Row]:
    """Return a table's rows without nulls and without the columns that every row gets, which are checked here."""
    files = [(path.rpartition("/")[2], content) for path, content in (*EXAMPLES[name].files.items(), *EXAMPLES[name].late.items())]
    bare = {stored(name, file, content): file for file, content in files}
    found = lake.arrow.read(TABLES[table]).to_pylist()
    for row in found:
        assert row.pop("ingested_at") == CLOCK
        assert row.pop("feed")
        if "event_ts" in row:
            assert row.pop("date") == row["event_ts"].date()
        # A person's own exports go by their content, and names that occur twice are told apart by it.
        row["file"] = bare.get(row["file"], row["file"].split(" (")[0])
    ids = [row.pop("event_id") for row in found if "event_id" in row]
    assert len(set(ids)) == len(ids)
    assert all(len(one) == 32 for one in ids)
    return sorted(({key: value for key, value in row.items() if value is not None} for row in found), key=in_words)


def expected(lake: SparkLake, name: str, rows: list[Row]) -> list[Row]:
    key = load_key(lake.address)
    named = [row | {"listener_id": pseudonym_of(key, name, row["listener"])} if "listener" in row else row for row in rows]
    kept = [{one: value for one, value in row.items() if one != "listener" and value is not None} for row in named]
    order = {column: n for n, column in enumerate(dict.fromkeys(c for table in TABLES.values() for c in table.names))}
    return sorted(({one: row[one] for one in sorted(row, key=order.__getitem__)} for row in kept), key=in_words)


def in_words(row: Row) -> list[str]:
    return [f"{name} {value}" for name, value in row.items()]


def raw_ids_in(lake: SparkLake) -> set[str]:
    """Return the raw ids that any table or commit of the lake holds."""
    tables = [str(lake.arrow.read(table).to_pylist()) for table in TABLES.values() if lake.arrow.exists(table)]
    logs = [path.read_text() for path in lake.address.path.rglob("_delta_log/*.json")]
    assert logs
    secret = (ANNA, BERT, "Raw-Firstname", "Raw-Lastname", "192.0.2.77", PHONE[1:20])
    return {raw for raw in secret for text in (*tables, *logs) if raw in text}


def test_files_that_are_hidden_or_linked_within_a_folder_are_left_out_and_a_link_that_is_named_is_followed(tmp_path: Path) -> None:
    good = EXAMPLES["eventsim"].late["late.jsonl"]
    put(tmp_path / "feed", {"a.jsonl": good, ".hidden.jsonl": good, ".git/b.jsonl": good})
    put(tmp_path / "elsewhere", {"c.jsonl": good})
    (tmp_path / "feed/link.jsonl").symlink_to(tmp_path / "elsewhere/c.jsonl")
    (tmp_path / "feed/linked").symlink_to(tmp_path / "elsewhere")
    source = SOURCES["eventsim"]
    assert [one.name for one in find(source, [tmp_path / "feed"], SOURCES)[0]] == ["a.jsonl"]
    assert [one.name for one in find(source, [tmp_path / "feed/link.jsonl"], SOURCES)[0]] == ["link.jsonl"]
    with pytest.raises(WrongUse, match="there is no file or folder"):
        find(source, [tmp_path / "nowhere"], SOURCES)


def test_files_of_one_name_are_told_apart_by_content_and_no_folder_is_named(tmp_path: Path) -> None:
    one, two = (EXAMPLES["eventsim"].late["late.jsonl"] + end for end in (b"", b"\n"))
    put(tmp_path, {f"{ANNA}/1.jsonl": one, f"{BERT}/1.jsonl": two, "copy/1.jsonl": one, "2.jsonl": one})
    taken, _ = find(SOURCES["eventsim"], [tmp_path], SOURCES)
    names = {file.path.relative_to(tmp_path).as_posix(): file.name for file in taken}
    assert names["2.jsonl"] == "2.jsonl"
    assert names[f"{ANNA}/1.jsonl"] == names["copy/1.jsonl"] != names[f"{BERT}/1.jsonl"]
    assert all(name.startswith("1.jsonl (") for path, name in names.items() if path != "2.jsonl")


def test_a_pseudonym_is_the_hmac_of_feed_and_id_whatever_the_keys_length(spark: SparkSession) -> None:
    raw = ["a", "ä", "x" * 300, ""]
    for key in (bytes(range(32)), b"k" * 64, b"k" * 65):
        frame = with_pseudonym(spark.createDataFrame([(one,) for one in raw], "listener STRING"), key, "feed")
        made = frame.select(F.col("listener_id")).collect()
        assert frame.columns == ["listener_id"]
        assert sorted(row[0] for row in made) == sorted(pseudonym_of(key, "feed", one) for one in raw)
        assert [pseudonym(key, "feed", one) for one in raw] == [pseudonym_of(key, "feed", one) for one in raw]
        assert key.hex() not in frame._jdf.queryExecution().toString()  # noqa: SLF001
