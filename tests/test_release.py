"""What was refused is let in once its reason is gone: exactly once, whatever is cut short, and what is refused still stays told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from feeds import CLOCK, STRICT, at, heard, lines, put, strict

from jobs import ledger
from jobs.contracts.events import PLAYS
from jobs.contracts.operations import FILES, QUARANTINE
from jobs.ingest import ingest
from jobs.lake.arrow import ArrowLake
from jobs.release import release
from jobs.sources import SOURCES
from targeting.__main__ import main
from validation.verdict import HeldBack, WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobs.lake.spark import SparkLake

LATER = CLOCK + timedelta(days=1)
NATIVE = SOURCES["native"]


def plays(first: int, *odd: dict[str, Any]) -> bytes:
    """Return a file of 60 good plays, odd ones among them."""
    good = [heard(first + n, at(1, 8) + timedelta(minutes=n)) for n in range(60)]
    return lines(*good[:30], *(heard(first + 100 + n, at(1, 9), **one) for n, one in enumerate(odd)), *good[30:])


@pytest.fixture
def feed(lake: SparkLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files taken in by an adapter that is too strict: three rows of the first were refused, two of them wrongly."""
    folder = put(
        tmp_path / "feed",
        {"plays-1.jsonl": plays(0, {"device": "fridge"}, {"device": "fridge"}, {"started_at": None}), "plays-2.jsonl": plays(500)},
    )
    strict(monkeypatch, STRICT)
    ingest(lake, "native", [folder], clock=CLOCK)
    monkeypatch.setitem(SOURCES, "native", NATIVE)
    return folder


def refused(lake: SparkLake) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in lake.arrow.read(QUARANTINE).to_pylist():
        found[row["reason"]] = found.get(row["reason"], 0) + 1
    return found


def counts(lake: SparkLake) -> dict[str, tuple[int, ...]]:
    names = ("rows_in", "kept", "quarantined", "deduplicated")
    return {row["file"]: tuple(row[name] for name in names) for row in lake.arrow.read(FILES).to_pylist()}


def content(lake: SparkLake) -> list[str]:
    own = [name for name in PLAYS.names if name != "ingested_at"]
    return sorted(map(repr, lake.arrow.read(PLAYS, columns=own).to_pylist()))


def test_rows_refused_wrongly_enter_and_the_others_stay_where_they_are(lake: SparkLake, feed: Path, tmp_path: Path) -> None:
    assert refused(lake) == {"no_fridge": 2, "null_time": 1}
    assert counts(lake) == {"plays-1.jsonl": (63, 60, 3, 0), "plays-2.jsonl": (60, 60, 0, 0)}
    before = content(lake)
    done = release(lake, "native", [feed], clock=LATER)
    assert [(one.table, one.files, one.released, one.refused, dict(one.reasons)) for one in done] == [
        (PLAYS.name, 1, 2, 1, {"null_time": 1})
    ]
    assert refused(lake) == {"null_time": 1}
    assert counts(lake) == {"plays-1.jsonl": (63, 62, 1, 0), "plays-2.jsonl": (60, 60, 0, 0)}
    assert set(before) < set(content(lake))
    assert len(content(lake)) == 122
    # The lake that was never too strict holds the same.
    whole = type(lake)(lake.address.parse(str(tmp_path / "whole")))
    (tmp_path / "whole.key").write_bytes((tmp_path / "lake.key").read_bytes())
    ingest(whole, "native", [feed], clock=CLOCK)
    assert content(whole) == content(lake)
    assert counts(whole) == counts(lake)

    version = lake.arrow.version(PLAYS)
    again = release(lake, "native", [feed], clock=LATER)
    assert [(one.released, one.refused) for one in again] == [(0, 1)]
    assert not ingest(lake, "native", [feed], clock=LATER).changed
    assert (lake.arrow.version(PLAYS), refused(lake)) == (version, {"null_time": 1})


