"""A disk that is full and a store that turns read-only: a clear word, nothing half-written, and once mended the day goes on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from days import DONE, content, since

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from days import Calm
    from forks import Forks

pytestmark = [pytest.mark.spark, pytest.mark.slow]
PATIENCE = 300  # seconds
SIZES = (pytest.param(300, marks=pytest.mark.every), 1_200)  # KiB of a disk that is too small, each for another part of the day


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], capture_output=True, check=False).returncode
    ):
        pytest.skip("only who may mount a file system can try this")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def set_to(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)


def turn_read_only(disk: Path, begun: Callable[[], bool]) -> None:
    """Do so in the middle of a run, at a moment at which no file is open for writing: at any other the system refuses it."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if begun() and not subprocess.run(["mount", "-o", "remount,ro", disk], stderr=subprocess.DEVNULL, check=False).returncode:
            return
    raise TimeoutError(f"{disk} could not be turned read-only in {PATIENCE} s")


@pytest.mark.parametrize("size", SIZES)
def test_a_full_disk(size: int, forks: Forks, calm: Calm, disk: Path) -> None:
    args = (disk / "lake", *calm.args)
    set_to(disk, f"size={size}k")
    at = forks.log.stat().st_size
    assert forks.run("days:day", *args) == 1
    said = since(forks.log, at)
    assert "overtone: No space left on device: make room on the disk" in said
    assert "Traceback" not in said
    set_to(disk, "size=64m")
    assert forks.run("days:day", *args) > DONE
    assert content(disk / "lake") == content(calm.lake)


def test_a_store_that_turns_read_only(forks: Forks, calm: Calm, disk: Path) -> None:
    for name in ("lake", "untouched"):
        shutil.copytree(calm.taken, disk / name)
    at = forks.log.stat().st_size
    run = forks.start("days:day", disk / "lake", *calm.args)
    turn_read_only(disk, (disk / "lake/silver/tracks").exists)  # the second stage has begun
    assert forks.wait(run) == 1
    said = since(forks.log, at)
    assert re.search("overtone: (Read-only file system|Mkdirs failed to create): [^\n]*mount", said), said[-3000:]
    assert "Traceback" not in said
    at = forks.log.stat().st_size
    assert forks.run("days:day", disk / "untouched", *calm.args) == 1
    said = since(forks.log, at)
    assert "overtone: Read-only file system: mount it writable" in said
    assert "Traceback" not in said
    set_to(disk, "rw")
    assert forks.run("days:day", disk / "lake", *calm.args) > DONE
    assert content(disk / "lake") == content(calm.lake)
