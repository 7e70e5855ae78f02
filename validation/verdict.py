"""What an audit found, and the errors of the whole platform.

OvertoneError            exit 1
├── WrongUse             exit 2   a wrong argument, setting or file: what the person at the keyboard can mend
├── HeldBack             exit 3   a batch broke its table's contract and was not published
├── Refused              exit 4   a gate said no (release of an audience, promotion of a model)
├── Conflict             exit 1   somebody else published the same range first
└── Unheard              exit 1   the answer could not be written; 141 if whoever read it left
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


INTERRUPTED = 130  # exit code of a run that a person stopped


class OvertoneError(Exception):
    """Base of every error that Overtone raises on purpose; `exit_code` is what the process ends with."""

    exit_code = 1


class WrongUse(OvertoneError):
    """A wrong argument, setting or input file.

    The sentence repeats what was typed, or what a file says of a listener: people see it, logs do not.
    """

    exit_code = 2


class HeldBack(OvertoneError):
    """A batch broke its table's contract; nothing of it was published. `refused` counts its bad rows by reason."""

    exit_code = 3

    def __init__(self, message: str, refused: Mapping[str, int] | None = None) -> None:
        super().__init__(message)
        self.refused = dict(refused or {})


class Refused(OvertoneError):
    """A gate refused a release."""

    exit_code = 4


class Conflict(OvertoneError):
    """Another writer published the same range first; this one's work was discarded whole."""


class Unheard(OvertoneError):
    """The answer could not be written: the disk is full, or whoever read it had enough, as `head` has after ten lines."""

    left = 128 + 13  # what a shell says of a program that SIGPIPE ended

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the answer could not be written: {error.strerror}")
        self.exit_code = self.left if isinstance(error, BrokenPipeError) else OvertoneError.exit_code


@dataclass(frozen=True)
class Check:
    """One rule's result on one batch. `failed_rows` counts violating rows (0 for batch statistics)."""

    rule: str
    success: bool
    observed: str = ""
    expected: str = ""
    failed_rows: int = 0
    sample_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """All checks of one batch of one table; `rejected` counts rows split off to quarantine before the audit."""

    table: str
    checks: tuple[Check, ...]
    rows: int
    rejected: int = 0

    @property
    def success(self) -> bool:
        """Whether every check passed."""
        return all(check.success for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.success)

    def sentence(self) -> str:
        """Say in one sentence what failed and where."""
        if self.success:
            return f"{self.table}: {len(self.checks)} checks passed on {self.rows:,} rows"
        parts = [f"{c.rule} (observed {c.observed or c.failed_rows}, expected {c.expected or 'none'}{_keys(c)})" for c in self.failures]
        return f"{self.table}: held back, {len(parts)} of {len(self.checks)} checks failed: {'; '.join(parts)}"


def _keys(check: Check) -> str:
    return f", for example {', '.join(check.sample_keys[:3])}" if check.sample_keys else ""
