"""A known-truth world made by Spark: files, counts of planted defects, truth tables, and who may read them."""

from __future__ import annotations

import ast
import gzip
import json
import re
import subprocess
import sys
import zlib
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from jobs.world import __main__ as command
from jobs.world import truth
from jobs.world.effects import EFFECTS
from jobs.world.files import MANIFEST, Folder
from jobs.world.make import Made, make
from jobs.world.manifest import BEING_MADE, MADE, is_made
from jobs.world.people import raw_ids
from jobs.world.preset import World
from validation.contract import Table
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parent.parent
WORLD = World(seed=3, listeners=450, days=4, first=date(2026, 10, 23), tracks=600, per_file=250)
TIMES = {"plays": "started_at", "feedback": "at", "ads": "at"}
IDS = {"plays": "play_id", "feedback": "feedback_id", "ads": "ad_event_id"}


class Delivered(NamedTuple):
    """A world that was made: its folder, its lake, and what `make` said."""

    folder: Path
    lake: SparkLake
    made: Made
    said: list[str]

    def files(self, pattern: str) -> list[Path]:
        return sorted(self.folder.glob(pattern))


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    return delivered(WORLD, tmp_path_factory.mktemp("world"))


def delivered(known: World, root: Path) -> Delivered:
    said: list[str] = []
    lake = SparkLake(Address.parse(str(root / "lake")))
    made = make(known, Address.parse(str(root / "feed")), lake, said.append)
    return Delivered(root / "feed", lake, made, said)


def lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def verdict(feed: str, line: str) -> str:
    """Say what is wrong with a line, by plain reading; '' for nothing."""
    try:
        row = json.loads(line, parse_constant=lambda word: "NaN" if word == "NaN" else None)
    except json.JSONDecodeError:
        return "broken_json"
    if row[TIMES[feed]] is None:
        return "null_time"
    if row[TIMES[feed]] > row["sent_at"]:
        return "future"
    if feed != "ads" and row["track"] is None and row["title"] is None:
        return "null_track"
    heard = row.get("ms_played", 0)
    return "nan" if heard == "NaN" else "wrong_type" if not isinstance(heard, int) else "negative_duration" if heard < 0 else ""


def is_late(row: dict[str, str | int], feed: str) -> bool:
    from datetime import datetime  # noqa: PLC0415

    sent, at = (datetime.fromisoformat(str(row[name])) for name in ("sent_at", TIMES[feed]))
    return (sent - at).total_seconds() - int(row.get("ms_played", 0)) / 1000 >= 86_400


@pytest.mark.parametrize("feed", list(TIMES))
def test_the_planted_defects_are_exactly_those_in_the_files(world: Delivered, feed: str) -> None:
    found: Counter[tuple[str, str]] = Counter()
    seen: set[str] = set()
    for path in world.files(f"{feed}-*-00?.jsonl.gz"):
        day = path.name[len(feed) + 1 : len(feed) + 11]
        for line in lines(path):
            kind = verdict(feed, line)
            if not kind:
                row = json.loads(line)
                kind = "duplicate" if row[IDS[feed]] in seen else "late" if is_late(row, feed) else ""
                seen.add(row[IDS[feed]])
            if kind:
                found[day, kind] += 1
    planted = world.lake.arrow.read(truth.DEFECTS).to_pylist()
    assert dict(found) == {(str(row["date"]), row["kind"]): row["rows"] for row in planted if row["feed"] == feed}
    assert {"late", "duplicate"} - ({"duplicate"} if feed == "feedback" else set()) <= {kind for _, kind in found}


def test_all_rows_are_counted(world: Delivered) -> None:
    found = Counter(dict.fromkeys(world.made.by_feed, 0))
    paths = [path for path in world.files("*.gz") if "damaged" not in path.name]
    for path in paths:
        found[path.name.split("-")[0]] += len(lines(path))
    assert dict(found) == dict(world.made.by_feed)
    assert world.made.rows == sum(found.values())
    assert world.made.rows > 8_000
    assert world.made.files == len(paths)
    assert any("rows/s" in text for text in world.said)
    assert any("out of their reach" in text for text in world.said)


JSON_FILE = r"(plays|feedback|ads|listeners|weather|mentions)-\d{4}-\d\d-\d\d-(damaged-)?\d+\.jsonl\.gz"


def test_file_names_say_feed_and_day_of_arrival(world: Delivered) -> None:
    for path in world.files("*.gz"):
        assert re.fullmatch(JSON_FILE + r"|tracks-[\d-]{14}\.csv\.gz", path.name), path.name
    rows = [json.loads(line) for line in lines(world.folder / "plays-2026-10-24-001.jsonl.gz") if not verdict("plays", line)]
    # What comes again comes a day later at most.
    assert {row["sent_at"][:10] for row in rows} == {"2026-10-24", "2026-10-23"}


