"""Answers that cannot be given: whoever read them left, or the disk is full. No program complains with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).parent.parent
OVERTONE = ["-m", "targeting"]
PROGRAMS = [
    [*OVERTONE, "tables"],
    [*OVERTONE, "--help"],
    ["-m", "jobs.listens", "--date", "2026-11-01"],
    ["-m", "jobs.ingest", "--help"],
    ["-m", "jobs.world", "--help"],
    ["-m", "ray_tune", "models"],
    ["-m", "validation", "docs"],
    ["mlflow/review.py", "--help"],
]
every_program = pytest.mark.parametrize("words", PROGRAMS, ids=" ".join)


def run(words: list[str], out: IO[bytes] | int | None, lake: Path, err: IO[bytes] | int = subprocess.PIPE) -> tuple[int, str]:
    """Run a program with this standard output; return its exit code and what it said on standard error."""
    settings = {"OVERTONE_LAKE": str(lake), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *words], stdout=out, stderr=err, check=False, cwd=ROOT, env=os.environ | settings)
    return done.returncode, (done.stderr or b"").decode()


def left() -> int:
    """Return the end of a pipe to write to that nobody reads from."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@every_program
def test_whoever_reads_may_leave(words: list[str], tmp_path: Path) -> None:
    writer = left()
    try:
        assert run([*words, *out_of(words, tmp_path)], writer, tmp_path / "lake") == (141, "")
    finally:
        os.close(writer)


@every_program
def test_a_full_disk_under_the_answer_is_said(words: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        code, err = run([*words, *out_of(words, tmp_path)], full, tmp_path / "lake")
    assert code == 1
    assert err.count("\n") == 1
    assert err.endswith(": the answer could not be written: No space left on device\n")


@pytest.mark.parametrize(
    "words", [[*OVERTONE, "tables", "zzz"], [*OVERTONE, "day"], [*OVERTONE, "fly"], ["-m", "jobs.listens"]], ids=" ".join
)
def test_a_complaint_that_nobody_hears_ends_as_it_would_have(words: list[str], tmp_path: Path) -> None:
    writer = left()
    try:
        assert run(words, None, tmp_path / "lake", err=writer) == (2, "")
    finally:
        os.close(writer)


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_a_stream_that_was_closed_before_the_start_is_no_reason_to_fail(closed: str, tmp_path: Path) -> None:
    line = f'"{sys.executable}" -m jobs.listens --date 2026-11-01 --lake "{tmp_path}/lake" {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stderr) == (0, "")


def out_of(words: list[str], folder: Path) -> list[str]:
    """Return where the pages go, for the one program that makes some."""
    return ["--out", str(folder / "docs")] if "docs" in words else []
