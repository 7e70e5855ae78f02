"""Where a feed brings no statements of consent: what the operator says of its listeners."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from jobs.console import located
from jobs.contracts.events import AGE_BANDS, CONSENTS
from jobs.sources.moments import EARLIEST
from jobs.sources.pseudonym import pseudonym
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.parsing import Taking

KINDS = ("none", "file", "assume")
COLUMNS = ("user", "consent", "age_band", "from")


@dataclass(frozen=True)
class Statement:
    """One line of a consent file: whose, what, from when on; `position` is its line number, from 0."""

    listener_id: str
    consent: str
    age_band: str
    since: date
    time_zone: str | None
    position: int

    @property
    def moment(self) -> datetime:
        """When it begins to hold: the start of its date, UTC."""
        return datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC)


def basis_of(text: str) -> tuple[str, Path | None]:
    """Read `none`, `assume` or `file:consent.csv`; anything else raises `WrongUse`."""
    kind, _, rest = text.partition(":")
    if kind not in KINDS or (kind == "file") != bool(rest):
        raise WrongUse(f"--basis {text!r}: choose none, assume or file:consent.csv")
    return kind, located(rest) if rest else None


def statements(path: Path, taking: Taking) -> list[Statement]:
    """Read a consent file (CSV: user, consent, age_band, from and, if known, time_zone); a wrong value names its line."""
    if not path.is_file():
        raise WrongUse(f"--basis file: there is no file {str(path)!r}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise WrongUse(f"--basis file: {str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"{path}: byte {error.start} is no UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    except csv.Error as error:
        raise WrongUse(f"{path}: the header cannot be read: {error}") from error
    if missing:
        raise WrongUse(f"{path}: the header lacks {', '.join(missing)}; needed: {', '.join(COLUMNS)}")
    try:
        return [_statement(row, reader.line_num, path, taking) for row in reader]
    except csv.Error as error:
        raise WrongUse(f"{path}, line {reader.line_num + 1}: {error}") from error


def _shown(value: str | None) -> str:
    return repr(value if value is None else value[:80])


def _statement(row: dict[str, str], number: int, path: Path, taking: Taking) -> Statement:
    where = f"{path}, line {number}"
    if not (row["user"] or "").strip():
        raise WrongUse(f"{where}: user is empty")
    for name, choices in (("consent", CONSENTS), ("age_band", AGE_BANDS)):
        if row[name] not in choices:
            raise WrongUse(f"{where}: unknown {name} {_shown(row[name])}{did_you_mean(row[name] or '', choices)}")
    zone = (row.get("time_zone") or "").strip() or None
    if zone and zone not in available_timezones():
        raise WrongUse(f"{where}: unknown time_zone {_shown(zone)}{did_you_mean(zone, available_timezones())[:80]}")
    try:
        since = date.fromisoformat(row["from"] or "")
    except ValueError as error:
        raise WrongUse(f"{where}: from is {_shown(row['from'])}, no date of the form 2026-11-01") from error
    if since < EARLIEST.date():
        raise WrongUse(f"{where}: from is {since}; the earliest that can hold is {EARLIEST.date()}")
    if since > taking.clock.date():
        raise WrongUse(f"{where}: from is {since}, which lies ahead; the latest that can hold is {taking.clock.date()}")
    who = pseudonym(taking.key, taking.source, row["user"].strip())
    return Statement(who, row["consent"], row["age_band"], since, zone, number - 1)
