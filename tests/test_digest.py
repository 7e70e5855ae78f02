"""The lines a demo ends with: each says what the tables and the page say, and nothing is made to look better."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from small_lake import DAY, SUMMARY, filled, put, said

from jobs.console import days
from jobs.contracts.delivery import APPROVALS
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from targeting.command.day import Progress, execute, summary
from targeting.command.demo import latest
from targeting.command.digest import digest, lines, near
from targeting.command.stages import Done, Stage
from targeting.page import collect

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def lake(tmp_path: Path) -> ArrowLake:
    return ArrowLake(Address.parse(str(tmp_path / "lake")))


@pytest.fixture
def told(lake: ArrowLake, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Return the digest of the lake as it is."""

    def digested(summary: dict[str, Any] | None = SUMMARY) -> dict[str, str]:
        return digest(lake, collect(lake, DAY, summary), (DAY,), exports=tmp_path / "exports", page=tmp_path / "page/index.html")

    return digested


def test_every_line_says_what_the_tables_say(lake: ArrowLake, told: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    filled(lake)
    for name in ("2026-11-09/morning_coffee", "2026-11-09/.staging", "2026-11-08/old"):
        (tmp_path / "exports" / name).mkdir(parents=True)
        (tmp_path / "exports" / name / "manifest.json").write_text(json.dumps({}))
    assert told() == {
        "taken in": "140 records of 2 files: 120 kept, 11 known already",
        "quarantined": "9 records (6%): missing event ts 7, known after event 2",
        "listening": "120 plays in 60 sessions, 2026-11-09 to 2026-11-09",
        "may be reached": "35 of 40 listeners agreed and are known to be adult",
        "model": "response: AUC 0.731 [0.710, 0.752]; version 3 serves, approved by Grace",
        "clusters": "c1 25, c2 15",
        "audiences": "morning_coffee 30",
        "not built": "late_games (fewer than 1000 listeners can be reached)",
        "exported": f"1 audience in {tmp_path}/exports/2026-11-09",
        "checks": "3 on 2 tables, 1 failed: those batches were held back",
        "page": f"{tmp_path}/page/index.html",
    }


def test_an_empty_lake_pretends_nothing(told: Callable[..., dict[str, str]]) -> None:
    found = told(None)
    assert found["taken in"] == "0 records of 0 files: 0 kept, 0 known already"
    assert found["quarantined"] == "0 records (-)"
    assert found["listening"] == "0 plays in 0 sessions, 2026-11-09 to 2026-11-09"
    assert found["model"].startswith("none: this feed has no ad log, so no ad-response model was trained")
    assert (found["audiences"], found["not built"], found["exported"]) == ("none", "none", "none")
    assert found["clusters"] == "none: too few listeners"


def test_assumed_consent_is_said_beside_the_reach_it_makes(lake: ArrowLake, told: Callable[..., dict[str, str]]) -> None:
    filled(lake, trained=False)
    put(lake, SILVER_LISTENERS, [said(n, basis="assume", age="unknown") for n in range(40)], DAY)
    assert told(None)["may be reached"] == "40 of 40 listeners; their consent is ASSUMED, so nothing is exported"


def test_a_model_that_nobody_approved_or_measured_in_full_is_told_as_such(lake: ArrowLake, told: Callable[..., dict[str, str]]) -> None:
    filled(lake)
    put(lake, APPROVALS, [])
    unsure = {**SUMMARY, "metrics": {"auc": {"value": 0.5, "low": None, "high": None}}}
    assert told(unsure)["model"] == "response: AUC 0.500 [-, -]; nobody approved a version"


def test_a_model_that_failed_its_gate_is_told_as_such(lake: ArrowLake, told: Callable[..., dict[str, str]]) -> None:
    filled(lake)
    put(lake, APPROVALS, [])
    weak = {**SUMMARY, "gate": {"passed": False, "reason": "too weak"}}
    assert told(weak)["model"] == "response: AUC 0.731 [0.710, 0.752]; it failed its gate, so nobody may approve it"


def test_reasons_beyond_the_three_most_frequent_are_hinted_at(lake: ArrowLake, tmp_path: Path) -> None:
    filled(lake)
    data = collect(lake, DAY, SUMMARY)
    more = replace(data, refused=data.refused * 2)
    found = digest(lake, more, (DAY,), exports=tmp_path, page=tmp_path)["quarantined"]
    assert found.endswith("missing event ts 7, known after event 2, missing event ts 7 ...")


def test_older_plays_that_were_left_alone_are_not_forgotten(lake: ArrowLake, tmp_path: Path) -> None:
    filled(lake)
    later = (date(2026, 11, 11), date(2026, 11, 12))
    found = digest(lake, collect(lake, DAY, None), later, exports=tmp_path, page=tmp_path)["listening"]
    assert found == "120 plays in 60 sessions, 2026-11-11 to 2026-11-12; 1 older date with plays left alone"


def test_lines_share_a_column() -> None:
    assert lines({"a": "one", "longer": "two"}) == "a       one\nlonger  two"


def test_a_path_is_told_as_one_would_type_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert near(Path("build/../build/page.html")) == near(tmp_path / "build/page.html") == "build/page.html"
    assert near(tmp_path.parent / "elsewhere") == str(tmp_path.parent / "elsewhere")


def test_a_feed_of_decades_is_cut_to_its_latest_days_and_says_what_does_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    dates = days(date(2024, 1, 1), date(2024, 3, 1))
    assert latest(dates, None) == latest(dates, 61) == dates
    assert capsys.readouterr().err == ""
    assert latest(dates, 30) == dates[-30:]
    told = capsys.readouterr().err
    assert "spans 2024-01-01 to 2024-03-01; a demo works on its last 30 days" in told
    assert "overtone day --from 2024-01-01 --to 2024-01-31" in told
    assert dates[-30] == date(2024, 2, 1)


def stage(name: str, *, changed: bool, weight: float = 1.0) -> Stage:
    return Stage(name, "-", "-", weight, lambda _: Done(f"{name} done", changed=changed), lambda _: "")


def test_the_parts_of_a_long_run_are_counted_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (stage("a", changed=True),), (stage("b", changed=False), stage("c", changed=True), stage("d", changed=True))
    progress = Progress.of((*first, *second))
    progress.seconds = 10  # as if the first of four equal parts had taken ten seconds
    found = execute(first, None, progress) + execute(second, None, progress)  # type: ignore[arg-type]  # these stages need no day
    assert [one.name for one, _, _ in found] == ["a", "b", "c", "d"]
    told = ["[ 1/4] a done, about 30 s left", "[ 2/4] b done", "[ 3/4] c done, about 5 s left", "[ 4/4] d done"]
    assert capsys.readouterr().err.splitlines() == told, "a stage with nothing to do neither took time nor saves any"


def test_a_single_stage_that_was_skipped_is_not_called_up_to_date() -> None:
    one, other = stage("scores", changed=False), stage("b", changed=False)
    skipped = Done("targeting.scores: skipped, no model was approved", changed=False)
    assert summary([(one, skipped, 0.1)]).text == skipped.sentence
    assert summary([(one, skipped, 0.1), (other, skipped, 0.1)]).text == "nothing to do: all 2 stages are done"
    assert "nothing to do" not in summary([(one, Done("made", changed=True, rows=3), 0.1)]).text


def test_the_time_left_stands_in_the_first_of_several_lines(capsys: pytest.CaptureFixture[str]) -> None:
    told = Stage("a", "-", "-", 1.0, lambda _: Done("taken\n        b.csv: skipped", changed=True), lambda _: "")
    progress = Progress.of((told, told))
    progress.seconds = 10
    execute((told,), None, progress)  # type: ignore[arg-type]
    assert capsys.readouterr().err.splitlines() == ["[ 1/2] taken, about 10 s left", "        b.csv: skipped"]


def test_a_long_time_left_is_told_in_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress.of((stage("a", changed=True), stage("b", changed=True, weight=9.0)))
    progress.seconds = 20
    execute((stage("a", changed=True),), None, progress)  # type: ignore[arg-type]
    assert capsys.readouterr().err == "[ 1/2] a done, about 3 min left\n"
