"""Taking damaged files in: each record of each file ends kept, quarantined or known already; what was not touched is kept as it is."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from damage import Whole, splice, whole_files, wrong_gzip
from feeds import ANNA, BERT, CLOCK, pseudonym_of, put, stored
from hypothesis import settings

from jobs.catalogue import TABLES
from jobs.contracts.operations import FILES, QUARANTINE
from jobs.ingest import ingest
from jobs.lake.key import load_key
from jobs.sources import SOURCES

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.lake.spark import SparkLake

FILLER = 1_200  # good rows of each form, so that the bad ones do not hold the batch back
COPIES = settings.default.max_examples // 4  # damaged files of each form
TWICE = ("songs-",)  # the native feed takes catalogues too: the catalogue's own test has them
PAGES = ("NextSong", "Thumbs Up", "Thumbs Down", "Add to Playlist")


@pytest.mark.parametrize("name", SOURCES)
def test_every_record_of_damaged_files_is_accounted_for_and_what_was_not_touched_is_kept(
    name: str, lake: SparkLake, tmp_path: Path
) -> None:
    rng = random.Random(name)
    good = [one for one in whole_files(100_000, FILLER) if one.source == name and not one.name.startswith(TWICE)]
    whole = [one for n in range(COPIES) for one in whole_files(n * 1_000) if one.source == name and not one.name.startswith(TWICE)]
    splices = {one.name: splice(rng, one.content) for one in whole}
    damaged = {one.name: splices[one.name].of(one.content) for one in whole}
    packed = {
        f"{one.name}.gz": wrong_gzip(rng, one.content)
        for one in whole_files(50_000)
        if one.source == name and not one.name.startswith(TWICE)
    }
    folder = put(tmp_path / "feed", {one.name: one.content for one in good} | damaged | packed)
    report = ingest(lake, name, [folder], clock=CLOCK, user="me")

    ledger: dict[str, list[dict[str, int]]] = {}
    for row in lake.arrow.read(FILES).to_pylist():
        ledger.setdefault(row["file"], []).append(row)
    skipped = {one.name for one in report.skipped}
    kept = rows_by_file(lake, name)
    for one in whole:
        file = stored(name, one.name, damaged[one.name])
        if one.name in skipped:
            continue  # its beginning, by which files are known, is damaged; the report names it
        found = ledger[file]
        assert all(row["rows_in"] == row["kept"] + row["quarantined"] + row["deduplicated"] for row in found)
        count = sum(row["rows_in"] for row in found)
        exact = records(one, damaged[one.name])
        assert count == exact if exact is not None else count >= len(one.untouched(splices[one.name].start, splices[one.name].end))
        if not quotes_or_header(one, splices[one.name]):
            expected = {one.says[n] for n in one.untouched(splices[one.name].start, splices[one.name].end)}
            assert expected <= kept.get(file, set()), (one.name, splices[one.name])
    assert len(skipped) <= len(whole) // 4 + len(packed)
    for one in good:
        assert set(one.says) <= kept[stored(name, one.name, one.content)]
    assert not [raw for raw in (ANNA, BERT) if raw in everything(lake)]
    assert not again_changes(lake, name, folder)
    who = {pseudonym_of(load_key(lake.address), name, raw) for raw in (ANNA, BERT, "me")}
    assert listeners(lake, good, name) <= who


def again_changes(lake: SparkLake, name: str, folder: Path) -> bool:
    before = {table: lake.arrow.version(TABLES[table]) for table in TABLES}
    again = ingest(lake, name, [folder], clock=CLOCK, user="me")
    return again.changed or {table: lake.arrow.version(TABLES[table]) for table in TABLES} != before


def records(one: Whole, content: bytes) -> int | None:
    """Count a text file's records: lines that are not blank, but for pages that are no listening; None where only a bound is known."""
    if not one.name.endswith((".jsonl", ".tsv")) and not one.name.startswith("log-"):
        return None  # documents and quoted cells: how many there were cannot be told from what is left
    lines = [line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    return len([line for line in lines if one.source != "eventsim" or page_of(line) in PAGES])


def page_of(line: bytes) -> str:
    """Return the page that a line names; what does not is counted with the plays."""
    try:
        page = json.loads(line)["page"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return PAGES[0]
    return page if isinstance(page, str) else PAGES[0]


def quotes_or_header(one: Whole, splice_: object) -> bool:
    """Say whether cells may go on behind their line, or have lost their names."""
    if not one.name.endswith(".csv"):
        return False
    start, end, new = splice_.start, splice_.end, splice_.new  # type: ignore[attr-defined]
    return b'"' in new or b'"' in one.content[start:end] or start < one.records[0][0]


def rows_by_file(lake: SparkLake, name: str) -> dict[str, set[object]]:
    found: dict[str, set[object]] = {}
    for table in {feed.table.name: feed.table for feed in SOURCES[name].feeds}.values():
        if "track_name" in table.by_name and lake.arrow.exists(table):
            for row in lake.arrow.read(table).to_pylist():
                title = row["native_key"] if table.name == "bronze.feedback" and name == "native" else row["track_name"]
                found.setdefault(row["file"], set()).add((title, row.get("event_ts")))
    return found


def listeners(lake: SparkLake, good: list[Whole], name: str) -> set[str]:
    files = {stored(name, one.name, one.content) for one in good}
    tables = [feed.table for feed in SOURCES[name].feeds if feed.listener and lake.arrow.exists(feed.table)]
    return {row["listener_id"] for table in tables for row in lake.arrow.read(table).to_pylist() if row["file"] in files}


def everything(lake: SparkLake) -> str:
    tables = [str(lake.arrow.read(table).to_pylist()) for table in TABLES.values() if lake.arrow.exists(table)]
    assert lake.arrow.count(QUARANTINE)
    return "".join((*tables, *(path.read_text() for path in lake.address.path.rglob("_delta_log/*.json"))))  # type: ignore[union-attr]
