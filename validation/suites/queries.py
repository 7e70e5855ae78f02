"""The SQL of an audit, as text: which rules are broken how often, which keys stand twice, what a row is called in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from validation.contract import Rule, Table
    from validation.suites.suite import UniqueKey

BATCH = "{batch}"  # what Great Expectations puts the audited frame's name in place of
DIGITS = 8  # hex digits of a row's surrogate


def broken(rule: Rule) -> str:
    """Return the predicate of rows that break a rule: those where it is false and those where it is null."""
    return f"NOT coalesce(({rule.predicate}), false)"


def broken_rules(rules: Sequence[Rule]) -> str:
    """Return one query over the batch with a row (rule, n) for each rule that n > 0 rows break."""
    counts = ", ".join(f"count_if({_literally(broken(rule))}) AS c{n}" for n, rule in enumerate(rules))
    pairs = ", ".join(f"{_literally(text(rule.name))}, c{n}" for n, rule in enumerate(rules))
    return f"SELECT rule, n FROM (SELECT stack({len(rules)}, {pairs}) AS (rule, n) FROM (SELECT {counts} FROM {BATCH})) WHERE n > 0"  # noqa: S608


def shared_hashes(key: UniqueKey) -> str:
    """Return a query with one row if two keys may be equal: their hashes are. Far cheaper than grouping by the key itself."""
    known = " AND ".join(f"{name} IS NOT NULL" for name in key.nullable)
    hashes = f"SELECT xxhash64({', '.join(key.columns)}) AS hash FROM {BATCH} WHERE {known or 'true'}"  # noqa: S608
    return f"SELECT hash FROM ({hashes}) GROUP BY hash HAVING count(*) > 1 LIMIT 1"  # noqa: S608


def label(table: Table) -> str:
    """Return the expression for what a row is called in a log.

    Plain key columns stand as `name=value`. Where a key column names a person it is left out and the row is told apart
    by its place of origin, if the table knows it, and by `#` with the first hex digits of xxhash64 over the whole key:
    enough to find the row again in the lake, and nothing to anybody without it.
    """
    plain = [name for name in table.key if not table.by_name[name].identifies]
    parts = [f"concat('{name}=', coalesce(CAST({name} AS STRING), 'null'))" for name in plain]
    if len(plain) < len(table.key):
        if {"file", "position"} <= table.by_name.keys():
            parts.append("concat(coalesce(file, 'null'), ':', coalesce(CAST(position AS STRING), 'null'))")
        parts.append(f"concat('#', {surrogate(table)})")
    return f"concat_ws(' ', {', '.join(parts)})"


def surrogate(table: Table) -> str:
    """Return the expression for the first hex digits of a key's hash."""
    return f"lower(left(lpad(hex(xxhash64({', '.join(table.key)})), 16, '0'), {DIGITS}))"


def text(value: str) -> str:
    """Return a value as an SQL string literal."""
    return "'{}'".format(value.replace("\\", "\\\\").replace("'", "\\'"))


def _literally(sql: str) -> str:
    """Double the braces of SQL that is going to be formatted."""
    return sql.replace("{", "{{").replace("}", "}}")
