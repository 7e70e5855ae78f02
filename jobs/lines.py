"""A log file of JSON lines that several processes write at once: bounded, whole lines only, and never a reason to fail."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SIZE = 4 << 20  # bytes of a file, about
OLDER = 4  # files kept besides the one that is written


class Lines(logging.Handler):
    """Appends each record as one line by one write: what two processes write at once stands in two lines.

    `wait` keeps the first line back until there is a second: a run that has nothing to tell then leaves no file.
    """

    def __init__(self, path: Path, always: Mapping[str, str], *, wait: bool = False) -> None:
        super().__init__()
        self.path, self.always = path, always
        self._wait, self._given_up = wait, False
        self._waiting: list[bytes] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; where that cannot be done, say so once on stderr and go on."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {"time": at, "level": record.levelname.lower(), "event": record.msg, **self.always}
        self._waiting.append(json.dumps(head | getattr(record, "fields", {})).encode() + b"\n")
        if self._wait:
            self._wait = False
        elif not self._given_up:
            self._write()

    def forget(self) -> None:
        """Write nothing more, if nothing was written yet."""
        self._given_up = self._given_up or bool(self._waiting)

    def _write(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            rotate(self.path)
            for line in self._waiting:
                append(self.path, line)
            self._waiting.clear()
        except OSError as error:
            self._given_up = True
            with suppress(OSError):
                sys.stderr.write(f"overtone: this run leaves no log: {self.path} cannot be written ({error.strerror})\n")


def append(path: Path, line: bytes) -> None:
    """Append a line by one write: the kernel puts it behind whatever is there by then."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)


def rotate(path: Path) -> None:
    """Move a full file to the next number; the oldest goes. Of several processes that find it full, one does it."""
    if not _full(path):
        return
    with locked(path.with_suffix(".lock")):
        if _full(path):
            for number in range(OLDER, 0, -1):
                newer = numbered(path, number - 1)
                if newer.exists():
                    newer.replace(numbered(path, number))


def numbered(path: Path, number: int) -> Path:
    """Return the place of the n-th older file; 0 is the one that is written."""
    return path.with_suffix(f".{number}{path.suffix}") if number else path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that the processes of one machine share; the system takes it back from one that dies."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what was logged, oldest first; a line that a full disk or a crash cut off is passed over."""
    for number in range(OLDER, -1, -1):
        content = b""
        with suppress(FileNotFoundError, UnicodeEncodeError):  # the latter: a name that the C locale cannot spell, so there is no such file
            content = numbered(path, number).read_bytes()
        for line in content.splitlines():
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    yield found


def _full(path: Path) -> bool:
    try:
        return path.stat().st_size >= SIZE
    except FileNotFoundError:  # none yet, or another process has just moved it
        return False
