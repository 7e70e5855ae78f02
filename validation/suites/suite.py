"""A table's suite as data: what an audit asks of a batch, derived from the table's own declaration and nothing else.

An audit asks in two steps. `shape` can be answered without reading a column, and whatever follows relies on it; `content`
reads the batch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from validation.contract import Expectation, Rule
from validation.suites.queries import text

if TYPE_CHECKING:
    from validation.contract import Table

COLUMNS, TYPES, ROWS, ROW_RULES, KEY_UNIQUE, REJECTED_SHARE = "columns", "types", "rows", "row_rules", "key_unique", "rejected_share"
MISSING = "missing_"  # and the column: the name under which the runner refuses the same row


@dataclass(frozen=True)
class Columns:
    """The batch has exactly these columns, in any order."""

    names: tuple[str, ...]
    name: str = COLUMNS


@dataclass(frozen=True)
class Types:
    """Each column has its declared type, as (column, type) pairs."""

    types: tuple[tuple[str, str], ...]
    name: str = TYPES


@dataclass(frozen=True)
class Rows:
    """The batch has between `low` and `high` rows (`high` may be open)."""

    low: int
    high: int | None = None
    name: str = ROWS


@dataclass(frozen=True)
class RowRules:
    """Every row keeps every one of these rules; they are asked in one pass, and the answer names the rules broken."""

    rules: tuple[Rule, ...]
    name: str = ROW_RULES


@dataclass(frozen=True)
class UniqueKey:
    """No two rows share a key; as in SQL, a row whose key holds a null equals no other."""

    columns: tuple[str, ...]
    nullable: tuple[str, ...] = ()
    name: str = KEY_UNIQUE


@dataclass(frozen=True)
class Statistic:
    """A statistic of the whole batch lies within the declared bounds."""

    expectation: Expectation

    @property
    def name(self) -> str:
        """The expectation's own name."""
        return self.expectation.name


Item = Columns | Types | Rows | RowRules | UniqueKey | Statistic


def suite_version(table: Table) -> str:
    """Return 12 hex digits over all that a table's suite asks: another declaration is another version."""
    asked = repr((table.name, shape(table), content(table), table.rejected_share))
    return hashlib.sha256(asked.encode()).hexdigest()[:12]


def shape(table: Table) -> tuple[Item, ...]:
    """Return what must hold before any column is read: columns, types, number of rows."""
    return Columns(table.names), Types(tuple((c.name, c.dtype) for c in table.columns)), _rows(table)


def content(table: Table) -> tuple[Item, ...]:
    """Return what is asked of the rows of a batch that has some: row rules, key, statistics."""
    rules = row_rules(table)
    nullable = tuple(name for name in table.key if not table.by_name[name].required)
    return (
        *((RowRules(rules),) if rules else ()),
        *((UniqueKey(table.key, nullable),) if table.key else ()),
        *(Statistic(e) for e in table.expectations if e.statistic not in ("rows", "values")),
    )


def row_rules(table: Table) -> tuple[Rule, ...]:
    """Return everything that is asked of single rows: required values, the declared rules, the lists of allowed values."""
    return (
        *(Rule(f"{MISSING}{name}", f"{name} IS NOT NULL", f"{name} is always known") for name in table.required),
        *table.rules,
        *(_allowed(e) for e in table.expectations if e.statistic == "values"),
    )


def _rows(table: Table) -> Rows:
    declared = [e for e in table.expectations if e.statistic == "rows"]
    lowest = 0 if table.may_be_empty else 1
    lows = [int(e.low) for e in declared if e.low is not None]
    highs = [int(e.high) for e in declared if e.high is not None]
    return Rows(max([lowest, *lows]), min(highs) if highs else None)


def _allowed(expectation: Expectation) -> Rule:
    listed = ", ".join(text(value) for value in expectation.allowed)
    column = expectation.column
    return Rule(expectation.name, f"{column} IS NULL OR {column} IN ({listed})", f"one of {', '.join(expectation.allowed)}")
