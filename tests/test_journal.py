"""The log: what an event may say, who writes where, and that no run fails for want of it."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from small_lake import filled

from jobs import lines
from jobs.journal import EVENTS, FIELDS, LOGGER, WITHHELD, fit, log_of, plain, recorded, tell
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from targeting.__main__ import main
from validation.verdict import Conflict, HeldBack, OvertoneError, Refused, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterator

PSEUDONYM = "0f" * 16
ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERTONE_LAKE", raising=False)


@pytest.fixture
def lake(tmp_path: Path) -> str:
    (tmp_path / "lake").mkdir()
    return str(tmp_path / "lake")


def logged(lake: str) -> list[dict[str, Any]]:
    path = log_of(Address.parse(lake))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_a_run_is_told_from_start_to_end_under_one_id(lake: str) -> None:
    with recorded("overtone day", lake):
        tell("stage_started", name="listens")
    told = logged(lake)
    assert [line["event"] for line in told] == ["started", "stage_started", "ended"]
    assert len({line["run"] for line in told}) == 1
    assert {line["command"] for line in told} == {"overtone day"}
    assert (told[0]["pid"], told[-1]["exit_code"], told[-1]["state"]) == (os.getpid(), 0, "done")


def test_two_runs_have_two_ids_and_one_file(lake: str) -> None:
    for _ in range(2):
        with recorded("overtone day", lake):
            pass
    assert sorted(Counter(line["run"] for line in logged(lake)).values()) == [2, 2]


@pytest.mark.parametrize("kind", [OvertoneError, HeldBack, Refused, Conflict])
def test_an_error_of_ours_is_told_by_its_sentence_and_exit_code(kind: type[OvertoneError], lake: str) -> None:
    with pytest.raises(kind), recorded("overtone day", lake):
        raise kind("silver.listens: what and where\nand more")
    error, end = logged(lake)[1:]
    assert (error["kind"], error["sentence"], error["level"]) == (kind.__name__, "silver.listens: what and where", "error")
    assert (end["state"], end["exit_code"]) == ("failed", kind.exit_code)


def test_wrong_use_is_told_by_its_kind_and_place_alone(lake: str) -> None:
    with pytest.raises(WrongUse), recorded("overtone ingest", lake):
        raise WrongUse("consent.csv, line 2: unknown consent 'anna'")
    assert "anna" not in log_of(Address.parse(lake)).read_text()
    error, end = logged(lake)[1:]
    assert (error["kind"], error["level"], end["state"], end["exit_code"]) == ("WrongUse", "error", "failed", 2)
    assert "sentence" not in error
    assert error["frames"][-1].endswith("test_wrong_use_is_told_by_its_kind_and_place_alone")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ("ingest eventsim karenina.csv", "jobs/sources/files.py"),
        ("ingest karenina feed", "jobs/ingest.py"),
        ("ingest eventsim karenina.csv --user karenina", "jobs/sources/files.py"),
        ("ingest eventsim feed --basis file:karenina.csv", "jobs/sources/consent.py"),
        ("ingest eventsim feed --basis karenina", "jobs/sources/consent.py"),
        ("quarantine release eventsim karenina.csv --user karenina", "jobs/sources/files.py"),
        ("demo --source eventsim --input karenina.csv", "targeting/command/demo.py"),
        ("demo --campaigns karenina.yaml", "targeting/campaigns.py"),
        ("day --date 2026-11-09 --only karenina", "targeting/command/day.py"),
        ("day --date 2026-11-09 --author karenina --campaigns karenina.yaml", "targeting/campaigns.py"),
        ("audience build --date 2026-11-09 --campaigns karenina.yaml", "targeting/campaigns.py"),
        ("audience export --date 2026-11-09 --exports karenina-file", "jobs/console.py"),
        ("model approve 1 --by karenina --model karenina", "ray_tune/models/__init__.py"),
        ("model approve karenina --by karenina", "ray_tune/ledger.py"),
        ("model approve 2 --by Ada", "version 2 of 'response' was trained by whoever"),
        ("table restore karenina --version 1", "jobs/catalogue.py"),
    ],
)
def test_no_name_that_was_typed_stands_in_it(
    argv: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    (tmp_path / "karenina-file").write_text("a file")
    filled(ArrowLake(Address.parse("lake")))
    (tmp_path / "lake.key").write_bytes(bytes(32))
    with pytest.raises(SystemExit) as end:
        main([*argv.split(), "--lake", "lake"])
    assert end.value.code == (4 if argv.endswith("Ada") else 2)
    assert "karenina" in capsys.readouterr().err or argv.endswith("Ada"), "the person at the keyboard reads the whole sentence"
    text = (tmp_path / "lake-logs/overtone.jsonl").read_text().replace(str(tmp_path), "")
    assert "karenina" not in text
    assert "Ada" not in text
    (error,) = [line for line in logged("lake") if line["event"] == "error"]
    assert told in (error.get("sentence") or error["frames"][-1])


def test_any_other_error_is_told_by_its_kind_and_place_alone(lake: str) -> None:
    with pytest.raises(ZeroDivisionError), recorded("overtone day", lake):
        raise ZeroDivisionError("anna listened to 4711") from ValueError("anna")
    text = log_of(Address.parse(lake)).read_text()
    assert "anna" not in text
    assert "4711" not in text
    error, end = logged(lake)[1:]
    assert error["kind"] == "ZeroDivisionError"
    assert error["frames"][-1].endswith("test_any_other_error_is_told_by_its_kind_and_place_alone")
    assert (end["state"], end["exit_code"]) == ("crashed", 1)


def test_an_interrupted_run_says_so(lake: str) -> None:
    with pytest.raises(KeyboardInterrupt), recorded("overtone day", lake):
        raise KeyboardInterrupt
    assert (logged(lake)[-1]["state"], logged(lake)[-1]["exit_code"]) == ("interrupted", 130)


@pytest.mark.parametrize(("event", "fields"), [("played", {}), ("published", {"listener_id": "x"}), ("stage_started", {"rows": 1})])
def test_what_is_not_declared_cannot_be_told(event: str, fields: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="is not declared"):
        tell(event, **fields)


def test_no_event_has_a_field_for_a_listener() -> None:
    named = {name for fields in EVENTS.values() for name in fields}
    assert named == set(FIELDS), "every field is declared, and none in vain"
    assert not {name for name in named if "listener" in name or "user" in name or "key" in name}


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "mlflow_run"])
@pytest.mark.parametrize("value", [PSEUDONYM, f"x {PSEUDONYM.upper()} y", {PSEUDONYM: 1}, [PSEUDONYM], True, object(), {"ok": PSEUDONYM}])
def test_no_field_lets_a_pseudonym_through(name: str, value: object) -> None:
    assert PSEUDONYM not in json.dumps(fit(name, value)).lower()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("table", "silver.listens"),
        ("dates", "2026-11-01..2026-11-09"),
        ("dates", "all"),
        ("batch", "0123456789abcdef"),
        ("mlflow_run", PSEUDONYM),
        ("rows", 0),
        ("seconds", 1.5),
        ("refused", {"missing_event_ts": 7}),
        ("frames", ["jobs/run.py:1 run"]),
        ("rules", "rows, null_share of plays_90d"),
        ("sentence", "anything at all"),
        ("version", None),
    ],
)
def test_what_has_its_form_passes(name: str, value: object) -> None:
    assert fit(name, value) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("table", "anna"), ("dates", "2026-11-01, anna"), ("batch", "anna"), ("name", "Anna Karenina"), ("rows", "7"), ("kind", "a b")],
)
def test_what_has_not_is_withheld(name: str, value: object) -> None:
    assert fit(name, value) == WITHHELD


def test_a_reason_that_is_no_rule_is_withheld_and_still_counted() -> None:
    assert fit("refused", {"anna was here": 2, "late": 1}) == {WITHHELD: 2, "late": 1}


def test_passwords_in_addresses_are_withheld() -> None:
    assert plain("cannot reach https://me:secret@host/x") == f"cannot reach https://{WITHHELD}@host/x"
    assert plain("abfss://container@account/lake") == "abfss://container@account/lake"


def test_nothing_is_written_where_no_run_was_opened() -> None:
    code = "from jobs.journal import tell; tell('error', kind='X')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("", "")


def test_importing_it_opens_nothing() -> None:
    code = "import logging, jobs.run, jobs.ingest, targeting.__main__; print(logging.getLogger('overtone').handlers)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout == "[]\n"


def test_a_place_that_cannot_be_written_is_said_once_and_the_run_goes_on(
    tmp_path: Path, lake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lake-logs").write_text("a file where the folder should be")
    with recorded("overtone day", lake):
        for _ in range(3):
            tell("stage_started", name="listens")
    assert (
        capsys.readouterr().err
        == f"overtone: this run leaves no log: {tmp_path}/lake-logs/overtone.jsonl cannot be written (File exists)\n"
    )


def test_wrong_use_of_a_lake_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(WrongUse), recorded("overtone day", str(tmp_path / "typo")):
        raise WrongUse("no plays")
    assert list(tmp_path.iterdir()) == []


def test_any_other_first_run_on_a_lake_is_told_from_its_start(tmp_path: Path) -> None:
    with pytest.raises(HeldBack), recorded("overtone day", str(tmp_path / "new")):
        raise HeldBack("x")
    assert [line["event"] for line in logged(str(tmp_path / "new"))] == ["started", "error", "ended"]


def test_a_wrong_address_is_left_to_the_command() -> None:
    before = [*logging.getLogger(LOGGER).handlers]
    with recorded("overtone day", "ftp://x/y"):
        tell("stage_started", name="listens")
        assert logging.getLogger(LOGGER).handlers == before, "there is no place to log to"


@pytest.mark.parametrize("argv", ["status", "tables", "doctor", "audience list", "model list", "quarantine list", "log", "freshness"])
def test_looking_leaves_no_log(argv: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(SystemExit):
        main([*argv.split(), "--lake", str(tmp_path / "lake")])
    assert capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def storm(path: str, who: int, many: int) -> None:
    for n in range(many):
        lines.rotate(Path(path))
        lines.append(Path(path), json.dumps({"who": who, "n": n, "pad": "x" * 200}).encode() + b"\n")


def test_processes_that_write_and_rotate_at_once_lose_and_break_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, many, writers = tmp_path / "overtone.jsonl", 1_500, 4
    monkeypatch.setattr(lines, "OLDER", 80)
    monkeypatch.setattr(lines, "SIZE", many * writers * 230 // 60)  # some sixty rotations, so that none is dropped
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=storm, args=(str(path), who, many)) for who in range(writers)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    whole = b"".join(lines.numbered(path, n).read_bytes() for n in range(lines.OLDER + 1) if lines.numbered(path, n).exists())
    assert len(list(tmp_path.glob("overtone*.jsonl"))) > 40
    found = [json.loads(line) for line in whole.splitlines()]
    assert Counter(one["who"] for one in found) == dict.fromkeys(range(writers), many)
    assert len({(one["who"], one["n"]) for one in found}) == many * writers


def test_the_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "overtone.jsonl"
    monkeypatch.setattr(lines, "SIZE", 1_000)
    storm(str(path), 0, 200)
    assert len(list(tmp_path.glob("*.jsonl"))) == lines.OLDER + 1
    assert sum(one.stat().st_size for one in tmp_path.glob("*.jsonl")) < (lines.OLDER + 1) * 1_300
    assert [line["n"] for line in lines.read(path)][-1] == 199
    kept = [line["n"] for line in lines.read(path)]
    assert kept == list(range(kept[0], 200)), "oldest first, none missing in between"


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "overtone.jsonl"
    path.write_bytes(b'{"run": "a"}\n{"run": "b", "ti\n[1]\n\xff\n{"run": "c"}\n')
    assert [line["run"] for line in lines.read(path)] == ["a", "c"]


@pytest.fixture
def shown(lake: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    with recorded("overtone day", lake):
        tell("published", table="silver.listens", dates="all", batch="0" * 16, version=3, rows=5, refused={})
    with suppress(HeldBack), recorded("overtone ingest", lake):
        tell("held_back", table="bronze.plays", rules="rows")
        raise HeldBack("bronze.plays: held back")
    handler = lines.Lines(log_of(Address.parse(lake)), {"run": "20990101-000000-abcdef", "command": "overtone demo"})
    handler.emit(logging.LogRecord("overtone", logging.INFO, "", 0, "started", None, None))

    def called(*argv: str) -> Any:
        main(["log", *argv, "--json", "--lake", lake])
        return json.loads(capsys.readouterr().out)

    return called


def test_the_last_runs_are_listed_a_line_each(shown: Any, lake: str) -> None:
    with suppress(WrongUse), recorded("overtone ingest", lake):
        raise WrongUse("there is no file 'karenina.csv'")
    first, second, third, fourth = shown()
    assert (first["command"], first["state"], first["exit_code"], first["published"], first["held_back"]) == (
        "overtone day",
        "done",
        0,
        1,
        0,
    )
    assert (second["state"], second["exit_code"], second["held_back"], second["error"]) == ("failed", 3, 1, "bronze.plays: held back")
    assert (third["run"], third["state"], third["exit_code"]) == ("20990101-000000-abcdef", "running or killed", None)
    assert fourth["error"].startswith("WrongUse at test_journal.py:")
    assert shown("--last", "1") == [fourth]


def test_one_run_is_shown_whole_by_the_first_letters_of_its_id(shown: Any, lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    first = shown()[0]["run"]
    assert [line["event"] for line in shown("--run", first)] == ["started", "published", "ended"]
    assert [line["event"] for line in shown("--run", "2099")] == ["started"]
    main(["log", "--run", first, "--lake", lake])
    assert "table silver.listens, dates all, batch 0000000000000000, version 3, rows 5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [(("--run", "1999"), "there is none in"), (("--run", "20"), "3 runs are called so"), (("--last", "0"), "a whole number from 1")],
)
def test_a_run_that_cannot_be_shown_is_wrong_use(
    argv: tuple[str, ...], words: str, shown: Any, lake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["log", *argv, "--lake", lake])
    assert end.value.code == 2
    assert words in capsys.readouterr().err
