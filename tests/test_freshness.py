"""`overtone freshness`: what is owed at a moment, what is late and why, and that somebody is told once, by file or webhook."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_lake import one, put

from jobs.catalogue import TABLES
from jobs.contracts.derived import USER_FEATURES
from jobs.contracts.events import PLAYS
from jobs.contracts.operations import VERDICTS
from jobs.contracts.silver import LISTENS
from jobs.journal import log_of
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema
from targeting.__main__ import main
from targeting.command import notice
from targeting.command.freshness import HELD, LATE, NEVER, NONE, due, held_back, judge, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from validation.contract import Table

D = date(2026, 11, 9)
DAY = timedelta(days=1)
PROMISED = [table for table in TABLES.values() if table.fresh_hours is not None]
Answer = tuple[int, str, str]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERTONE_LAKE", raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(notice, "WAITS", (0.01, 0.02))


@pytest.fixture
def lake(tmp_path: Path) -> ArrowLake:
    return ArrowLake(Address.parse(str(tmp_path / "lake")))


@pytest.fixture
def call(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def called(*argv: str, at: datetime) -> Answer:
        code = 0
        try:
            main(["freshness", "--at", at.isoformat(), *argv, "--lake", lake.address.uri])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return called


def publish(lake: ArrowLake, *days: date, tables: list[Table] | None = None) -> None:
    """Publish dates of every table that promises something, as a job does: by a commit that names them."""
    for table in PROMISED if tables is None else tables:
        frame = pa.Table.from_pylist([one(table, date=day) for day in days], arrow_schema(table))
        lake.overwrite(table, frame, days, Note("run", {day.isoformat(): "mark" for day in days}))


def hold_back(lake: ArrowLake, table: Table, dates: str, rule: str, *files: str, hour: int = 1, success: bool = False) -> None:
    told = {"dates": dates, "files": files or None, "rule": rule, "success": success}
    row = one(VERDICTS, target=table.name, run=f"{dates}-{hour}", audited_at=at(D, hour), **told)
    lake.append(VERDICTS, pa.Table.from_pylist([row], arrow_schema(VERDICTS)), Note("x"))


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def by_table(lake: ArrowLake, now: datetime) -> dict[str, Any]:
    return {found.table: found for found in judge(lake, now)}


def test_what_is_promised_runs_left_to_right() -> None:
    """Nothing is due before what it is made of; what operates the platform, and what has no dates, promises nothing."""
    hours = {table.name.split(".")[0]: [] for table in PROMISED}
    for table in PROMISED:
        hours[table.name.split(".")[0]].append(table.fresh_hours)
    assert list(hours) == ["bronze", "silver", "features", "segments", "examples", "targeting"]
    assert max(hours["bronze"]) < min(hours["silver"])
    assert max(hours["silver"]) < min(hours["features"])
    assert max(hours["features"] + hours["segments"]) < min(hours["targeting"])
    assert all(table.dated for table in PROMISED)


@given(st.integers(0, 400 * 24 * 60), st.integers(1, 100))
def test_the_date_expected_is_the_newest_whose_hours_are_over(minutes: int, hours: int) -> None:
    now = at(date(2026, 1, 1), 0) + timedelta(minutes=minutes)
    ends = {day: at(day, 0) + timedelta(hours=24 + hours) for day in (date(2027, 2, 9) - n * DAY for n in range(420))}
    found = judged(replace(LISTENS, fresh_hours=hours), {}, [], now)
    assert found.expected == max(day for day, end in ends.items() if end <= now)
    assert due(found.expected, hours) == ends[found.expected]


def test_a_table_turns_late_at_its_hour_and_not_before(lake: ArrowLake, call: Callable[..., Answer]) -> None:
    publish(lake, D - DAY)
    publish(lake, D, tables=[table for table in PROMISED if table != USER_FEATURES])
    just_before, then = at(D + DAY, 5, 59), at(D + DAY, 6)
    assert call(at=just_before)[0] == 0
    code, out, err = call(at=then)
    assert (code, err) == (1, "")
    late = [line for line in out.splitlines() if "late" in line.split()]
    assert [line.split()[0] for line in late if line.startswith("features")] == ["features.user_features"]
    found = by_table(lake, then + timedelta(hours=4, minutes=30))["features.user_features"]
    assert (found.expected, found.published, found.missing, found.late_hours, found.state) == (D, D - DAY, D, 4.5, LATE)
    assert by_table(lake, then + 2 * DAY)["features.user_features"].late_hours == 48, "since the first date owed, not the newest"


def test_when_a_date_was_published_is_its_commits_time(lake: ArrowLake) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    publish(lake, D)
    found = by_table(lake, at(D + DAY, 6))["silver.listens"]
    assert before < found.at < datetime.now(UTC) + timedelta(seconds=1)


def test_a_date_that_is_published_empty_is_published(lake: ArrowLake) -> None:
    """No partition shows it: the commit's own word does."""
    table = TABLES["segments.user_segments"]
    lake.create(table)
    lake.overwrite(table, pa.Table.from_pylist([], arrow_schema(table)), [D], Note("run", {D.isoformat(): "mark"}))
    assert lake.files(table) == {}
    assert by_table(lake, at(D + DAY, 7))[table.name].published == D


