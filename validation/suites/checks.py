"""From what was counted to a check in words: pure functions, one a kind of item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from validation.suites.suite import REJECTED_SHARE, Columns, Item, RowRules, Rows, Statistic, Types, UniqueKey, content, shape
from validation.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from validation.contract import Rule, Table


def promised(table: Table) -> tuple[Check, ...]:
    """Return every check an audit of a table makes, as an unharmed batch of one row would answer it."""
    return (*(check for item in (*shape(table), *content(table)) for check in _unharmed(item)), rejected_check(table, 1, 0))


def _unharmed(item: Item) -> tuple[Check, ...]:
    match item:
        case Columns(names):
            return (columns_check(item, names),)
        case Types():
            return (types_check(item, {}),)
        case Rows():
            return (rows_check(item, 1, success=True),)
        case RowRules(rules):
            return tuple(rule_check(rule, 0, ()) for rule in rules)
        case UniqueKey():
            return (key_check(item),)
        case Statistic():
            return (statistic_check(item, None, success=True),)


def columns_check(item: Columns, found: Sequence[str]) -> Check:
    """Compare the columns found with the declared ones."""
    parts = [
        f"{what} {', '.join(names)}"
        for what, names in (("missing", _without(item.names, found)), ("unexpected", _without(found, item.names)))
        if names
    ]
    return Check(item.name, not parts, "; ".join(parts) or f"{len(item.names)} columns", f"exactly the {len(item.names)} declared columns")


def types_check(item: Types, wrong: Mapping[str, str]) -> Check:
    """Say which columns have another type than declared; `wrong` maps them to what they have."""
    declared = dict(item.types)
    parts = [f"{name} is {dtype}, not {declared[name]}" for name, dtype in wrong.items()]
    return Check(item.name, not parts, "; ".join(parts) or "as declared", "the declared types")


def rows_check(item: Rows, rows: int, *, success: bool) -> Check:
    """Say how many rows there are."""
    return Check(item.name, success, f"{rows:,}", bounds(item.low, item.high))


def rejected_check(table: Table, rows: int, rejected: int) -> Check:
    """Compare the share of rows split off before the audit with the table's limit."""
    share = rejected / (rows + rejected) if rejected else 0.0
    return Check(REJECTED_SHARE, share <= table.rejected_share, f"{share:.2%}", f"at most {table.rejected_share:.2%}", rejected)


def rule_check(rule: Rule, broken_rows: int, keys: tuple[str, ...]) -> Check:
    """Say how many rows break a rule, and name some."""
    return Check(rule.name, not broken_rows, _counted(broken_rows, "row") if broken_rows else "every row", rule.meaning, broken_rows, keys)


def key_check(item: UniqueKey, keys: int = 0, rows: int = 0, named: tuple[str, ...] = ()) -> Check:
    """Say how many keys stand more than once, and in how many rows."""
    observed = f"{_counted(keys, 'key')} in {_counted(rows, 'row')}" if keys else "every key once"
    return Check(item.name, not keys, observed, f"every ({', '.join(item.columns)}) once", rows, named)


def statistic_check(item: Statistic, observed: float | None, *, success: bool) -> Check:
    """Say what a statistic is; `observed` is None where there was no value to take it of."""
    shown = "no value" if observed is None else f"{observed:,.6g}"
    return Check(item.name, success, shown, bounds(item.expectation.low, item.expectation.high))


def bounds(low: float | None, high: float | None) -> str:
    """Spell an interval, either end of which may be open."""
    if low is not None and high is not None:
        return f"{low:,g} to {high:,g}" if low != high else f"{low:,g}"
    if low is not None:
        return f"at least {low:,g}"
    return f"at most {high:,g}" if high is not None else "anything"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _without(names: Sequence[str], others: Sequence[str]) -> list[str]:
    return [name for name in names if name not in set(others)]
