"""Bad rows: each ends in quarantine under its reason, with its place and a payload that names nobody; nothing is lost or counted twice."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from feeds import ANNA, BERT, CLOCK, EXAMPLES, UTS, at, heard, lines, listen, own, page, put, sheet, stored, stream, streamed

from jobs.contracts.events import FEEDBACK, PLAYS
from jobs.contracts.operations import FILES, QUARANTINE
from jobs.ingest import Report, ingest, main
from jobs.lake.commit import Note
from jobs.sources import SOURCES
from jobs.sources.parsing import PAYLOAD
from targeting.command.freshness import held_back
from validation.verdict import HeldBack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jobs.lake.spark import SparkLake

GAP = 6  # good rows before each bad one: enough that the batch is not held back
HUGE = 9_223_372_036_854_775_807
LONG = "x" * 3_000_000


@dataclass(frozen=True)
class Bad:
    """A source's bad rows by reason (`known`: a good one once more), its good ones, and how both become a file."""

    good: tuple[bytes, ...]
    rows: Mapping[str, bytes]
    file: str
    start: bytes = b""
    between: bytes = b"\n"
    end: bytes = b""

    @property
    def all(self) -> list[tuple[bytes, str]]:
        """Every row with its reason, '' for a good one; good rows come before each bad one."""
        good = iter(self.good)
        return [
            pair for reason, row in self.rows.items() for pair in (*((next(good), "") for _ in range(GAP)), (row, reason.split("/")[0]))
        ]

    @property
    def content(self) -> bytes:
        """The whole file."""
        return self.start + self.between.join(row for row, _ in self.all) + self.end

    def whole(self, count: int) -> bytes:
        """Return a file of good rows alone."""
        return self.start + self.between.join(self.good[:count]) + self.end


def text(row: Any) -> bytes:
    return json.dumps(row).encode()


def with_nan(row: dict[str, Any], name: str) -> bytes:
    return json.dumps(row | {name: float("nan")}).encode()