def test_a_shard_writes_the_very_files_of_the_whole_world(world: Delivered, tmp_path: Path) -> None:
    shard = delivered(replace(WORLD, shard=(250, 450)), tmp_path)
    names = {path.name for path in shard.files("*-001.jsonl.gz")}
    assert len(names) > 10
    assert names == {path.name for path in world.files("*-001.jsonl.gz")}
    for path in (*shard.files("*-001.jsonl.gz"), *shard.files("tracks-*"), *shard.files("weather-*")):
        assert path.read_bytes() == (world.folder / path.name).read_bytes(), path.name
    assert not shard.files("plays-*-000.jsonl.gz")
    assert not shard.files("*damaged*")


def test_two_files_cannot_be_read_whole_and_it_is_known_how(world: Delivered) -> None:
    planted = {row["kind"]: row["rows"] for row in world.lake.arrow.read(truth.DEFECTS).to_pylist() if row["feed"] == "damaged"}
    assert planted == {"duplicate": 6, "oversized": 1, "invalid_utf8": 1, "truncated": 1}
    known = {line for path in world.files("plays-*-000.jsonl.gz") for line in lines(path)}
    raw = gzip.decompress((world.folder / f"plays-{WORLD.last}-damaged-0.jsonl.gz").read_bytes()).split(b"\n")[:-1]
    assert {line.decode() for line in raw[:3]} <= known
    assert len(raw[3]) > 3 * 1024 * 1024
    with pytest.raises(UnicodeDecodeError):
        raw[4].decode()
    cut = (world.folder / f"plays-{WORLD.last}-damaged-1.jsonl.gz").read_bytes()
    with pytest.raises(EOFError):
        gzip.decompress(cut)
    rest = zlib.decompressobj(31).decompress(cut).split(b"\n")
    assert len(rest) == 4
    assert {line.decode() for line in rest[:3]} <= known


def test_truth_tables_hold_every_listener_and_opportunity(world: Delivered) -> None:
    arrow = world.lake.arrow
    people = arrow.read(truth.LISTENERS).to_pylist()
    assert sorted(row["listener"] for row in people) == list(range(WORLD.listeners))
    told = {json.loads(line)["impression"] for path in world.files("ads-*") for line in lines(path) if not verdict("ads", line)}
    rows = {row["impression"]: row for row in arrow.read(truth.IMPRESSIONS).to_pylist()}
    assert set(rows) == told
    raw = raw_ids(WORLD, np.arange(WORLD.listeners))
    for path in world.files("ads-*"):
        for line in lines(path):
            if not verdict("ads", line):
                event = json.loads(line)
                planted = rows[event["impression"]]
                assert raw[planted["listener"]] == event["listener"]
                assert planted["shown"] == (event["kind"] != "holdout") or event["kind"] == "conversion"
                assert event["kind"] != "complete" or planted["completed"]
                assert event["kind"] != "conversion" or planted["converted"]
    assert all(0 < row["p_click"] < 1 and row["tau"] == row["p_convert_shown"] - row["p_convert_held"] for row in rows.values())
    assert not [row for row in rows.values() if row["clicked"] and not row["shown"]]


def test_no_raw_id_stands_in_a_truth_table(world: Delivered) -> None:
    raw = set(raw_ids(WORLD, np.arange(WORLD.listeners)))
    for table in truth.TABLES:
        for column in world.lake.arrow.read(table).columns:
            assert not raw & {value for value in column.to_pylist() if isinstance(value, str)}


def test_truth_names_the_null_effects_and_the_weather(world: Delivered) -> None:
    planted = world.lake.arrow.read(truth.CONTEXT_EFFECTS).to_pylist()
    assert len(planted) == len(EFFECTS)
    assert [f"{row['circumstance']} on {row['outcome']}" for row in planted if row["null_by_design"]] == [
        "weekend on energy",
        "rain on skip",
    ]
    assert all((row["size"] == 0) == row["null_by_design"] for row in planted)
    forecast = [json.loads(line) for path in world.files("weather-*") for line in lines(path)]
    actual = {(row["place"], row["hour"].isoformat()[:13]): row for row in world.lake.arrow.read(truth.WEATHER).to_pylist()}
    assert all(row["issued_at"] < row["hour"] for row in forecast)
    near = [abs(row["temperature_c"] - actual[row["place"], row["hour"][:13]]["temperature_c"]) for row in forecast]
    assert max(near) < 10
    assert len(forecast) == 12 * 24 * WORLD.days * 2


def test_made_again_is_nothing_to_do(world: Delivered, tmp_path: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in world.folder.iterdir()}
    again = make(WORLD, Address.parse(str(world.folder)), world.lake)
    assert not again.changed
    assert "nothing to do" in again.sentence
    assert {path.name: path.stat().st_mtime_ns for path in world.folder.iterdir()} == before
    assert world.lake.arrow.version(truth.DEFECTS) == 1
    folder = Folder(Address.parse(str(world.folder)))
    assert not is_made(replace(WORLD, seed=4), folder, world.lake.arrow)
    assert not is_made(WORLD, folder, SparkLake(Address.parse(str(tmp_path))).arrow)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    folder = Folder(Address.parse(str(tmp_path)))
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WrongUse, match=r"such as thesis\.txt"):
        folder.clear()
    (tmp_path / "thesis.txt").rename(tmp_path / "plays-2026-10-01-000.jsonl.gz")
    with pytest.raises(WrongUse, match="something else"):
        folder.clear()
    assert (tmp_path / "plays-2026-10-01-000.jsonl.gz").read_text() == "years of work"


