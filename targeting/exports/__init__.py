"""Exports of audiences: one file a form, one line here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jobs.contracts.delivery import AUDIENCES
from jobs.run import NOTHING, PUBLISHED, Outcome
from targeting.exports.csv_file import Csv
from targeting.exports.deliver import deliver
from targeting.exports.parquet import Parquet
from validation.verdict import Refused

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from jobs.lake.arrow import ArrowLake
    from targeting.exports.port import Writer

EXPORTS: dict[str, Writer] = {"parquet": Parquet(), "csv": Csv()}


def export(lake: ArrowLake, day: date, folder: Path) -> Outcome:
    """Deliver every built audience of a date that the release gate lets go; say which were kept back and why."""
    written, kept, refused = 0, 0, []
    for row in lake.read(AUDIENCES, [day]).to_pylist():
        if row["state"] != "built":
            continue
        form = json.loads(row["definition"])["export"]
        try:
            fresh = deliver(lake, row, day, folder, EXPORTS[form])
        except Refused as error:
            refused.append(str(error))
            continue
        written, kept = written + fresh, kept + (not fresh)
    parts = [f"{written} audience{'s' if written != 1 else ''} written to {folder}" if written else "nothing to write"]
    if kept:
        parts.append(f"{kept} there already")
    sentence = f"export: {', '.join(parts)}" + "".join(f"\n        {reason}" for reason in refused)
    return Outcome("exports", PUBLISHED if written else NOTHING, (day,), written, sentence=sentence)
