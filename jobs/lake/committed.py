"""What every commit through delta-rs has in common: it is told whom another was ahead of, and once it is made nothing can fail it."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from deltalake import DeltaTable, PostCommitHookProperties
from deltalake.exceptions import CommitFailedError, DeltaError

from validation.verdict import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from validation.contract import Table

T = TypeVar("T")
TURNS = 10  # to be behind so often, others must publish without a pause
EVERY = 50  # versions from one checkpoint of the log to the next
# delta-rs would write the checkpoint that is due as a part of the commit and raise where it cannot, as on a full disk: the commit stands,
# and who made it would take it for failed and delete its files.
HOOKS: dict[str, Any] = {"post_commithook_properties": PostCommitHookProperties(create_checkpoint=False)}


@contextmanager
def first(table: Table) -> Iterator[None]:
    """Tell a writer whom another was ahead of."""
    try:
        yield
    except CommitFailedError as error:
        raise Conflict(f"{table.name}: another run published first ({error}); run again") from error


def in_turn(act: Callable[[], T]) -> T:
    """Do again what another writer was ahead of: `act` finds what that one published. Who is behind every time raises `Conflict`."""
    for _ in range(TURNS - 1):
        with suppress(Conflict):
            return act()
    return act()


def checkpointed(uri: str, version: int) -> int:
    """Write the checkpoint that is due at a table's version, if it can be: without one the log takes longer to read. Return the version."""
    if version % EVERY == EVERY - 1:
        with suppress(DeltaError, OSError):
            DeltaTable(uri, version=version).create_checkpoint()
    return version
