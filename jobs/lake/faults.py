"""What a machine says when it cannot, in words: a full disk or a missing right is nobody's bug, and needs no stack trace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = "give Spark more (spark.driver.memory of spark-defaults.conf), or ask for fewer dates at a time"
ROOM = ("No space left on device", "Disk quota exceeded")
# As the operating system or the JVM says it, wherever in an error of Spark's, Arrow's or delta-rs' it stands, and what to do.
FAULTS = {
    "No space left on device": "make room on the disk (overtone maintain, overtone doctor)",
    "Disk quota exceeded": "make room, or ask for a larger quota",
    "Read-only file system": "mount it writable, or name another lake with --lake",
    "Permission denied": "give yourself the right to write there, or name another lake with --lake",
    # Hadoop's, who drops the system's reason.
    "Mkdirs failed to create": "see that the store is mounted writable, is yours to write to and has room (overtone doctor)",
    "Input/output error": "look at the disk: it could not read or write",
    "Too many open files": "raise the limit (ulimit -n)",
    "Stale file handle": "mount the shared folder again",
    "Not enough memory to build and broadcast": MEMORY,
    "Java heap space": MEMORY,
    "GC overhead limit exceeded": MEMORY,
}
STORE = re.compile(r"Generic (\w+) error")  # as delta-rs says that an object store did not answer, over many lines and in colours
COLOUR = re.compile(r"\x1b\[\d*m|↳")
CHECK = "check the lake's address, and the endpoint, region and keys in the environment"


def fault(error: BaseException) -> str | None:
    """Return what a machine could not do, and what to do about it; None where the error is of another kind."""
    for one in _chain(error):
        said = str(one)
        for words, mend in FAULTS.items():
            if words in said:
                return f"{words}: {mend}, and run again; nothing of the batch was published"
        if store := STORE.search(said):
            why = COLOUR.sub("", said).strip().splitlines()[-1].strip()
            return f"the object store ({store[1]}) does not answer, or lets nobody in: {why}; {CHECK}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{str(error.filename)!r}: {error.strerror}; name another place, or make this one what it has to be"
    return None


def full(error: BaseException) -> bool:
    """Say whether an error comes of a disk, or a share of it, that has no room."""
    return any(words in str(one) for one in _chain(error) for words in ROOM)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
