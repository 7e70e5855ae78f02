"""Data Docs: what every table promises and what its audits found, as HTML files that need nothing else to be read.

render(TABLES.values(), rows_of_ops_verdicts, Path("build/docs"))
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from validation.suites.checks import promised
from validation.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from validation.contract import Table

PASSED, HELD_BACK, NOT_AUDITED = "passed", "held back", "not audited"  # of a table or a batch
BROKEN, NOT_ASKED = "broken", "not asked"  # of a rule
LOOKS = {PASSED: "passed", HELD_BACK: "broken", BROKEN: "broken", NOT_AUDITED: "unknown", NOT_ASKED: "unknown"}  # state -> CSS class
HISTORY = 60  # newest runs of a table that its page lists
LONGEST_SQL = 160  # characters of a predicate worth showing beside its meaning
Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One audited batch of one table."""

    run: str
    dates: str
    audited_at: datetime
    rows: int
    rejected: int
    checks: tuple[Check, ...]

    @property
    def at(self) -> str:
        """When it was audited, to the minute."""
        return f"{self.audited_at:%Y-%m-%d %H:%M}"

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.success)

    @property
    def state(self) -> str:
        """Passed or held back."""
        return HELD_BACK if self.failures else PASSED

    @property
    def look(self) -> str:
        """The CSS class of its state."""
        return LOOKS[self.state]


@dataclass(frozen=True)
class Line:
    """One rule on a table's page: what is expected, and what the last audit observed."""

    rule: str
    expected: str
    sql: str
    observed: str = ""
    state: str = NOT_ASKED

    @property
    def look(self) -> str:
        """The CSS class of its state."""
        return LOOKS[self.state]


@dataclass(frozen=True)
class Report:
    """A table with its audits, newest first."""

    table: Table
    runs: tuple[Run, ...]

    @property
    def layer(self) -> str:
        """The part of the name before the dot."""
        return self.table.name.split(".")[0]

    @property
    def href(self) -> str:
        """The table's page, beside the index."""
        return f"{self.table.name}.html"

    @property
    def last(self) -> Run | None:
        """The newest audit."""
        return self.runs[0] if self.runs else None

    @property
    def state(self) -> str:
        """What the newest audit found."""
        return self.last.state if self.last else NOT_AUDITED

    @property
    def look(self) -> str:
        """The CSS class of its state."""
        return LOOKS[self.state]

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every rule of the table in the order it is asked, then what the last audit asked beyond that; the broken ones first."""
        found = {check.rule: check for check in self.last.checks} if self.last else {}
        sql = {rule.name: rule.predicate for rule in self.table.rules if len(rule.predicate) <= LONGEST_SQL}
        asked = {check.rule: check for check in promised(self.table)}
        lines = [_line(check, found.get(check.rule), sql.get(check.rule, "")) for check in (asked | found).values()]
        return tuple(sorted(lines, key=lambda line: line.state != BROKEN))


def render(tables: Iterable[Table], verdicts: Iterable[Mapping[str, Any]], folder: Path) -> Path:
    """Write an index and a page a table below `folder` (made if need be) and return the index.

    `verdicts` are rows of ops.verdicts as plain mappings, in any order. Files of an earlier rendering are replaced.
    """
    rows = sorted((dict(row) for row in verdicts), key=lambda row: str(row["target"]))
    runs = {target: _runs(list(group)) for target, group in groupby(rows, key=lambda row: str(row["target"]))}
    reports = [Report(table, runs.pop(table.name, ())) for table in tables]
    environment = Environment(loader=PackageLoader("validation", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    folder.mkdir(parents=True, exist_ok=True)
    for report in reports:
        page = environment.get_template("docs_table.html").render(report=report)
        (folder / report.href).write_text(page, encoding="utf-8")
    latest = max((report.last.at for report in reports if report.last), default="")
    layers = [(layer, [report for report in reports if report.layer == layer]) for layer in dict.fromkeys(r.layer for r in reports)]
    index = folder / "index.html"
    page = environment.get_template("docs_index.html").render(reports=reports, layers=layers, latest=latest, strangers=sorted(runs))
    index.write_text(page, encoding="utf-8")
    return index


def _runs(rows: list[Row]) -> tuple[Run, ...]:
    by_run: dict[str, list[Row]] = {}
    for row in rows:
        by_run.setdefault(str(row["run"]), []).append(row)
    runs = [_run(run, found) for run, found in by_run.items()]
    return tuple(sorted(runs, key=lambda run: run.audited_at, reverse=True)[:HISTORY])


def _run(run: str, rows: list[Row]) -> Run:
    first = rows[0]
    checks = tuple(
        Check(str(row["rule"]), bool(row["success"]), row["observed"] or "", row["expected"] or "", int(row["failed_rows"])) for row in rows
    )
    at: datetime = max(row["audited_at"] for row in rows)
    return Run(run, str(first["dates"]), at.astimezone(UTC), int(first["rows"]), int(first["rejected"]), checks)


def _line(asked: Check, found: Check | None, sql: str) -> Line:
    if found is None:
        return Line(asked.rule, asked.expected, sql)
    return Line(asked.rule, asked.expected, sql, found.observed, PASSED if found.success else BROKEN)
