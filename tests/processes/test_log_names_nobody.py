"""A whole small day and every way to fail: the log tells all of it, by run, and names no listener."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F
from small_world import Small

from jobs.catalogue import TABLES
from jobs.journal import EVENTS, WITHHELD, log_of, recorded
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema
from jobs.lake.spark import SparkLake
from jobs.run import main as run_job
from targeting.__main__ import main
from targeting.command import demo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.ray, pytest.mark.slow]
CAMPAIGNS = "infra/campaigns-small.yaml"
RAW = "raw-anna-4711"
SMALL = Small()
Line = dict[str, Any]


@dataclass(frozen=True)
class Logged:
    """A lake, the raw ids of its feed, what every run ended with, and what the log says of it."""

    lake: ArrowLake
    raw: frozenset[str]
    ends: list[tuple[str, int]]
    text: str

    @property
    def lines(self) -> list[Line]:
        return [json.loads(line) for line in self.text.splitlines()]

    def events(self, event: str) -> list[Line]:
        return [line for line in self.lines if line["event"] == event]


@pytest.fixture(scope="module")
def logged(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    folder = tmp_path_factory.mktemp("log")
    lake = str(folder / "lake")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "OVERTONE_LAKE", "OVERTONE_KEY_FILE"):
            patch.delenv(name, raising=False)
        feed = SMALL.feed(folder)
        ends = [("overtone demo", ended(lambda: day(lake, feed)))]
        ends += failures(lake, folder)
        address = Address.parse(lake)
        yield Logged(ArrowLake(address), raw_ids(feed) | {RAW}, ends, log_of(address).read_text(encoding="utf-8"))


def day(lake: str, feed: Path) -> None:
    """Run a day up to the approval, as `overtone demo` does, on a feed with clicks enough for a model."""
    setting = demo.Setting("native", feed, "none", demo.Path(CAMPAIGNS), SMALL.clock, trials=1)
    with recorded("overtone demo", lake):
        demo.play(SparkLake(Address.parse(lake)), setting, stop="approve")


def failures(lake: str, folder: Path) -> list[tuple[str, int]]:
    """Fail in every way there is, with listeners in the batch and in the messages; return command and exit code of each."""
    (folder / "bad").mkdir()
    play = {"listener": RAW, "track": "t", "artist": "a", "title": "b", "kind": "track", "sent_at": "2026-10-03T00:00:00Z"}
    (folder / "bad/plays-1.jsonl").write_text("".join(json.dumps(play | {"play_id": f"{RAW}-{n}"}) + "\n" for n in range(9)))
    (folder / "consent.csv").write_text(f"user,consent,age_band,from\n25_34,{RAW},granted,2026-10-01\n")
    shifted = ("ingest", "eventsim", str(folder / "bad"), "--basis", f"file:{folder / 'consent.csv'}")
    runs: list[tuple[str, Callable[[], object]]] = [
        ("overtone ingest", lambda: main(["ingest", "native", str(folder / "bad"), "--lake", lake])),
        ("overtone ingest", lambda: main([*shifted, "--lake", lake])),
        ("overtone model approve", lambda: main(["model", "approve", "1", "--by", "overtone", "--lake", lake])),
    ]
    for spoil in (quoting, overtaken, interrupted):
        job = replace(import_module("jobs.listens").JOB, build=spoil(lake))
        runs.append((__name__, lambda job=job: run_job(job, ["--date", str(SMALL.last), "--lake", lake])))
    return [(command, ended(action)) for command, action in runs]


def quoting(_: str) -> Callable[..., DataFrame]:
    """Return a job whose error message, Spark's own, quotes a listener's pseudonym."""

    def build(plays: DataFrame, tracks: DataFrame, *_: DataFrame, dates: tuple[date, ...]) -> DataFrame:
        return plays.withColumn("local_hour", F.col("listener_id").cast("int")).selectExpr("local_hour", *filler())

    return build


def overtaken(lake: str) -> Callable[..., DataFrame]:
    """Return a job that another run overtakes."""

    def build(plays: DataFrame, *_: DataFrame, dates: tuple[date, ...]) -> DataFrame:
        table, arrow = TABLES["silver.listens"], ArrowLake(Address.parse(lake))
        arrow.append(table, pa.Table.from_pylist([], arrow_schema(table)), Note("another"))
        return plays.sparkSession.read.format("delta").load(SparkLake(arrow.address)._uri(table)).where(F.col("date").isin(*dates))  # noqa: SLF001

    return build


def interrupted(_: str) -> Callable[..., DataFrame]:
    def build(*_: DataFrame, dates: tuple[date, ...]) -> DataFrame:
        raise KeyboardInterrupt

    return build


def filler() -> list[str]:
    """Return an expression for every other column of silver.listens."""
    return [f"CAST(NULL AS {column.dtype}) AS {column.name}" for column in TABLES["silver.listens"].columns if column.name != "local_hour"]


def ended(action: Callable[[], object]) -> int:
    """Return what a process that does this would end with."""
    try:
        action()
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt:
        return 130
    except PySparkException as error:
        return 1 if re.search("[0-9a-f]{32}", str(error)) else 99  # one that quotes no listener would prove nothing
    return 0


def raw_ids(feed: Path) -> frozenset[str]:
    """Return every id that the feed gave a listener, read without any code of the product."""
    found: set[str] = set()
    for path in feed.iterdir():
        if path.name.endswith(".jsonl.gz"):
            try:
                found |= set(re.findall(r'"listener": ?"([^"]+)"', gzip.decompress(path.read_bytes()).decode(errors="replace")))
            except EOFError:
                continue  # a damaged file; its listeners stand in others
    return frozenset(found)


def test_every_line_is_one_object_with_its_time_event_run_and_command(logged: Logged) -> None:
    for line in logged.lines:
        assert {"time", "level", "event", "run", "command"} <= set(line)
        assert datetime.fromisoformat(line["time"]).utcoffset() == datetime.now(UTC).utcoffset()
        assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{6}", line["run"])
        assert set(line) - {"time", "level", "event", "run", "command"} <= set(EVENTS[line["event"]])
    assert WITHHELD not in logged.text, "no event says anything that its declaration does not let through"


def test_every_run_stands_in_it_with_its_start_and_its_end(logged: Logged) -> None:
    runs = list(dict.fromkeys(line["run"] for line in logged.lines))
    told = [[line for line in logged.lines if line["run"] == run] for run in runs]
    assert [(lines[0]["command"], lines[-1]["exit_code"]) for lines in told] == logged.ends
    assert {code for _, code in logged.ends} == {0, 1, 2, 3, 4, 130}
    assert all((lines[0]["event"], lines[-1]["event"]) == ("started", "ended") for lines in told)
    assert [lines[-1]["state"] for lines in told] == ["done", "failed", "failed", "failed", "crashed", "failed", "interrupted"]


def test_no_listener_stands_in_it(logged: Logged) -> None:
    """Neither a raw id, nor a pseudonym, nor any key of a single act."""
    known = set(logged.raw)
    for table in TABLES.values():
        names = [column.name for column in table.columns if column.identifies]
        known |= {str(value) for name in names for value in logged.lake.read(table, columns=[name]).column(name).to_pylist()}
    assert len(logged.raw) > SMALL.listeners * 0.9
    assert len(known) > 1_000
    assert [one for one in known if one in logged.text] == []
    assert not re.search("[0-9a-f]{32}", logged.text.replace(logged.events("trained")[0]["mlflow_run"], ""))


def test_what_was_published_is_what_the_commits_say(logged: Logged) -> None:
    """A commit leads to its run by the batch, and the log misses none."""
    told = {(line["table"], line["version"]): line["batch"] for line in logged.events("published")}
    commits = {
        (table.name, one.version): one.note.run for table in TABLES.values() for one in logged.lake.history(table) if one.note.published
    }
    assert len(told) > 15
    assert told == commits


def test_each_way_to_fail_is_told_by_its_kind_and_only_ours_by_their_sentence(logged: Logged) -> None:
    errors = logged.events("error")
    assert [line["kind"] for line in errors[:3]] == ["HeldBack", "WrongUse", "Refused"]
    assert "bronze.plays: held back" in errors[0]["sentence"]
    assert "sentence" not in errors[1]
    assert re.fullmatch(r"jobs/sources/consent\.py:\d+ _statement", errors[1]["frames"][-1])
    assert errors[2]["sentence"].startswith("version 1 of 'response' was trained by whoever would approve it")
    crash, conflict = errors[3:]
    assert "sentence" not in crash
    assert any(re.fullmatch(r"jobs/run\.py:\d+ run", frame) for frame in crash["frames"])
    assert conflict["kind"] == "Conflict"
    (held,) = logged.events("held_back")
    assert (held["table"], held["rules"], held["rows"]) == ("bronze.plays", "rows, rejected_share", 0)
    assert sum(held["refused"].values()) == 9


def test_stages_intake_training_and_approval_are_told(logged: Logged) -> None:
    stages = [line["name"] for line in logged.events("stage_ended")]
    assert stages == [line["name"] for line in logged.events("stage_started")]
    assert {"ingest", "listens", "train", "approve"} <= set(stages)
    (trained,), (approved,) = (logged.events(event) for event in ("trained", "approved"))
    assert (trained["name"], trained["model_version"], trained["gate"]) == ("response", "1", "passed")
    assert (approved["name"], approved["model_version"]) == ("response", "1")
    kept = {line["table"]: line["kept"] for line in logged.events("taken_in") if line["table"] != "bronze.tracks"}
    assert kept == {name: logged.lake.count(TABLES[name]) for name in kept}
