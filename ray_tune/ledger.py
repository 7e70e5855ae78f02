"""What the lake keeps of models: every finished training, every decision of a person. It is read without MLflow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.contracts.delivery import APPROVALS, TRAININGS
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema
from validation.contract import did_you_mean
from validation.verdict import Refused, WrongUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.lake.arrow import ArrowLake
    from validation.contract import Table

PASSED, APPROVED = "passed", "approved"


def trained(lake: ArrowLake, model: str, fingerprint: str) -> dict[str, Any] | None:
    """Return the training of exactly these examples, settings and code, if there was one."""
    found = [row for row in _rows(lake, TRAININGS, model) if row["fingerprint"] == fingerprint]
    return found[0] if found else None


def training(lake: ArrowLake, model: str, version: str) -> dict[str, Any]:
    """Return the training that made a version; an unknown version raises `WrongUse`."""
    known = {str(row["version"]): row for row in _rows(lake, TRAININGS, model) if row["version"]}
    if version not in known:
        tail = did_you_mean(version, known) if known else "; none was trained yet"
        raise WrongUse(f"{model!r} has no version {version!r}{tail}")
    return known[version]


def keep(lake: ArrowLake, row: Mapping[str, object]) -> None:
    """Write one training; written before, it is replaced by the same."""
    frame = pa.Table.from_pylist([dict(row)], schema=arrow_schema(TRAININGS))
    lake.merge(TRAININGS, frame, Note(run=str(row["fingerprint"])))


def decide(lake: ArrowLake, model: str, version: str, by: str, at: datetime | None = None) -> str:
    """Write down that a person wants a version to serve, unless it serves already; return a sentence.

    The author's own word, and a version whose gate failed, raise `Refused`; an unknown version, or no name, `WrongUse`.
    """
    wanted, name = training(lake, model, version), by.strip()
    if not name:
        raise WrongUse("an approval names the person who decides: --by NAME")
    if name.casefold() == str(wanted["author"]).strip().casefold():
        raise Refused(f"version {version} of {model!r} was trained by whoever would approve it: somebody else decides whether it serves")
    if wanted["gate"] != PASSED:
        raise Refused(f"version {version} of {model!r} did not pass its gate: {wanted['reason']}")
    if serving(lake, model) == version:
        return f"version {version} of {model!r} serves already"
    row = {"model": model, "version": version, "by": name, "author": wanted["author"], "decision": APPROVED}
    frame = pa.Table.from_pylist([row | {"decided_at": at or datetime.now(UTC)}], schema=arrow_schema(APPROVALS))
    lake.append(APPROVALS, frame, Note(run=str(wanted["fingerprint"])))
    return f"version {version} of {model!r} serves from now on, approved by {name}"


def serving(lake: ArrowLake, model: str) -> str | None:
    """Return the version that was approved last, or None."""
    decided = sorted(_rows(lake, APPROVALS, model), key=lambda row: row["decided_at"])
    return str(decided[-1]["version"]) if decided else None


def _rows(lake: ArrowLake, table: Table, model: str) -> list[dict[str, Any]]:
    return [row for row in lake.read(table).to_pylist() if row["model"] == model]
