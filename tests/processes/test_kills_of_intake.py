"""Intake and every job killed at every verb, one process after the other: they end like a day that nobody disturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from days import DONE, chain, content

if TYPE_CHECKING:
    from pathlib import Path

    from days import Calm
    from forks import Forks

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_intake_and_every_job_killed_at_every_verb(forks: Forks, calm: Calm, every: str, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    died = chain(forks, lake, *calm.args, every)
    assert len(died) > 60
    assert content(lake) == content(calm.lake)
    assert forks.run("days:day", lake, *calm.args) == DONE, "and now there is nothing left to do"