FUTURE = CLOCK + timedelta(days=1)
HOUR = at(1, 8)
MOMENTS = [at(1 + n // 24, n % 24) for n in range(24 * 14)]
NATIVE = Bad(
    good=tuple(text(heard(n, when)) for n, when in enumerate(MOMENTS)),
    rows={
        "null_time": text(heard(1000, HOUR, started_at=None)),
        "null_track": text(heard(1001, HOUR, track=None, title=None)),
        "null_key": text(heard(1002, HOUR, play_id=None)),
        "null_listener": text(heard(1003, HOUR, listener=" ")),
        "nan": with_nan(heard(1004, HOUR), "ms_played"),
        "oversized_row": text(heard(1005, HOUR, title=LONG)),
        "known": text(heard(0, MOMENTS[0])),
        "future_time": text(heard(1006, FUTURE)),
        "future_time/known_before_it_happened": text(heard(1007, HOUR, sent_at=at(1, 7).isoformat())),
        "past_time": text(heard(1008, HOUR, started_at="1970-01-01T00:00:00Z")),
        "past_time/overflow": text(heard(1009, HOUR, started_at=HUGE)),
        "negative_duration": text(heard(1010, HOUR, ms_played=-1)),
        "duration_not_negative": text(heard(1011, HOUR, ms_played=HUGE)),
        "wrong_type_ms_played": text(heard(1012, HOUR, ms_played="long")),
        "wrong_type_started_at": text(heard(1013, HOUR, started_at="yesterday")),
        "invalid_utf8": text(heard(1014, HOUR, title="caf?")).replace(b"?", b"\xe9"),
        "broken_json": text(heard(1015, HOUR))[:-1],
        "broken_json/cut_off_in_the_listener": text(heard(1016, HOUR))[:40],
        "broken_json/glued": text(heard(1017, HOUR)) + text(heard(1018, HOUR, listener=BERT)),
        "broken_json/no_object": b"[1, 2]",
        "broken_json/no_json": f"{ANNA} was here".encode(),
        "unknown_time_zone": text(heard(1019, HOUR, time_zone="Europe/Atlantis")),
        "kind_known": text(heard(1020, HOUR, kind="video")),
        "null_listener/misspelt": text(heard(1022, HOUR, listener=None, listner=ANNA)),
        "null_track/named_twice": text(heard(1023, HOUR, listener=BERT, track=None, title=None))[:-1]
        + f', "listener": "{ANNA}"}}'.encode(),
        "wrong_type_track_ms/listeners_in_a_list": text(heard(1021, HOUR, listener=[ANNA, BERT], track_ms="x")),
    },
    file="plays-1.jsonl",
)
EVENTSIM = Bad(
    good=tuple(text(streamed(when, ANNA, n)) for n, when in enumerate(MOMENTS)),
    rows={
        "null_time": text(streamed(HOUR, ANNA, 1, ts=None)),
        "bad_time": text(streamed(HOUR, ANNA, 1, ts=HUGE)),
        "past_time": text(streamed(HOUR, ANNA, 1, ts=0)),
        "future_time": text(streamed(FUTURE, ANNA, 1)),
        "null_track": text(streamed(HOUR, ANNA, 1, song=" ")),
        "null_listener": text(streamed(HOUR, "", 1)),
        "nan": with_nan(streamed(HOUR, ANNA, 1), "length"),
        "oversized_row": text(streamed(HOUR, ANNA, 1, song=LONG)),
        "known": text(streamed(MOMENTS[0], ANNA, 0)),
        "negative_duration": text(streamed(HOUR, ANNA, 1, length=-1.5)),
        "wrong_type_ts": text(streamed(HOUR, ANNA, 1, ts="noon")),
        "wrong_type_itemInSession": text(streamed(HOUR, ANNA, 1, itemInSession="first")),
        "invalid_utf8": text(streamed(HOUR, ANNA, 1, song="caf?")).replace(b"?", b"\xe9"),
        "broken_json": text(page("Home", HOUR, ANNA, 0))[:-9],
        "broken_json/glued": text(streamed(HOUR, ANNA, 1)) + text(streamed(HOUR, BERT, 1)),
    },
    file="log.json",
)
SCROBBLES = [(ANNA, when.isoformat().replace("+00:00", "Z"), "", "Underworld", "", f"Rez {n}") for n, when in enumerate(MOMENTS)]
LASTFM = Bad(
    good=tuple(sheet(row, delimiter="\t").rstrip(b"\n") for row in SCROBBLES),
    rows={
        reason: row.encode("utf-8", "surrogateescape")
        for reason, row in {
            "null_time": f"{ANNA}\t\t\tUnderworld\t\tRez",
            "bad_time": f"{ANNA}\tlast night\t\tUnderworld\t\tRez",
            "bad_time/a_time_without_its_day": f"{ANNA}\t10:00\t\tUnderworld\t\tRez",
            "bad_time/overflow": f"{ANNA}\t{HUGE}\t\tUnderworld\t\tRez",
            "past_time": f"{ANNA}\t0\t\tUnderworld\t\tRez",
            "future_time": f"{ANNA}\t2026-12-01T00:00:00Z\t\tUnderworld\t\tRez",
            "null_track": f"{ANNA}\t2026-11-01T08:00:00Z\t\tUnderworld\t\t ",
            "known": "\t".join(SCROBBLES[0]),
            "oversized_row": f"{ANNA}\t2026-11-01T08:00:00Z\t\tUnderworld\t\t{LONG}",
            "invalid_utf8": f"{ANNA}\t2026-11-01T08:00:00Z\t\tUnderworld\t\tcaf\udce9",
            "wrong_number_of_columns": f"new\t{ANNA}\t2026-11-01T08:00:00Z\t\tUnderworld\t\tRez",
        }.items()
    },
    file="history.tsv",
)
LISTENBRAINZ = Bad(
    good=tuple(text(listen(f"Rez {n}", when, user_name=ANNA)) for n, when in enumerate(MOMENTS)),
    rows={
        "null_time": text(listen("Rez", HOUR, user_name=ANNA, listened_at=None)),
        "bad_time": text(listen("Rez", HOUR, user_name=ANNA, listened_at=1e300)),
        "future_time": text(listen("Rez", FUTURE, user_name=ANNA)),
        "null_track": text(listen("Rez", HOUR, user_name=ANNA, track_metadata=None)),
        "null_listener": text(listen("Rez", HOUR)),
        "nan": with_nan(listen("Rez", HOUR, user_name=ANNA), "listened_at"),
        "known": text(listen("Rez 0", MOMENTS[0], user_name=ANNA)),
        "negative_duration": text(
            listen("", HOUR, user_name=ANNA)
            | {"track_metadata": {"artist_name": "a", "track_name": "b", "additional_info": {"duration_ms": -1}}}
        ),
        "wrong_type_track_metadata": text(listen("Rez", HOUR, user_name=ANNA, track_metadata="Rez")),
        "invalid_utf8": text(listen("caf?", HOUR, user_name=ANNA)).replace(b"?", b"\xe9"),
        "broken_json": text(listen("Rez", HOUR, user_name=ANNA)).replace(b'"listened_at":', b'"listened_at" '),
        "oversized_row": text(listen(LONG, HOUR, user_name=ANNA)),
    },
    file="import.json",
    start=b'{"listen_type": "import", "payload": [',
    between=b",\n",
    end=b"]}",
)
STREAM = {"username": ANNA, "spotify_track_uri": "spotify:track:1", "ip_addr": "192.0.2.77"}
SPOTIFY = Bad(
    good=tuple(text(stream(when, 1_000, **STREAM)) for when in MOMENTS),
    rows={
        "null_time": text(stream(HOUR, 1_001, **STREAM, ts=None)),
        "bad_time": text(stream(HOUR, 1_001, **STREAM, ts="2026-11-01")),
        "null_duration": text(stream(HOUR, 1_001, **STREAM) | {"ms_played": None}),
        "negative_duration": text(stream(HOUR, -5, **STREAM)),
        "duration_not_negative": text(stream(HOUR, HUGE, **STREAM)),
        "null_track": text(stream(HOUR, 1_001, **STREAM | {"spotify_track_uri": None})),
        "nan": with_nan(stream(HOUR, 1_001, **STREAM), "ms_played"),
        "known": text(stream(MOMENTS[0], 1_000, **STREAM)),
        "wrong_type_ms_played": text(stream(HOUR, 1_001, **STREAM) | {"ms_played": "1 s"}),
        "broken_json": text(stream(HOUR, 1_001, **STREAM))[:-1] + b",}",
        "past_time": text(stream(HOUR, 1_001, **STREAM, ts="1970-01-01T00:00:00Z")),
    },
    file="endsong_0.json",
    start=b"[",
    between=b",",
    end=b"]",
)
CASES = {"native": NATIVE, "eventsim": EVENTSIM, "lastfm": LASTFM, "listenbrainz": LISTENBRAINZ, "spotify": SPOTIFY}

WRONG_REASON = {
    "native": "wrong_type_ms_played",
    "eventsim": "wrong_type_ts",
    "lastfm": "past_time",
    "listenbrainz": "nan",
    "spotify": "wrong_type_ms_played",
}
WRONG_VALUE = {
    "native": '"ms_played":"long"',
    "eventsim": '"ts":"noon"',
    "lastfm": '"time":"0"',
    "listenbrainz": r'"listened_at":"\"NaN\""',
    "spotify": '"ms_played":"1 s"',
}


@pytest.mark.parametrize("name", CASES)
def test_each_bad_row_ends_in_quarantine_under_its_reason_and_in_its_place(name: str, lake: SparkLake, tmp_path: Path) -> None:
    case = CASES[name]
    # Compressed with no compression, so that the cut falls into a row and not behind a block of many.
    cut = gzip.compress(case.whole(9), 0, mtime=0)[: 18 + len(case.whole(8))]
    put(tmp_path, {case.file: case.content, case.file.replace("1", "2").replace(".", "-cut.", 1) + ".gz": cut})
    report = ingest(lake, name, [tmp_path], clock=CLOCK)
    plays = next(one for one in report.intakes if one.table == PLAYS.name)

    whole_file = stored(name, case.file, case.content)
    by_place = {(row["file"], row["position"]): row for row in lake.arrow.read(QUARANTINE).to_pylist()}
    expected = {(whole_file, n): reason for n, (_, reason) in enumerate(case.all) if reason not in ("", "known")}
    (cut_file,) = {file for file, _ in by_place} - {whole_file}
    expected[cut_file, 8] = "truncated_file"
    assert {place: row["reason"] for place, row in by_place.items()} == expected
    counts = {reason: list(expected.values()).count(reason) for reason in expected.values()}
    assert plays.reasons == counts
    assert all(row["target"] == PLAYS.name and row["feed"] == name for row in by_place.values())

    # The whole rows of the cut file, and the row that came twice, are known from the other file.
    good = sum(reason == "" for _, reason in case.all)
    assert (plays.total.kept, plays.total.quarantined, plays.total.deduplicated) == (good, len(expected), 1 + 8)
    assert plays.total.rows_in == plays.total.kept + plays.total.quarantined + plays.total.deduplicated == len(case.all) + 9
    assert lake.arrow.count(PLAYS) == good
    kept = {row["file"]: row for row in lake.arrow.read(FILES).to_pylist() if row["target"] == PLAYS.name}
    assert kept[whole_file]["rows_in"] == len(case.all)
    assert kept[cut_file]["rows_in"] == 9

    payloads = {row["reason"]: row["payload"] for row in by_place.values()}
    assert all(0 < len(row["payload"]) <= PAYLOAD for row in by_place.values())
    assert not [
        row for row in by_place.values() if any(raw in row["payload"] for raw in (ANNA, BERT, "4711", "0815", "Raw-", "192.0.2.77"))
    ]
    assert WRONG_VALUE[name] in payloads[WRONG_REASON[name]], "what was wrong is shown"
    assert re.fullmatch(r"[0-9]+ characters, sha256 [0-9a-f]{64}", payloads["truncated_file"])


def feedback(number: int, **values: Any) -> dict[str, Any]:
    return own("feedback", number, HOUR, at=HOUR.isoformat(), action="like", track="t1") | values


def test_too_many_bad_rows_hold_the_batch_back_and_leave_nothing_half_written(
    lake: SparkLake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [feedback(n) for n in range(18)]
    put(tmp_path / "first", {"feedback-1.jsonl": lines(*rows, feedback(18, action=None))})  # 1 of 19 is more than 5 %
    argv = ("native", str(tmp_path / "first"), "--lake", str(lake.address.path))
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "bronze.feedback: held back" in said.err
    assert "rejected_share (observed 5.26%, expected at most 5.00%)" in said.err
    assert "missing_action 1" in said.err
    assert lake.arrow.count(FEEDBACK) == lake.arrow.count(FILES) == 0
    kept = [(row["reason"], row["file"], row["position"]) for row in lake.arrow.read(QUARANTINE).to_pylist()]
    assert kept == [("missing_action", "feedback-1.jsonl", 18)], "what is to be mended is told"
    assert lake.arrow.staged_files(FEEDBACK, ".") == []
    assert [(row["table"], row["rule"]) for row in held_back(lake.arrow)] == [(FEEDBACK.name, "rejected_share")]

    before = feedback(19, at=(HOUR - timedelta(days=1)).isoformat())
    put(tmp_path / "second", {"feedback-1.jsonl": lines(*rows, before, feedback(18, action=None))})  # 1 of 20 is not
    report = ingest(lake, "native", [tmp_path / "second"], clock=CLOCK)
    assert (report.kept, report.intakes[0].reasons) == (19, {"missing_action": 1})
    assert held_back(lake.arrow) == []


def test_a_line_that_cannot_be_read_counts_once_though_two_feeds_share_the_file(lake: SparkLake, tmp_path: Path) -> None:
    good = [streamed(when, ANNA, n) for n, when in enumerate(MOMENTS[:20])]
    broken = b'{"page": "NextSong"\n' + b"\xff\n"
    thumbs = [page("Thumbs Up", HOUR, ANNA, n, artist="a", song="b") for n in range(30)]
    wrong = page("Thumbs Down", HOUR, ANNA, 99, ts="noon")
    put(tmp_path, {"a.json": lines(*good) + broken, "b.json": lines(*thumbs, wrong)})
    assert counted(ingest(lake, "eventsim", [tmp_path], clock=CLOCK)) == {PLAYS.name: (20, 2), FEEDBACK.name: (30, 1)}


def counted(report: Report) -> dict[str, tuple[int, int]]:
    return {one.table: (one.total.kept, one.total.quarantined) for one in report.intakes}


def test_a_feed_that_names_nobody_is_held_back_with_the_way_out(lake: SparkLake, tmp_path: Path) -> None:
    put(tmp_path, {"export.csv": sheet(UTS, (1793606400, "", "Oasis", "", "", "", "Lyla", ""))})
    with pytest.raises(HeldBack, match=r"null_listener 1.*--user NAME"):
        ingest(lake, "lastfm", [tmp_path], clock=CLOCK)


def test_every_source_of_listening_has_its_bad_rows_here() -> None:
    assert {name for name, source in SOURCES.items() if any(feed.listener for feed in source.feeds)} == set(CASES)


def test_an_entry_that_a_cut_run_could_not_write_is_written_by_the_next(lake: SparkLake, tmp_path: Path) -> None:
    """Plays are published before the feedback of the same folder is held back, or before the process dies."""
    put(tmp_path, EXAMPLES["native"].files | {"feedback-9.jsonl": lines(feedback(1, action=None))})
    with pytest.raises(HeldBack):
        ingest(lake, "native", [tmp_path], clock=CLOCK)
    ledger = {row["target"]: row for row in lake.arrow.read(FILES).to_pylist()}
    assert PLAYS.name in ledger
    lake.arrow.overwrite(FILES, lake.arrow.read(FILES).slice(0, 0), None, Note("lost"))
    (tmp_path / "feedback-9.jsonl").unlink()
    ingest(lake, "native", [tmp_path], clock=CLOCK)
    again = {row["target"]: row for row in lake.arrow.read(FILES).to_pylist()}
    told = ("source", "target", "sha256", "file", "run", "rows_in", "kept", "quarantined", "deduplicated")
    assert [again[PLAYS.name][one] for one in told] == [ledger[PLAYS.name][one] for one in told]
    assert lake.arrow.count(PLAYS) == again[PLAYS.name]["kept"]


def test_an_export_that_is_called_after_a_person_is_named_by_its_content(lake: SparkLake, tmp_path: Path) -> None:
    put(tmp_path, {"recent-jane.doe.csv": sheet(UTS, (1793606400, "", "Oasis", "", "", "", "Lyla", ""))})
    ingest(lake, "lastfm", [tmp_path], clock=CLOCK, user="jane.doe")
    for table in (PLAYS, FILES):
        (name,) = set(lake.arrow.read(table).column("file").to_pylist())
        assert re.fullmatch(r"[0-9a-f]{12}\.csv", name)
