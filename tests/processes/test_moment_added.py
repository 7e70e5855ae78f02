"""A moment is one line: an engineer adds it on a lake that is there, and sessions are named by it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_lake import one, put
from test_moments import DAY, drawn

from jobs.contracts.context import SESSION_MOMENTS
from jobs.contracts.silver import SESSIONS
from jobs.run import run
from jobs.session_moments import JOB

if TYPE_CHECKING:
    from jobs.lake.spark import SparkLake

pytestmark = [pytest.mark.spark, pytest.mark.slow]
ROOT = Path(__file__).parent.parent.parent
LINE = '    Moment("drive", "any time in the car", {"device": "car"}),\n'


def test_a_moment_is_added_by_one_line_on_a_lake_that_is_there(lake: SparkLake, tmp_path: Path) -> None:
    rows = [one(SESSIONS, **row) for row in drawn(11, 200)]
    for day in sorted({row["date"] for row in rows}):
        put(lake.arrow, SESSIONS, [row for row in rows if row["date"] == day], day)
    run(JOB, lake, [DAY])
    before = lake.arrow.read(SESSION_MOMENTS, [DAY]).to_pylist()
    for package in ("jobs", "validation"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    rules = tmp_path / "jobs/moments/rules.py"
    rules.write_text(rules.read_text().replace("    Moment(", LINE + "    Moment(", 1))
    for said in ("rows of", "nothing to do"):
        command = [sys.executable, tmp_path / "jobs/session_moments.py", "--date", str(DAY), "--lake", lake.arrow.address.uri]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        assert said in subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    after = lake.arrow.read(SESSION_MOMENTS, [DAY]).to_pylist()
    assert {row["session_id"] for row in after} == {row["session_id"] for row in before}
    assert "drive" in {row["moment"] for row in after} - {row["moment"] for row in before}
