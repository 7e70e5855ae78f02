"""What changes when one thing changes: an input row, a cache that is gone, a feature, a release of Overtone."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from days import DONE, content
from deltalake import DeltaTable
from small_world import FIRST, Small

from jobs.catalogue import TABLES
from jobs.contracts.derived import USER_FEATURES
from jobs.contracts.events import PLAYS
from jobs.contracts.operations import FILES, VERDICTS
from jobs.features import USER
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.spark import SparkLake
from targeting.command.day import execute
from targeting.command.stages import STAGES, Day

if TYPE_CHECKING:
    from days import Calm
    from forks import Forks

pytestmark = [pytest.mark.spark, pytest.mark.slow]
ROOT = Path(__file__).parent.parent.parent
RELEASES = sorted((ROOT / "tests/releases").glob("*.tar.xz"))
OPERATIONS = ("ops.files", "ops.quarantine", "ops.verdicts")
# What no stage of a day makes for others to read: a cache, and what a command compared.
ASIDE = (*OPERATIONS, "features.user_state", "examples.replays")
# Where a listener's row tells where they stand among all: one play of another may move it.
AMONG_ALL = (
    *("features.session_moments", "features.fan_ladder", "features.user_portraits"),
    *("targeting.clusters", "targeting.communities", "targeting.scores"),
)
OF_ALL = {feature.name for feature in USER if feature.of_all}


def lake_at(place: Path) -> ArrowLake:
    return ArrowLake(Address.parse(str(place)))


@pytest.fixture
def lake(calm: Calm, tmp_path: Path) -> Path:
    shutil.copytree(calm.lake, tmp_path / "lake")
    return tmp_path / "lake"


def test_a_lake_without_its_caches_is_the_same_lake(forks: Forks, calm: Calm, lake: Path) -> None:
    before = content(lake)
    caches = [path for name in ("_last_checkpoint", "*.checkpoint.parquet", "*.crc") for path in lake.rglob(name)]
    for path in caches:
        path.unlink()
    # The ledger repeats what the commits of the tables say; without it they are asked.
    shutil.rmtree(lake / "ops/files")
    assert forks.run("days:day", lake, *calm.args) == DONE, "nothing to do"
    assert content(lake) == before == content(calm.lake)
    assert lake_at(lake).count(FILES) > 0


def test_one_late_play_changes_its_date_what_follows_from_it_and_nothing_else(forks: Forks, calm: Calm, lake: Path, tmp_path: Path) -> None:
    day = FIRST + timedelta(days=2)
    listener, known = _late(calm.feed, tmp_path / "more", day)
    before, marks = _rows(calm.lake), {name: lake_at(lake).marks(table) for name, table in TABLES.items()}
    # Beside it, a lake that is given everything at once.
    whole = tmp_path / "whole"
    shutil.copytree(calm.feed, whole)
    shutil.copy(next((tmp_path / "more").iterdir()), whole)
    beside = forks.start("days:day", tmp_path / "anew", whole, *calm.args[1:])
    assert forks.run("days:day", lake, tmp_path / "more", *calm.args[1:]) > DONE
    after = _rows(lake)
    changed = {name: after[name] ^ before[name] for name in TABLES if after[name] ^ before[name] and name not in ASIDE}
    assert {"bronze.plays", "silver.listens", "features.user_days", "features.user_features"} <= set(changed)
    alone = {name for name in changed if "listener_id" in TABLES[name].by_name and name not in AMONG_ALL}
    found = {json.loads(row)["listener_id"] for name in alone for row in _own(after[name]) ^ _own(before[name])}
    assert found == {listener}, "one listener's rows alone"
    for name, rows in changed.items():
        dates = {json.loads(row)["date"] for row in rows}
        # A session may have begun the evening before; what was known before the play became known stays as it was.
        assert min(dates) >= str(day - timedelta(days=name == "silver.sessions")), name
        if name in ("features.user_features", "segments.user_segments"):
            assert min(dates) >= str(known), name
    assert len(changed["bronze.plays"]) == len(changed["silver.listens"]) == 1
    now = lake_at(lake).marks(PLAYS)
    assert {key for key, mark in now.items() if mark != marks[PLAYS.name].get(key)} == {str(day)}, "no other date was written"

    assert forks.wait(beside) > DONE
    anew = _rows(tmp_path / "anew")
    assert {name for name in TABLES if anew[name] != after[name] and name not in ASIDE} == set()


def _late(feed: Path, folder: Path, day: Any) -> tuple[str, Any]:
    """Write a file with one more play of a listener who played that day; return the pseudonym and the date it became known."""
    path = next(feed.glob(f"plays-{day}-*.gz"))
    with gzip.open(path, "rt") as file:
        row = next(one for one in map(_loaded, file) if one and one.get("listener") and one.get("time_zone"))
    noon = datetime.combine(day, time(12), UTC)
    known = noon + timedelta(days=1)
    play = row | {"play_id": "one-more", "started_at": noon.isoformat(), "sent_at": known.isoformat()}
    folder.mkdir()
    (folder / f"plays-{day}-late.jsonl").write_text(json.dumps(play) + "\n")
    who = hmac.new(bytes(range(32)), f"native\x1f{row['listener']}".encode(), hashlib.sha256).hexdigest()[:32]
    return who, known.date()


def _loaded(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and str(found.get("started_at", "")).startswith("2026-10-03") else None


def _rows(place: Path) -> dict[str, set[str]]:
    """Return every row of every table as JSON."""
    lake = lake_at(place)
    return {name: {json.dumps(row, default=str) for row in lake.read(table).to_pylist()} for name, table in TABLES.items()}


def _own(rows: set[str]) -> set[str]:
    """Return rows without what they compare with everybody."""
    return {json.dumps({name: value for name, value in json.loads(row).items() if name not in OF_ALL}) for row in rows}


def test_a_feature_is_added_and_another_renamed_on_a_lake_that_is_there(calm: Calm, lake: Path, tmp_path: Path) -> None:
    """An engineer edits two lines and runs `overtone day --stale`."""
    code = tmp_path / "code"
    for name in ("jobs", "validation", "ray_tune", "targeting", "infra"):
        shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    family = code / "jobs/features/listening.py"
    old = '    *windowed("completion_rate", "double", '
    lines = family.read_text()
    assert lines.count(old) == 1
    more = '    *windowed("plays_a_session", "double", "try_divide({plays}, {sessions})", (28,), "plays of a session"),\n'
    family.write_text(lines.replace(old, more + old.replace("completion_rate", "finished_share")))
    _overtone(code, lake, "day", "--stale", "--only", "user_features")
    told = json.loads(_overtone(code, lake, "tables", "features.user_features", "--json"))
    names = [column["name"] for column in told["columns"]]
    assert {"plays_a_session_28d", "finished_share_28d"} <= set(names)
    assert "completion_rate_28d" not in names
    stored = lake_at(lake)
    was = (
        lake_at(calm.lake)
        .read(USER_FEATURES, columns=["date", "listener_id", "completion_rate_28d", "plays_28d", "sessions_28d"])
        .to_pylist()
    )
    now = _stored(stored, ["date", "listener_id", "finished_share_28d", "plays_a_session_28d"])
    assert len(now) == len(was) > 0
    for row in was:
        found = now[row["date"], row["listener_id"]]
        assert found["finished_share_28d"] == row["completion_rate_28d"]
        assert found["plays_a_session_28d"] == (row["plays_28d"] / row["sessions_28d"] if row["sessions_28d"] else None)
    suites = {row["suite"] for row in stored.read(VERDICTS).to_pylist() if row["target"] == USER_FEATURES.name}
    assert len(suites) == 2, "the new declaration is another suite"
    assert told["suite"] in suites
    stale = json.loads(_overtone(code, lake, "status", "--json"))["stale"]
    assert "features.user_features" not in stale
    assert "segments.user_segments" in stale, "what is made of it follows"


def _overtone(code: Path, lake: Path, *words: str) -> str:
    command = [sys.executable, "-m", "targeting", *words, "--lake", str(lake)]
    done = subprocess.run(command, cwd=code, env=os.environ | {"PYTHONPATH": str(code)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def _stored(lake: ArrowLake, names: list[str]) -> dict[tuple[Any, str], dict[str, Any]]:
    """Read columns that this code does not declare, straight from the table."""
    rows = DeltaTable(lake.uri(USER_FEATURES)).to_pyarrow_table(columns=names).to_pylist()
    return {(row["date"], row["listener_id"]): row for row in rows}


@pytest.mark.parametrize("archive", RELEASES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def test_a_lake_of_an_earlier_release_goes_on(forks: Forks, archive: Path, tmp_path: Path) -> None:
    """Its events, decisions and key stay; what is made of them ends as if it were made of the same events by this release alone."""
    for name in ("old", "new"):
        with tarfile.open(archive) as files:
            files.extractall(tmp_path / name, filter="data")
        _move_registry(tmp_path / name)
    old, new = tmp_path / "old/lake", tmp_path / "new/lake"
    for layer in ("silver", "features", "segments", "examples", "targeting"):
        shutil.rmtree(new / layer)
    before = content(old)
    told = json.loads(_overtone(ROOT, old, "status", "--json"))
    assert {row["table"] for row in told["tables"]} == {name for name, rows in before.items() if rows} | {"targeting.members"}
    pids = [forks.start("test_change:go_on", place, place.with_name("lake.key")) for place in (old, new)]
    assert all(forks.wait(pid) > DONE for pid in pids), forks.log.read_text()[-3000:]
    after, anew = content(old), content(new)
    kept = [name for name in TABLES if name.startswith("bronze.") or name in ("ops.files", "models.approvals")]
    assert {name for name in kept if after[name] != before[name]} == set()
    made = [
        name for name in TABLES if name.split(".")[0] in ("silver", "features", "segments", "examples", "targeting") and name not in ASIDE
    ]
    assert {name for name in made if after[name] != anew[name]} == set()
    assert all(after[name] for name in made)
    assert set(before["models.trainings"]) <= set(after["models.trainings"])
    assert forks.run("test_change:go_on", old, old.with_name("lake.key")) == DONE, "and then there is nothing left to do"


def go_on(lake: str, key: str) -> int:
    """Run all stages but training on a lake whose feed was taken in before, with the champion that serves there."""
    os.environ["OVERTONE_KEY_FILE"] = key
    address = Address.parse(lake)
    dates = tuple(FIRST + timedelta(days=n) for n in range(Small().days))
    day = Day(SparkLake(address), dates, ROOT / "infra/campaigns-small.yaml", address.beside("-exports"))
    return DONE + sum(done.changed for _, done, _ in execute([stage for stage in STAGES if stage.name != "train"], day))


def _move_registry(place: Path) -> None:
    """A registry's database holds the absolute path of its artifacts: here it says where they lie now."""
    made_at, database = "/tmp/overtone-release", sqlite3.connect(place / "lake-mlflow/mlflow.db")  # noqa: S108
    with database:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("logged_models", "artifact_location"),
            ("model_versions", "storage_location"),
        ):
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (made_at, str(place)))  # noqa: S608
    database.close()
