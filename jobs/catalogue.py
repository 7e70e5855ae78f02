"""Every table of the platform, left to right as data flows; importable without Spark, Delta or pandas.

`truth.*` tables of the known-truth world are not here: no pipeline job may read them.
"""

from __future__ import annotations

from jobs.contracts.context import CONTEXT
from jobs.contracts.delivery import DELIVERY
from jobs.contracts.derived import DERIVED
from jobs.contracts.events import EVENTS
from jobs.contracts.fans import FANS
from jobs.contracts.operations import OPERATIONS
from jobs.contracts.portraits import PORTRAITS
from jobs.contracts.silver import SILVER
from validation.contract import Table, did_you_mean
from validation.verdict import WrongUse

TABLES: dict[str, Table] = {
    table.name: table for table in (*EVENTS, *SILVER, *CONTEXT, *DERIVED, *FANS, *PORTRAITS, *DELIVERY, *OPERATIONS)
}


def table(name: str) -> Table:
    """Return the table called `name`; a wrong name raises `WrongUse` with the nearest right one."""
    if name not in TABLES:
        raise WrongUse(f"unknown table {name!r}{did_you_mean(name, TABLES)}")
    return TABLES[name]


def schemas() -> str:
    """Return one line of DDL a table: the golden file tests/schemas.txt."""
    lines = (f"{t.name} KEY({', '.join(t.key)}) PARTITION({', '.join(t.partition)}) {t.ddl}" for t in TABLES.values())
    return "\n".join(lines) + "\n"
