"""What a demo came to, in ten lines: taken from the same values as its page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.contracts.events import PLAYS
from jobs.contracts.silver import LISTENS, SESSIONS
from targeting.wording import counted, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jobs.console import Dates
    from jobs.lake.arrow import ArrowLake
    from targeting.page import PageData

NOBODY = "none"


def digest(lake: ArrowLake, data: PageData, dates: Dates, *, exports: Path, page: Path) -> dict[str, str]:
    """Return one sentence a subject, in the order of the flow; `dates` are those that were worked on."""
    taken, checks = data.taken, data.checks
    built = [one for one in data.audiences if one["state"] == "built"]
    left = [one for one in data.audiences if one["state"] != "built"]
    failed = f"{checks['failed']:,} failed: those batches were held back" if checks["failed"] else "none failed"
    came = f"{counted(taken['rows_in'], 'record')} of {counted(taken['files'], 'file')}"
    return {
        "taken in": f"{came}: {taken['kept']:,} kept, {taken['deduplicated']:,} known already",
        "quarantined": f"{counted(taken['quarantined'], 'record')} ({share(taken['quarantined'], taken['rows_in'])}){_reasons(data)}",
        "listening": _listening(lake, dates),
        "may be reached": _reach(data),
        "model": _model(data),
        "clusters": ", ".join(f"{one['name']} {one['size']}" for one in data.clusters) or f"{NOBODY}: too few listeners",
        "audiences": _listed(f"{one['audience']} {one['listeners']:,}" for one in built),
        "not built": _listed(f"{one['audience']} ({one['reason']})" for one in left),
        "exported": _exported(exports, data.date),
        "checks": f"{checks['all']:,} on {counted(checks['tables'], 'table')}, {failed}",
        "page": near(page),
    }


def lines(told: Mapping[str, str]) -> str:
    """Lay the digest out, subjects in one column."""
    width = max(len(name) for name in told)
    return "\n".join(f"{name:{width}}  {words}" for name, words in told.items())


def near(path: Path) -> str:
    """Return a path as one would type it here: relative where it lies below the working folder."""
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else str(whole)


def _reasons(data: PageData) -> str:
    most = ", ".join(f"{bar.label} {bar.value:,}" for bar in data.refused[:3])
    return f": {most}{' ...' if len(data.refused) > 3 else ''}" if most else ""  # noqa: PLR2004  # the three told here


def _listening(lake: ArrowLake, dates: Dates) -> str:
    older = sum(day < dates[0].isoformat() for day in lake.files(PLAYS))
    left = f"; {counted(older, 'older date')} with plays left alone" if older else ""
    return f"{counted(lake.count(LISTENS), 'play')} in {counted(lake.count(SESSIONS), 'session')}, {dates[0]} to {dates[-1]}{left}"


def _reach(data: PageData) -> str:
    heard, mine = int(data.consent[0].value), int(data.consent[3].value)
    said = f"{mine:,} of {counted(heard, 'listener')} agreed and are known to be adult"
    if data.assumed:
        said = f"{mine:,} of {counted(heard, 'listener')}; their consent is ASSUMED, so nothing is exported"
    return said


def _model(data: PageData) -> str:
    if data.model is None:
        return f"{NOBODY}: {data.model_note[0].lower()}{data.model_note[1:].rstrip('.')}"
    name, _, found = data.model["metrics"][0]
    value, low, high = ("-" if found[end] is None else f"{found[end]:.3f}" for end in ("value", "low", "high"))
    serving: Any = data.model["champion"]
    alone = "nobody approved a version" if data.model["gate"]["passed"] else "it failed its gate, so nobody may approve it"
    who = f"version {serving['version']} serves, approved by {serving['by']}" if serving else alone
    return f"{data.model['name']}: {name} {value} [{low}, {high}]; {who}"


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts) or NOBODY


def _exported(exports: Path, day: str) -> str:
    found = sorted(path.parent.name for path in (exports / day).glob("[!.]*/manifest.json"))
    return f"{counted(len(found), 'audience')} in {near(exports / day)}" if found else NOBODY