@pytest.mark.parametrize("state", [BEING_MADE, MADE])
def test_an_earlier_world_gives_way_finished_or_not(tmp_path: Path, state: str) -> None:
    folder = Folder(Address.parse(str(tmp_path)))
    folder.state({"spec": "x", "state": state})
    (tmp_path / "plays-2026-10-01-damaged-1.jsonl.gz").write_bytes(b"cut")
    (tmp_path / "plays-2026-10-01-000.jsonl.gz").write_bytes(b"half")
    (tmp_path / "_making").mkdir()
    (tmp_path / "_making/part").write_bytes(b"half")
    folder.clear()
    assert not list(tmp_path.iterdir())


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command_describes_a_world() -> None:
    parse = command.parser().parse_args
    options = parse(["--preset", "small", "--seed", "9", "--out", "x", "--days", "7", "--shard", "0:500", "--no-signal"])
    known = command.chosen(options)
    assert (known.listeners, known.seed, known.days, known.shard, known.signal) == (2_000, 9, 7, (0, 500), False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "deom"], "did you mean 'demo'"),
        (["--shard", "a:b"], "is not LOW:HIGH"),
        (["--preset", "tiny", "--shard", "0:900"], "not within 0:200"),
    ],
)
def test_a_wrong_word_is_answered_with_the_choices(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([*words, "--out", "nowhere"]) == 2
    assert message in capsys.readouterr().err


def test_nothing_to_do_is_said_without_spark(world: Delivered) -> None:
    code = (
        "import sys; from datetime import date; from jobs.lake.address import Address; from jobs.lake.arrow import ArrowLake\n"
        "from jobs.world.files import Folder; from jobs.world.manifest import is_made; from jobs.world.preset import World\n"
        f"known = World(seed=3, listeners=450, days=4, first=date(2026, 10, 23), tracks=600, per_file=250)\n"
        f"print(is_made(known, Folder(Address.parse({str(world.folder)!r})), ArrowLake(Address.parse({world.lake.address.uri!r}))))\n"
        "print('pyspark' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["True", "False"]


# ---- who may know ----------------------------------------------------------------------------------------------------

TRUTH_NAMES = re.compile(rf"\btruth[./]({'|'.join(table.name.split('.')[1] for table in truth.TABLES)})\b")
OF_THE_WORLD = {"jobs.world.truth", "jobs.world.facts", "jobs.world.oracle"}


def reads_truth(source: str) -> bool:
    """Whether a module's source names a truth table or imports its declaration."""
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return bool(TRUTH_NAMES.search(source) or imported & OF_THE_WORLD)


def test_no_pipeline_module_reads_the_truth() -> None:
    for package in ("validation", "jobs", "ray_tune", "targeting"):
        for path in (ROOT / package).rglob("*.py"):
            if path.relative_to(ROOT).parts[:2] != ("jobs", "world"):
                assert not reads_truth(path.read_text()), path
    for path in (ROOT / "infra").rglob("*"):
        assert not path.is_file() or not TRUTH_NAMES.search(path.read_text(errors="replace")), path


@pytest.mark.parametrize(
    "source",
    [
        "x = 'truth.impressions'",
        "x = lake / 'truth/listeners'",
        "from jobs.world import truth",
        "from jobs.world.truth import LISTENERS",
        "import jobs.world.facts",
    ],
)
def test_a_reader_of_the_truth_would_be_caught(source: str) -> None:
    assert reads_truth(source)


def test_truth_is_not_in_the_catalogue() -> None:
    from jobs import catalogue  # noqa: PLC0415

    known = {value.name for name in dir(catalogue) for value in [getattr(catalogue, name)] if isinstance(value, Table)}
    assert not {table.name for table in truth.TABLES} & known
    assert "truth." not in catalogue.schemas()


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_the_world_shares_no_code_with_the_pipeline() -> None:
    allowed = ("jobs.world", "jobs.lake", "validation.contract", "validation.verdict")
    for path in (ROOT / "jobs/world").glob("*.py"):
        ours = {name for name in imports(path) if name.split(".")[0] in ("jobs", "validation", "ray_tune", "targeting")}
        # How its words are read, and that it ran: no row depends on either.
        logged = {"jobs.console", "jobs.journal"} if path.name == "__main__.py" else set()
        assert not {name for name in ours if not name.startswith(allowed)} - {"jobs"} - logged, path.name


def test_the_manifest_says_what_lies_there(world: Delivered) -> None:
    manifest = json.loads((world.folder / MANIFEST).read_text())
    assert manifest["state"] == "made"
    assert manifest["rows"] == dict(world.made.by_feed)
    assert "seed=3" in manifest["world"]
