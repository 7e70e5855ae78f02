"""The lake that a command works on, and what to say where it holds nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.catalogue import TABLES
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.versions import ISO
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

FIRST_STEP = "take a feed in (overtone ingest --help), or see everything run once (overtone demo)"


def opened(option: str | None) -> ArrowLake:
    """Return the lake at that address."""
    return ArrowLake(Address.choose(option))


def nothing(lake: ArrowLake, otherwise: str) -> str:
    """Return what to say where a table has no row: a lake without any table asks for its first step."""
    if any(lake.exists(table) for table in TABLES.values()):
        return otherwise
    return f"{lake.address.uri} is empty: {FIRST_STEP}"


def among(day: date, known: Iterable[str], what: str, mend: str) -> None:
    """Raise `WrongUse` unless something is published for a date, naming the dates for which it is."""
    dates = sorted(one for one in known if ISO.fullmatch(one))
    if day.isoformat() not in dates:
        said = f"there are some of {dates[0]} to {dates[-1]}" if dates else "there are none at all"
        raise WrongUse(f"no {what} of {day} are published; {said} ({mend})")
