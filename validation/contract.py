"""What a table promises: its columns, key, row rules and expectations, as plain values without any library.

A table's declaration is its contract: the schema written to the lake, the rows that are let in, the suite that audits a
batch, the retention and the purpose of use are all derived from the one `Table` value.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
DTYPES = frozenset(
    (
        *("string", "boolean", "int", "bigint", "double", "date", "timestamp"),
        *("array<string>", "array<double>", "array<bigint>", "array<date>"),
    )
)


class ContractError(ValueError):
    """A declaration contradicts itself."""


class Purpose(StrEnum):
    """Why a table or a feature may be used; the runner keeps rows of listeners who did not agree out of `ADS`."""

    SERVICE = "service"  # running the service itself: no listener profile is sold or targeted by it
    CONTENT = "content"  # personalising what is heard
    ADS = "ads"  # profiling for, selecting and measuring advertising: needs consent of a known adult
    OPERATIONS = "operations"  # quarantine, verdicts, ledgers


@dataclass(frozen=True)
class Column:
    """One typed column. `identifies` marks personal keys, which never enter file statistics or logs.

    `purpose` is the column's own where it is narrower than the table's: the runner leaves an `ADS` column null for
    listeners who did not agree to advertising.
    """

    name: str
    dtype: str
    meaning: str
    required: bool = False
    identifies: bool = False
    purpose: Purpose | None = None

    def __post_init__(self) -> None:
        if not IDENTIFIER.fullmatch(self.name):
            raise ContractError(f"column name {self.name!r} is not lower_snake_case")
        if self.dtype not in DTYPES:
            raise ContractError(f"column {self.name}: unknown type {self.dtype!r}; choose from {', '.join(sorted(DTYPES))}")
        if self.required and self.purpose:
            raise ContractError(f"column {self.name}: a column with a purpose of its own can be null, so it is not required")


@dataclass(frozen=True)
class Rule:
    """A row rule: an SQL predicate that every published row satisfies; a row where it is false or null is quarantined."""

    name: str
    predicate: str
    meaning: str


@dataclass(frozen=True)
class Expectation:
    """A rule about a whole batch: `statistic` of `column` lies within [low, high] (either end may be open).

    Statistics: `mean`, `distinct` (number of different values), `null_share` (0..1), `rows` (column is then empty) and
    `values` (every non-null value is one of `allowed`).
    """

    statistic: str
    column: str = ""
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()

    STATISTICS = ("mean", "distinct", "null_share", "rows", "values")

    def __post_init__(self) -> None:
        if self.statistic not in self.STATISTICS:
            raise ContractError(f"unknown statistic {self.statistic!r}; choose from {', '.join(self.STATISTICS)}")
        if (self.statistic == "values") != bool(self.allowed):
            raise ContractError(f"expectation {self.name}: `allowed` belongs to the statistic 'values' and to it alone")

    @property
    def name(self) -> str:
        """What the expectation is called in a verdict."""
        return f"{self.statistic} of {self.column}" if self.column else self.statistic


@dataclass(frozen=True)
class Table:
    """A Delta table. `row` says in words what one row is; `partition` is `("date",)` or `()` for a small dimension.

    A row is kept for `retention_days` from its date on, or from the moment in the column `aged_by`; with neither, for good.
    `fresh_hours` is a promise: a UTC date's rows are published within so many hours of its end; None promises nothing. A table
    that may be empty owes nothing before its first publication: its feed, or its model, may not be there. `known_by` is the column
    with the date on which a row became known, where rows of a date become known by and by.
    """

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    purpose: Purpose
    retention_days: int
    rules: tuple[Rule, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    partition: tuple[str, ...] = ("date",)
    rejected_share: float = 0.05  # of a batch: above it the batch is held back
    may_be_empty: bool = False
    aged_by: str = ""
    fresh_hours: int | None = None
    known_by: str = ""
    by_name: Mapping[str, Column] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not TABLE_NAME.fullmatch(self.name):
            raise ContractError(f"table name {self.name!r} is not layer.noun in lower_snake_case")
        by_name = {column.name: column for column in self.columns}
        if len(by_name) != len(self.columns):
            raise ContractError(f"{self.name}: a column is declared twice")
        for part in (*self.key, *self.partition, *(name for name in (self.aged_by, self.known_by) if name)):
            if part not in by_name:
                raise ContractError(
                    f"{self.name}: key, partition, age or known column {part!r} is not declared{did_you_mean(part, by_name)}"
                )
        if self.fresh_hours is not None and not (self.dated and self.fresh_hours > 0):
            raise ContractError(f"{self.name}: fresh_hours is {self.fresh_hours!r}; it is 1 or more, of a table with dates")
        object.__setattr__(self, "by_name", by_name)

    @property
    def ddl(self) -> str:
        """The schema as Spark DDL, in declared order."""
        return ", ".join(f"{c.name} {c.dtype.upper()}{' NOT NULL' if c.required else ''}" for c in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in declared order."""
        return tuple(column.name for column in self.columns)

    @property
    def dated(self) -> bool:
        """Whether the table is partitioned by date."""
        return "date" in self.partition

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that are never null."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def plain_columns(self) -> tuple[str, ...]:
        """Columns that name no person: the only ones whose values may stand in logs and file statistics."""
        return tuple(column.name for column in self.columns if not column.identifies)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, else the choices: the tail of an error message."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; choose from {', '.join(choices)}"