def test_what_an_intake_brought_is_known_by_its_partitions(lake: ArrowLake) -> None:
    """Its commits name files, not dates."""
    row = one(PLAYS, date=D)
    lake.append(PLAYS, pa.Table.from_pylist([row], arrow_schema(PLAYS)), Note("run", {"file:ab": "[]"}))
    found = by_table(lake, at(D + DAY, 3))["bronze.plays"]
    assert (found.published, found.late) == (D, False)
    assert found.at == lake.history(PLAYS)[0].at


def test_never_published_is_told_from_late_and_from_what_need_not_be(lake: ArrowLake, call: Callable[..., Answer]) -> None:
    code, out, _ = call("--json", at=at(D, 12))
    states = {row["table"]: row["state"] for row in json.loads(out)["tables"]}
    assert code == 1
    assert {name for name, state in states.items() if state == NEVER} == {table.name for table in PROMISED if not table.may_be_empty}
    assert set(states.values()) == {NEVER, NONE}
    assert "is empty: take a feed in" in call(at=at(D, 12))[1]
    assert not lake.address.path.exists()  # type: ignore[union-attr]


def test_what_was_held_back_is_told_with_its_rule(lake: ArrowLake) -> None:
    publish(lake, D - DAY)
    hold_back(lake, LISTENS, str(D), "hour_of_day")
    hold_back(lake, LISTENS, str(D), "rows")
    found = by_table(lake, at(D + DAY, 8))["silver.listens"]
    assert (found.state, found.missing, found.why) == (HELD, D, "2026-11-09 was held back: hour_of_day, rows")


def test_a_date_held_back_stays_late_after_a_later_one_was_published(lake: ArrowLake) -> None:
    publish(lake, D - 2 * DAY)
    hold_back(lake, LISTENS, f"{D - DAY}..{D - DAY}", "hour_of_day")
    publish(lake, D)
    found = by_table(lake, at(D + DAY, 8))
    assert (found["silver.listens"].state, found["silver.listens"].missing, found["silver.listens"].published) == (HELD, D - DAY, D)
    assert not found["silver.sessions"].late
    publish(lake, D - DAY, tables=[LISTENS])
    assert not by_table(lake, at(D + DAY, 8))["silver.listens"].late


def test_a_table_whose_first_batch_was_held_back_is_held_back_not_merely_never_published(lake: ArrowLake) -> None:
    table = TABLES["bronze.ad_events"]
    hold_back(lake, table, f"{D - DAY}..{D}", "rejected_share")
    found = by_table(lake, at(D + DAY, 8))[table.name]
    assert (found.state, found.missing) == (HELD, D - DAY)


def test_a_batch_without_a_good_row_is_told_as_long_as_nothing_was_published_since(lake: ArrowLake) -> None:
    """It has no dates that its verdict could name."""
    publish(lake, D - DAY)
    row = one(
        VERDICTS, target=PLAYS.name, run="all-bad", dates="all", rule="rejected_share", audited_at=datetime.now(UTC) + timedelta(hours=1)
    )
    lake.append(VERDICTS, pa.Table.from_pylist([row], arrow_schema(VERDICTS)), Note("x"))
    found = by_table(lake, at(D + DAY, 8))["bronze.plays"]
    assert (found.state, found.why) == (HELD, "a batch was held back: rejected_share")
    hold_back(lake, LISTENS, "all", "rejected_share")  # audited long before what was published since
    assert by_table(lake, at(D + DAY, 8))["silver.listens"].state == LATE


