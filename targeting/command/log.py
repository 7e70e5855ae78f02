"""`overtone log`: the last runs on a lake, a line each, or what one of them told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.console import whole
from jobs.journal import log_of
from jobs.lake.address import Address
from jobs.lines import read
from targeting.command.reply import Reply, table
from validation.verdict import WrongUse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

HELP = "show the last runs on a lake, or what one of them did"
EXAMPLE = "overtone log --run 20261110-0412"
COLUMNS = ("run", "command", "state", "exit_code", "seconds", "published", "held_back", "error")
HEAD = ("time", "level", "event", "run", "command")  # of every line


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--run", metavar="ID", help="what this run told; the first letters of its id are enough")
    parser.add_argument("--last", type=whole(1), default=20, metavar="N", help="runs to list (default: 20)")


def run(options: argparse.Namespace) -> Reply:
    """List runs, newest last, or one run's events."""
    if options.run is not None and not options.run.strip():
        raise WrongUse(f"--run {options.run!r} is empty; overtone log lists the runs")
    path = log_of(Address.choose(options.lake))
    runs: dict[str, list[dict[str, Any]]] = {}
    for line in read(path):
        runs.setdefault(str(line.get("run")), []).append(line)
    if options.run is None:
        rows = [told(name, lines) for name, lines in list(runs.items())[-options.last :]]
        return Reply(rows, table(rows, COLUMNS, empty=f"nothing was logged yet in {path}"))
    chosen = [name for name in runs if name.startswith(options.run)]
    if len(chosen) != 1:
        found = f"{len(chosen)} runs are called so: {', '.join(chosen[-5:])}" if chosen else "there is none"
        raise WrongUse(f"--run {options.run}: {found} in {path}; overtone log lists them")
    lines = runs[chosen[0]]
    shown = [{"time": line.get("time"), "event": line.get("event"), "what": _words(line)} for line in lines]
    return Reply(lines, table(shown, ("time", "event", "what"), empty=""))


def told(name: str, lines: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Return a run in one row. One that never ended was killed, or is still going."""
    by_event: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_event.setdefault(str(line.get("event")), []).append(line)
    end, error = (by_event.get(event, [{}])[-1] for event in ("ended", "error"))
    return {
        "run": name,
        "command": lines[0].get("command"),
        "state": end.get("state", "running or killed"),
        "exit_code": end.get("exit_code"),
        "seconds": end.get("seconds"),
        **{event: len(by_event.get(event, ())) for event in ("published", "held_back")},
        "error": error.get("sentence") or " at ".join(filter(None, (error.get("kind"), *error.get("frames", ())[-1:]))),
    }


def _words(line: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in line.items() if name not in HEAD and value not in (None, {}, ""))