def test_a_row_that_turns_out_to_be_known_is_counted_so(lake: SparkLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = heard(3, at(1, 8), device="fridge")
    folder = put(tmp_path / "feed", {"plays-1.jsonl": plays(0, {"device": "fridge"}) + lines(twice)})
    strict(monkeypatch, STRICT)
    ingest(lake, "native", [folder], clock=CLOCK)
    monkeypatch.setitem(SOURCES, "native", NATIVE)
    assert counts(lake) == {"plays-1.jsonl": (62, 60, 2, 0)}
    release(lake, "native", [folder], clock=LATER)
    assert counts(lake) == {"plays-1.jsonl": (62, 61, 0, 1)}
    assert refused(lake) == {}


def test_files_that_were_never_taken_in_or_had_nothing_refused_are_passed_over(lake: SparkLake, feed: Path, tmp_path: Path) -> None:
    new = put(tmp_path / "new", {"plays-3.jsonl": plays(900)})
    assert release(lake, "native", [new, feed / "plays-2.jsonl"], clock=LATER) == []
    assert counts(lake).keys() == {"plays-1.jsonl", "plays-2.jsonl"}
    with pytest.raises(WrongUse, match="unknown source 'nativ'; did you mean 'native'"):
        release(lake, "nativ", [feed], clock=LATER)


def test_a_fix_that_refuses_still_more_than_may_be_is_held_back(lake: SparkLake, feed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The share is that of all records of the files, not of the few that are looked at again."""
    monkeypatch.setitem(SOURCES, "native", NATIVE)
    version = lake.arrow.version(PLAYS)
    narrow = replace(PLAYS, rejected_share=0.01)
    feeds = tuple(replace(one, table=narrow) if one.table is PLAYS else one for one in NATIVE.feeds)
    monkeypatch.setitem(SOURCES, "native", replace(NATIVE, feeds=feeds))
    with pytest.raises(HeldBack, match=r"rejected_share \(observed 1\.59%, expected at most 1\.00%"):
        release(lake, "native", [feed], clock=LATER)
    assert lake.arrow.version(PLAYS) == version


@pytest.mark.parametrize(
    ("owner", "verb"), [(ArrowLake, "adopt"), (ArrowLake, "merge"), (ArrowLake, "delete")], ids=["before it enters", "ledger", "quarantine"]
)
def test_a_release_that_was_cut_short_is_finished_by_the_next(
    owner: type, verb: str, lake: SparkLake, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain: Callable[..., Any] = getattr(owner, verb)

    def cut(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, verb, cut)
    with pytest.raises(KeyboardInterrupt):
        release(lake, "native", [feed], clock=LATER)
    monkeypatch.setattr(owner, verb, plain)
    release(lake, "native", [feed], clock=LATER + timedelta(hours=1))
    assert refused(lake) == {"null_time": 1}
    assert counts(lake) == {"plays-1.jsonl": (63, 62, 1, 0), "plays-2.jsonl": (60, 60, 0, 0)}
    assert len(content(lake)) == 122


def test_another_file_of_the_same_name_keeps_what_was_refused_of_it(
    lake: SparkLake, feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = put(tmp_path / "other", {"plays-1.jsonl": plays(2_000, {"device": "fridge"})})
    strict(monkeypatch, STRICT)
    ingest(lake, "native", [other], clock=CLOCK)
    monkeypatch.setitem(SOURCES, "native", NATIVE)
    release(lake, "native", [feed], clock=LATER)
    assert refused(lake) == {"null_time": 1, "no_fridge": 1}
    release(lake, "native", [other], clock=LATER)
    assert refused(lake) == {"null_time": 1}


def test_two_files_of_one_name_are_released_together_and_each_is_counted_for_itself(
    lake: SparkLake, feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = put(tmp_path / "other", {"plays-1.jsonl": plays(2_000, {"device": "fridge"}, {"started_at": None})})
    strict(monkeypatch, STRICT)
    ingest(lake, "native", [other], clock=CLOCK)
    monkeypatch.setitem(SOURCES, "native", NATIVE)
    (done,) = release(lake, "native", [feed, other], clock=LATER)
    assert (done.files, done.released, done.refused, done.reasons) == (2, 3, 2, {"null_time": 2})
    rows = [row for row in lake.arrow.read(FILES).to_pylist() if row["file"] == "plays-1.jsonl"]
    assert sorted((row["rows_in"], row["kept"], row["quarantined"]) for row in rows) == [(62, 61, 1), (63, 62, 1)]
    assert sum(row["kept"] for row in lake.arrow.read(FILES).to_pylist()) == len(content(lake))
    assert refused(lake) == {"null_time": 2}


def test_the_ledger_takes_the_newest_word_of_the_commits(lake: SparkLake, feed: Path) -> None:
    release(lake, "native", [feed], clock=LATER)
    wanted = counts(lake)
    lake.arrow.delete(FILES, "true", ledger.Note("lost"))
    ledger.known(lake.arrow, [PLAYS])
    assert counts(lake) == wanted


def test_the_command_says_what_it_did_and_what_follows(lake: SparkLake, feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["quarantine", "release", "native", str(feed), "--lake", lake.address.uri]
    main(words)
    first, last = capsys.readouterr().out.strip().splitlines()
    assert first == "bronze.plays: 2 rows released from 1 file, 1 refused still (null_time 1)"
    assert last == "overtone day --stale brings what is made of them up to date"
    main([*words, "--json"])
    assert json.loads(capsys.readouterr().out) == [{"table": "bronze.plays", "files": 1, "released": 0, "refused": 1, "reasons": {}}]