def test_a_batch_that_was_mended_by_a_later_one_is_held_back_no_more(lake: ArrowLake) -> None:
    publish(lake, D - DAY)
    hold_back(lake, LISTENS, str(D), "hour_of_day", hour=1)
    hold_back(lake, LISTENS, str(D), "hour_of_day", hour=2, success=True)
    assert by_table(lake, at(D + DAY, 8))["silver.listens"].state == LATE


def test_an_intake_is_mended_by_its_own_files_whatever_dates_they_turn_out_to_have(lake: ArrowLake) -> None:
    hold_back(lake, PLAYS, str(D), "rejected_share", "a.jsonl", "b.jsonl", hour=1)
    hold_back(lake, PLAYS, str(D), "rejected_share", "c.jsonl", hour=2, success=True)
    hold_back(lake, LISTENS, f"{D - DAY}..{D}", "rejected_share", "a.jsonl", hour=2, success=True)
    hold_back(lake, PLAYS, f"{D - DAY}..{D}", "rejected_share", "a.jsonl", hour=3, success=True)
    (found,) = held_back(lake)
    assert (found["table"], found["dates"]) == (PLAYS.name, str(D)), "files of the same date, and one of two, mend nothing"
    hold_back(lake, PLAYS, f"{D - 2 * DAY}..{D - DAY}", "rejected_share", "b.jsonl", "d.jsonl", hour=4, success=True)
    assert held_back(lake) == []


def test_a_job_is_mended_by_batches_of_all_its_dates(lake: ArrowLake) -> None:
    hold_back(lake, LISTENS, f"{D - DAY}..{D}", "rows", hour=1)
    hold_back(lake, LISTENS, f"{D - 3 * DAY}..{D - DAY}", "rows", hour=2, success=True)
    assert len(held_back(lake)) == 1
    hold_back(lake, LISTENS, f"{D}..{D + DAY}", "rows", hour=3, success=True)
    assert held_back(lake) == []


def test_a_date_published_before_its_new_version_was_held_back_is_fresh(lake: ArrowLake) -> None:
    publish(lake, D)
    hold_back(lake, LISTENS, str(D), "hour_of_day")
    assert not by_table(lake, at(D + DAY, 8))["silver.listens"].late


@pytest.mark.parametrize("word", ["yesterday", "2026-13-01", ""])
def test_a_moment_is_a_moment(word: str, lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["freshness", "--at", word])
    assert end.value.code == 2
    assert f"{word!r} is no moment of the form 2026-11-10T06:00" in capsys.readouterr().err


