"""What every command line shares: dates and names read, errors said in a line, exit codes kept."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from jobs.lake.faults import fault
from validation.verdict import INTERRUPTED, OvertoneError, Unheard, WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Dates = tuple[date, ...]
FIRST, LAST = date(1970, 1, 1), date(2200, 12, 31)  # no event lies outside, and windows of months around a date stay in the calendar
LONGEST = 200  # characters of a name
SEEDS = 1 << 32
MOST_TRIALS = 10_000  # of one search, each of which trains a model
MOST_DAYS = 30 * 366  # of a range: the longest feeds span some twenty years, and every stage asks of each date what it depends on


def add_dates(parser: argparse.ArgumentParser) -> None:
    """Add --date, or --from and --to, to a parser."""
    parser.add_argument("--date", type=iso_date, help="one UTC date, such as 2026-11-01")
    parser.add_argument("--from", dest="first", type=iso_date, help="first date of a range")
    parser.add_argument("--to", dest="last", type=iso_date, help="last date of a range")


class Parser(argparse.ArgumentParser):
    """Takes an option by its whole name alone: `--lak` is a slip of the keyboard, and may be another option tomorrow."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"allow_abbrev": False})


def iso_date(text: str) -> date:
    """Read a date of the form 2026-11-01."""
    wrong = argparse.ArgumentTypeError(f"{text!r} is no date of the form 2026-11-01")
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise wrong from error
    if found.isoformat() != text:  # Python reads 20261101 and 2026-W44-7 too
        raise wrong
    if not FIRST <= found <= LAST:
        raise argparse.ArgumentTypeError(f"{text!r} lies too far off; choose between {FIRST} and {LAST}")
    return found


def iso_moment(text: str) -> datetime:
    """Read a moment of the form 2026-11-10T06:00, UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment of the form 2026-11-10T06:00") from error
    if not FIRST <= found.date() <= LAST:
        raise argparse.ArgumentTypeError(f"{text!r} lies too far off; choose between {FIRST} and {LAST}")
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def somebody(text: str) -> str:
    """Read a person's name."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is empty; give a name")
    if not text.isprintable() or len(text) > LONGEST:
        raise argparse.ArgumentTypeError(f"{text[:LONGEST]!r} is no name; give one of printable characters, {LONGEST} at most")
    return text


def whole(least: int, most: int = 10**9) -> Callable[[str], int]:
    """Return what reads a whole number from `least` to `most`, written in plain digits."""

    def read(text: str) -> int:
        if re.fullmatch(r"-?[0-9]{1,18}", text) and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text[:LONGEST]!r} will not do; give a whole number from {least} to {most}")

    return read


def a_path(text: str) -> Path:
    """Read the path of a file or folder, which need not be there yet."""
    try:
        return located(text)
    except WrongUse as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def located(text: str) -> Path:
    """Return a path as a person types it, `~` and all; one at which this machine cannot even look raises `WrongUse`."""
    if not text.strip():
        raise WrongUse(f"{text!r} is empty; give a path")
    if "://" in text:  # else a folder called s3: would be made here
        raise WrongUse(f"{text!r} is a URI; give a path on this machine")
    try:
        found = Path(text).expanduser()
    except RuntimeError as error:
        raise WrongUse(f"{text!r}: there is no user of that name; ./ before it makes it a name like any other") from error
    _looked_at(found, repr(text))
    return found


def no_file(what: str, path: Path) -> None:
    """Raise `WrongUse` if no folder can be at a path that is to be one, for there is a file, or a name that no disk takes."""
    said = f"{what} {str(path)!r}"
    if _looked_at(path, said) and not path.is_dir():
        raise WrongUse(f"{said} is a file; give a folder")


def _looked_at(path: Path, said: str) -> bool:
    """Say whether anything is there."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise WrongUse(f"{said} is no path to use: {getattr(error, 'strerror', None) or error}") from error
    return True


def asked(options: argparse.Namespace) -> Dates:
    """Return the dates that --date, or --from and --to, name."""
    if options.date and not (options.first or options.last):
        return (options.date,)
    if options.first and options.last and not options.date:
        many = (options.last - options.first).days + 1
        if many > MOST_DAYS:
            raise WrongUse(f"--from {options.first} --to {options.last} are {many:,} dates; ask for {MOST_DAYS:,} at most")
        return days(options.first, options.last)
    raise WrongUse("name the dates: either --date, or --from together with --to")


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the words of a command line; help is an answer like any other, and ends the process like wrong words do."""
    found: list[argparse.Namespace] = []

    def read() -> None:
        told = io.StringIO()
        try:
            with redirect_stdout(told), redirect_stderr(told):
                for word in sys.argv[1:] if argv is None else argv:
                    if word.startswith("--") and word.endswith("=--"):  # older argparse makes a list of it
                        parser.error(f"argument {word[:-3]}: '--' is no value")
                found.append(parser.parse_args(argv))
        except SystemExit as end:
            if end.code:
                note(told.getvalue(), end="")
                raise
            say(told.getvalue(), end="")

    code = guarded(read, parser.prog)
    if not found:
        sys.exit(code)
    return found[0]


def guarded(action: Callable[[], None], who: str = "overtone") -> int:
    """Run an action; say an error of ours, or of the store, in one line on stderr and return its exit code, 0 if there was none."""
    spell_out()
    try:
        action()
    except OvertoneError as error:
        if error.exit_code != Unheard.left:  # who left needs no word about it
            note(f"{who}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        note(f"{who}: interrupted; run it again to go on")
        return INTERRUPTED
    except Exception as error:
        said = fault(error)
        if said is None:
            raise
        note(f"{who}: {said}")
        return OvertoneError.exit_code
    return 0


def say(text: str, end: str = "\n") -> None:
    """Write an answer to standard output, at once; where that cannot be done, `Unheard` says so."""
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except OSError as error:
        _forget(sys.stdout)
        raise Unheard(error) from error


def note(text: str, end: str = "\n") -> None:
    """Write to standard error what goes on meanwhile: that nobody hears it is no reason to stop."""
    try:
        sys.stderr.write(text + end)
        sys.stderr.flush()
    except OSError:
        _forget(sys.stderr)


def _forget(stream: TextIO) -> None:
    """Let what a stream still holds, and gets from now on, go nowhere: else Python would complain of it at the end."""
    with suppress(OSError), Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def spell_out() -> None:
    """Let standard output spell characters that its encoding lacks, as \\xe9, like standard error does: an answer is no reason to fail.

    A stream that was closed before the start goes nowhere, so that no file gets its number.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - for as long as the process runs
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def days(first: date, last: date) -> Dates:
    """Return the dates from first to last, both included; last before first raises `WrongUse`."""
    if last < first:
        raise WrongUse(f"--from {first} lies after --to {last}")
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
