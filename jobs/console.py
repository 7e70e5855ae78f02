"""What every command line shares: dates and names read, errors said in a line, exit codes kept."""

from __future__ import annotations

import argparse
import io
import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING

from jobs.lake.faults import fault
from validation.verdict import OvertoneError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable

Dates = tuple[date, ...]


def add_dates(parser: argparse.ArgumentParser) -> None:
    """Add --date, or --from and --to, to a parser."""
    parser.add_argument("--date", type=iso_date, help="one UTC date, such as 2026-11-01")
    parser.add_argument("--from", dest="first", type=iso_date, help="first date of a range")
    parser.add_argument("--to", dest="last", type=iso_date, help="last date of a range")


def iso_date(text: str) -> date:
    """Read a date of the form 2026-11-01."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of the form 2026-11-01") from error


def somebody(text: str) -> str:
    """Read a person's name."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is empty; give a name")
    return text


def asked(options: argparse.Namespace) -> Dates:
    """Return the dates that --date, or --from and --to, name."""
    if options.date and not (options.first or options.last):
        return (options.date,)
    if options.first and options.last and not options.date:
        return days(options.first, options.last)
    raise WrongUse("name the dates: either --date, or --from together with --to")


def guarded(action: Callable[[], None], who: str = "overtone") -> int:
    """Run an action; say an error of ours, or of the store, in one line on stderr and return its exit code, 0 if there was none."""
    spell_out()
    try:
        action()
    except OvertoneError as error:
        sys.stderr.write(f"{who}: {error}\n")
        return error.exit_code
    except Exception as error:
        said = fault(error)
        if said is None:
            raise
        sys.stderr.write(f"{who}: {said}\n")
        return OvertoneError.exit_code
    return 0


def spell_out() -> None:
    """Let standard output spell characters that its encoding lacks, as \\xe9, like standard error does: an answer is no reason to fail."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def days(first: date, last: date) -> Dates:
    """Return the dates from first to last, both included; last before first raises `WrongUse`."""
    if last < first:
        raise WrongUse(f"--from {first} lies after --to {last}")
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