def test_a_moment_elsewhere_is_the_same_moment(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    publish(lake, D)
    said = []
    for moment in ("2026-11-11T06:00", "2026-11-11T06:00+00:00", "2026-11-10T17:00-13:00", "2026-11-11T19:00+13:00"):
        with pytest.raises(SystemExit):
            main(["freshness", "--at", moment, "--lake", lake.address.uri])
        said.append(capsys.readouterr().out)
    assert len(set(said)) == 1


class Hook:
    """A webhook: it keeps what it was sent and answers as told, 204 when out of instructions."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.answers: deque[int] = deque()
        self.slow = 0.0
        self.port = 0

    def url(self, path: str = "/hook", login: str = "") -> str:
        return f"http://{login}127.0.0.1:{self.port}{path}"


@contextmanager
def served() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.got.append((self.path, dict(self.headers), json.loads(body)))
            threading.Event().wait(hook.slow)
            code = hook.answers.popleft() if hook.answers else 204
            self.send_response(code)
            if code in (302, 307):
                self.send_header("Location", hook.url("/elsewhere"))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with served() as found:
        yield found


LATER, FIRST = at(D + DAY, 12), at(D, 12)


def test_a_miss_and_its_recovery_are_told_once_each_in_a_file(lake: ArrowLake, call: Callable[..., Answer], tmp_path: Path) -> None:
    publish(lake, D - DAY)
    file = tmp_path / "late.jsonl"
    assert call("--notice", str(file), at=FIRST)[0] == 0
    assert not file.exists(), "nothing to tell, nothing told"
    for _ in range(3):
        assert call("--notice", str(file), at=LATER)[0] == 1
    (told,) = [json.loads(line) for line in file.read_text().splitlines()]
    names = {table.name for table in PROMISED if table.name != "examples.response"}
    assert {row["table"] for row in told["late"]} == names
    assert (told["recovered"], told["lake"], told["at"]) == ([], lake.address.uri, LATER.isoformat())
    assert "silver.listens is late: 2026-11-09 is missing" in told["text"]
    publish(lake, D)
    for _ in range(2):
        assert call("--notice", str(file), at=LATER)[0] == 0
    _, back = [json.loads(line) for line in file.read_text().splitlines()]
    assert (back["late"], set(back["recovered"])) == ([], names)


def test_a_miss_that_lasts_is_told_once_and_the_next_one_anew(lake: ArrowLake, call: Callable[..., Answer], tmp_path: Path) -> None:
    publish(lake, D - DAY)
    file = tmp_path / "late.jsonl"
    call("--notice", str(file), at=LATER)
    call("--notice", str(file), at=LATER + DAY)
    assert len(file.read_text().splitlines()) == 1, "what lasts is one miss, however many dates it comes to"
    publish(lake, D)
    call("--notice", str(file), at=LATER + DAY)
    second = json.loads(file.read_text().splitlines()[1])
    assert {row["missing"] for row in second["late"]} == {str(D + DAY)}


def test_each_one_who_wants_to_know_is_told(lake: ArrowLake, call: Callable[..., Answer], tmp_path: Path, hook: Hook) -> None:
    publish(lake, D - DAY)
    targets = [str(tmp_path / "a"), str(tmp_path / "b"), hook.url()]
    for target in targets * 2:
        call("--notice", target, at=LATER)
    assert [len((tmp_path / name).read_text().splitlines()) for name in "ab"] == [1, 1]
    assert len(hook.got) == 1


def test_a_webhook_gets_json_by_post_and_its_own_login(lake: ArrowLake, call: Callable[..., Answer], hook: Hook) -> None:
    publish(lake, D - DAY)
    code, out, err = call("--notice", hook.url("/services/T0?token=abc", login="me:pass%20word@"), at=LATER)
    ((path, headers, body),) = hook.got
    assert (code, err, path) == (1, "", "/services/T0?token=abc")
    assert (headers["Content-Type"], headers["Authorization"]) == ("application/json", "Basic bWU6cGFzcyB3b3Jk")
    assert body["late"]
    assert f"told http://127.0.0.1:{hook.port}/...: " in out


def test_a_webhook_that_fails_for_a_while_is_asked_again_at_once(lake: ArrowLake, call: Callable[..., Answer], hook: Hook) -> None:
    publish(lake, D - DAY)
    hook.answers += [503, 500]
    assert "told http" in call("--notice", hook.url(), at=LATER)[1]
    assert len(hook.got) == 3


@pytest.mark.parametrize(("answers", "tries", "why"), [([503] * 9, 3, "503"), ([404], 1, "404"), ([302], 1, "302"), ([307], 1, "307")])
def test_what_could_not_be_delivered_is_said_and_told_by_the_next_call(
    answers: list[int], tries: int, why: str, lake: ArrowLake, call: Callable[..., Answer], hook: Hook
) -> None:
    publish(lake, D - DAY)
    hook.answers += answers
    code, out, _ = call("--notice", hook.url(), at=LATER)
    assert (code, len(hook.got), {path for path, *_ in hook.got}) == (1, tries, {"/hook"})
    assert f"could not be delivered to http://127.0.0.1:{hook.port}/...: it answered {why}; the next call tries again" in out
    assert "silver.listens" in out, "what is late is said all the same"
    hook.answers.clear()
    assert "told http" in call("--notice", hook.url(), at=LATER)[1]
    assert len(hook.got) == tries + 1


def test_a_recovery_that_could_not_be_told_ends_with_1_although_all_is_fresh(
    lake: ArrowLake, call: Callable[..., Answer], hook: Hook
) -> None:
    publish(lake, D - DAY)
    call("--notice", hook.url(), at=LATER)
    publish(lake, D)
    hook.answers.append(404)
    assert call("--notice", hook.url(), at=LATER)[0] == 1
    assert call("--notice", hook.url(), at=LATER)[0] == 0
    assert hook.got[-1][2]["recovered"]


def test_a_webhook_that_is_not_there_or_does_not_answer(
    lake: ArrowLake, call: Callable[..., Answer], hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(lake, D - DAY)
    with served() as gone:
        nobody = gone.url("/T0/secret")
    code, out, err = call("--notice", nobody, at=LATER)
    assert (code, err) == (1, "")
    assert "Connection refused" in out
    monkeypatch.setattr(notice, "SECONDS", 0.05)
    hook.slow = 0.3
    assert "it gave no answer in time" in call("--notice", hook.url(), at=LATER)[1]


def test_who_answers_a_byte_at_a_time_holds_nobody_up(
    lake: ArrowLake, call: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(lake, D - DAY)
    monkeypatch.setattr(notice, "SECONDS", 0.2)
    monkeypatch.setattr(notice, "WAITS", ())
    dripping, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def drip() -> None:
        talking, _ = dripping.accept()
        with talking, suppress(OSError):
            while not ended.wait(0.05):
                talking.sendall(b"H")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        code, out, _ = call("--notice", f"http://127.0.0.1:{dripping.getsockname()[1]}/", at=LATER)
    finally:
        ended.set()
        thread.join()
        dripping.close()
    assert (code, "it gave no answer in time" in out) == (1, True)


def test_no_secret_of_an_address_is_printed_or_kept(lake: ArrowLake, call: Callable[..., Answer], hook: Hook, tmp_path: Path) -> None:
    publish(lake, D - DAY)
    login = "usr-secret:pw-secret@"
    said = ""
    for answers in ([404], []):
        hook.answers += answers
        for form in ((), ("--json",)):
            said += "".join(map(str, call("--notice", hook.url("/path-secret?query-secret", login), *form, at=LATER)))
    kept = "".join(path.read_text() for path in log_of(lake.address).parent.iterdir())
    assert "late" in kept
    assert len(hook.got) == 2
    for secret in ("usr-secret", "pw-secret", "path-secret", "query-secret"):
        assert secret not in said
        assert secret not in kept


@pytest.mark.parametrize(
    "target",
    ["ftp://host/x", "file:///etc/passwd", "http://", "https:///x", "http://h:port-secret/x", "http://h/secret x", "http://h/é-secret"],
)
def test_what_is_neither_file_nor_http_address_is_wrong_use(target: str, lake: ArrowLake, call: Callable[..., Answer]) -> None:
    publish(lake, D - DAY)
    code, out, err = call("--notice", target, at=LATER)
    assert (code, out) == (2, "")
    assert "http(s)://HOST/PATH" in err
    assert "secret" not in err


def test_a_file_that_cannot_be_written_is_said_and_tried_again(lake: ArrowLake, call: Callable[..., Answer], tmp_path: Path) -> None:
    publish(lake, D - DAY)
    file = tmp_path / "none/late.jsonl"
    code, out, _ = call("--notice", str(file), at=LATER)
    assert code == 1
    assert "could not be written" in out
    file.parent.mkdir()
    call("--notice", str(file), at=LATER)
    assert len(file.read_text().splitlines()) == 1


def test_callers_at_once_tell_it_once(lake: ArrowLake, hook: Hook) -> None:
    hook.slow = 0.05
    late = {"silver.listens": {"table": "silver.listens", "missing": str(D), "published": str(D - DAY), "late_hours": 1.0, "why": "x"}}
    callers = [threading.Thread(target=notice.tell_once, args=(lake.address, LATER, late, hook.url())) for _ in range(5)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(hook.got) == 1


def test_what_was_told_is_kept_in_the_log(lake: ArrowLake, call: Callable[..., Answer], tmp_path: Path) -> None:
    publish(lake, D - DAY)
    for _ in range(2):
        call("--notice", str(tmp_path / "late"), at=LATER)
    publish(lake, D)
    call("--notice", str(tmp_path / "late"), at=LATER)
    told = [json.loads(line) for line in log_of(lake.address).read_text().splitlines()]
    listens = [(line["event"], line.get("dates"), line.get("rules")) for line in told if line.get("table") == "silver.listens"]
    assert listens == [("late", "2026-11-09", "2026-11-09 is missing"), ("recovered", None, None)]
    assert len({line["run"] for line in told}) == 2


def test_status_shows_what_is_late_now(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    put(lake, LISTENS, [one(LISTENS, date=date(2020, 1, 1))], date(2020, 1, 1))
    main(["status", "--json", "--lake", lake.address.uri])
    late = {row["table"]: row for row in json.loads(capsys.readouterr().out)["late"]}
    assert (late["silver.listens"]["state"], late["silver.listens"]["missing"]) == (LATE, "2020-01-02")
    assert late["bronze.plays"]["state"] == NEVER
