"""What a process and all below it take: time on the clock and of the processors, and memory at its peak."""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAUSE = 0.25
GIB = 2**30


class Meter(threading.Thread):
    """Watches a process, this one if none is named, and all below it; pages that processes share count once (PSS)."""

    def __init__(self, pid: int | None = None) -> None:
        super().__init__(daemon=True)
        self.me, self.ended = psutil.Process(pid), threading.Event()
        self.memory, self.driver, self.jvm = 0, 0, 0
        self._gone: dict[int, float] = {}

    def run(self) -> None:
        while not self.ended.wait(PAUSE):
            whole = 0
            for one in self._all():
                try:
                    used, java = one.memory_full_info().pss, one.name() == "java"
                    self._gone[one.pid] = _seconds(one)
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
                whole += used
                if one == self.me:
                    self.driver = max(self.driver, used)
                elif java:
                    self.jvm = max(self.jvm, used)
            self.memory = max(self.memory, whole)

    def _all(self) -> list[psutil.Process]:
        try:
            return [self.me, *self.me.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu(self) -> float:
        """Return processor seconds so far, of processes that ended too."""
        for one in self._all():
            try:
                self._gone[one.pid] = _seconds(one)
            except psutil.NoSuchProcess:
                continue
        return sum(self._gone.values())

    def peaks(self) -> tuple[int, int, int]:
        """Return the peaks since they were last asked for."""
        found = (self.memory, self.driver, self.jvm)
        self.memory, self.driver, self.jvm = 0, 0, 0
        return found


def _seconds(one: psutil.Process) -> float:
    # Children that were waited for are in their parent's sum; those that live have their own.
    return one.cpu_times().user + one.cpu_times().system


@dataclass(frozen=True)
class Use:
    """Seconds on the clock, seconds of the processors, and bytes of memory at the peak."""

    wall: float
    cpu: float
    memory: int


def use(command: Sequence[str | Path]) -> Use:
    """Run a command to its end and return what it took; one that fails raises `CalledProcessError`."""
    began = time.monotonic()
    with subprocess.Popen([str(one) for one in command]) as process:
        meter = Meter(process.pid)
        meter.start()
        # The last look is at the process while it is there: its times are gone with it.
        while process.poll() is None:
            meter.cpu()
            time.sleep(PAUSE / 5)
        meter.ended.set()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return Use(time.monotonic() - began, meter.cpu(), meter.peaks()[0])
