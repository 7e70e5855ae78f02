"""Exports of audiences: one file a form, one line here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jobs.contracts.delivery import AUDIENCES
from jobs.journal import tell
from jobs.run import NOTHING, PUBLISHED, Outcome
from targeting.exports.csv_file import Csv
from targeting.exports.deliver import deliver, take_back
from targeting.exports.parquet import Parquet
from validation.verdict import Refused

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from jobs.lake.arrow import ArrowLake
    from targeting.exports.port import Writer

EXPORTS: dict[str, Writer] = {"parquet": Parquet(), "csv": Csv()}


def export(lake: ArrowLake, day: date, folder: Path) -> Outcome:
    """Deliver every built audience of a date that the release gate lets go; say which were kept back and why.

    The outcome's rows are the audiences that lie there now, its rejected ones those that the gate kept back.
    What was delivered before and is released no more is taken back.
    """
    fresh: dict[str, bool] = {}
    refused = []
    for row in lake.read(AUDIENCES, [day]).to_pylist():
        if row["state"] != "built":
            continue
        form = json.loads(row["definition"])["export"]
        try:
            fresh[row["audience"]] = deliver(lake, row, day, folder, EXPORTS[form])
        except Refused as error:
            refused.append(str(error))
            tell("refused", name=row["audience"], dates=str(day), gate="release")
    back, written = take_back(lake, day, folder, fresh), sum(fresh.values())
    parts = [f"{written} audience{'s' if written != 1 else ''} written to {folder}" if written else "nothing to write"]
    if len(fresh) > written:
        parts.append(f"{len(fresh) - written} there already")
    if back:
        parts.append(f"{back} taken back")
    sentence = f"export: {', '.join(parts)}" + "".join(f"\n        {reason}" for reason in refused)
    state = PUBLISHED if written or back else NOTHING
    tell("exported", dates=str(day), state=state, rows=len(fresh))
    return Outcome("exports", state, (day,), len(fresh), rejected=len(refused), sentence=sentence)
