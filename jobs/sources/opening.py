"""Opens files as they were listed: regular ones, through no link; what is read of them is hashed while it is read."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # nobody waits for a pipe
FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PIECE = 1 << 20


class Opened:
    """A file that is being read; `seen` counts the bytes read so far."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.file, self.seen, self.packed = file, 0, name.lower().endswith(".gz")
        self.size = os.fstat(file.fileno()).st_size
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most so many."""
        piece = self.file.read(size)
        self.seen += len(piece)
        self._digest.update(piece)
        return piece

    def sha256(self) -> str:
        """Return the hash of the whole file: of the bytes read so far and of the rest, which is read now."""
        while self.read(PIECE):
            pass
        return self._digest.hexdigest()


@contextmanager
def opened(path: str) -> Iterator[Opened]:
    """Open a file; what is no regular file any more raises `OSError`."""
    with _regular(os.open(path, READ), path) as file:
        yield file


@contextmanager
def opened_below(root: Path, path: Path) -> Iterator[Opened]:
    """Open a file below a folder; a link on the way, though it took a folder's place a moment ago, raises `OSError`."""
    *folders, last = path.relative_to(root).parts
    above = os.open(root, FOLDER & ~os.O_NOFOLLOW)
    try:
        for part in folders:
            inner = os.open(part, FOLDER, dir_fd=above)
            os.close(above)
            above = inner
        number = os.open(last, READ | os.O_NOFOLLOW, dir_fd=above)
    finally:
        os.close(above)
    with _regular(number, str(path)) as file:
        yield file


@contextmanager
def _regular(number: int, path: str) -> Iterator[Opened]:
    with open(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(None, "it is no regular file", path)
        yield Opened(file, path)
