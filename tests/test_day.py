"""The day as data and the day on one screen are the same day."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobs.catalogue import TABLES
from targeting.command.day import choose
from targeting.command.stages import JOBS, STAGES
from validation.verdict import WrongUse

ROOT = Path(__file__).parent.parent
COMMANDS = ("spark-submit ", "python -m ", "overtone ")


def test_run_day_is_the_tuple_of_stages_line_by_line() -> None:
    script = (ROOT / "infra/run_day.sh").read_text().splitlines()
    assert [line for line in script if line.startswith(COMMANDS)] == [stage.line for stage in STAGES]


def test_every_job_of_the_day_is_a_script_that_writes_what_its_stage_says() -> None:
    jobs = [stage for stage in STAGES if stage.line.startswith("spark-submit")]
    assert tuple(stage.name for stage in jobs) == JOBS
    for stage in jobs:
        match = re.match(r"spark-submit (jobs/\w+\.py) ", stage.line)
        assert match
        assert (ROOT / match.group(1)).is_file()
        assert stage.writes in TABLES


def test_stages_can_be_chosen() -> None:
    assert [stage.name for stage in choose(STAGES, None, "audiences")] == ["audiences", "export"]
    assert [stage.name for stage in choose(STAGES, "train", None)] == ["train"]
    assert choose(STAGES, None, None) == STAGES
    with pytest.raises(WrongUse, match=r"unknown stage 'audiance'; did you mean 'audiences'\?"):
        choose(STAGES, "audiance", None)
