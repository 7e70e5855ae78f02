"""`overtone doctor`: what this machine or this lake lacks, and what to do about it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from jobs import journal
from jobs.catalogue import TABLES
from jobs.lake import key
from jobs.lake.address import folder
from jobs.lake.faults import CHECK, fault
from targeting.command import machine
from targeting.command.machine import FINE, WARNING, WRONG, Finding
from targeting.command.place import nothing, opened
from targeting.command.reply import Reply, table
from validation.verdict import OvertoneError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from jobs.lake.arrow import ArrowLake

HELP = "say what this machine or this lake lacks, and what to do about it"
EXAMPLE = "overtone doctor"


def configure(parser: argparse.ArgumentParser) -> None:
    """There are no arguments of its own."""
    parser.set_defaults(action=None)


def run(options: argparse.Namespace) -> Reply:
    """Look at everything; the exit code is 1 if anything is wrong."""
    found = list(examine(opened(options.lake)))
    wrong, doubtful = (sum(one.state == state for one in found) for state in (WRONG, WARNING))
    said = f"{wrong} wrong, {doubtful} to be looked at" if wrong or doubtful else "nothing is wrong"
    rows = [asdict(one) for one in found]
    return Reply(rows, table(rows, ("check", "state", "found", "mend"), empty="") + f"\n\n{said}", exit_code=1 if wrong else 0)


def examine(lake: ArrowLake) -> Iterator[Finding]:
    """Yield what each look found, the machine first."""
    for look in (machine.python, machine.packages, machine.java, machine.delta, machine.memory, machine.shared_memory, machine.loopback):
        yield look()
    yield machine.disk("disk of the lake", lake.address.path or Path.cwd())
    yield machine.disk("disk for temporary files", Path(tempfile.gettempdir()))
    yield from machine.services()
    yield (store := _store(lake))
    for look_at in (_log, _key, _tables) if store.state != WRONG else (_log,):
        yield look_at(lake)


def _store(lake: ArrowLake) -> Finding:
    try:
        made = sum(lake.exists(one) for one in TABLES.values())
    except (OSError, OvertoneError) as error:
        return Finding("lake", WRONG, f"{lake.address.uri}: {fault(error) or error}", CHECK)
    return Finding("lake", FINE, f"{lake.address.uri}: {made} of {len(TABLES)} tables" if made else nothing(lake, ""))


def _log(lake: ArrowLake) -> Finding:
    """Look whether runs can leave a log; they run without one too."""
    path = journal.log_of(lake.address)
    there = next(one for one in (path, *path.parents) if one.exists())
    if os.access(there, os.W_OK):
        return Finding("log", FINE, str(path))
    return Finding("log", WARNING, f"{there} may not be written", "runs will leave no log: give yourself the right to write there")


def _key(lake: ArrowLake) -> Finding:
    """Look at the listener key without making one."""
    path = Path(os.environ.get(key.VARIABLE) or lake.address.beside(".key"))
    if not path.exists():
        if os.environ.get(key.VARIABLE):
            return Finding("listener key", WRONG, f"{path} is not there", f"put it there, or let {key.VARIABLE} name another file")
        if any(lake.exists(one) for one in TABLES.values()):
            mend = "put the lake's own key back: with a new one all listeners would be strangers"
            return Finding("listener key", WRONG, f"{path} is not there, but the lake is", mend)
        return Finding("listener key", FINE, f"{path} will be made by the first intake")
    try:
        key.load_key(lake.address)
    except OvertoneError as error:
        return Finding("listener key", WRONG, str(error), "put the lake's own key back")
    others = path.stat().st_mode & 0o077
    return Finding("listener key", WARNING if others else FINE, str(path), f"others may read it: chmod 600 {path}" if others else "")


def _tables(lake: ArrowLake) -> Finding:
    """Look whether every table's log opens, and on this machine's disk whether the files that it names are there."""
    odd: list[str] = []
    for one in TABLES.values():
        try:
            named = [path for paths in lake.files(one).values() for path in paths]
        except Exception as error:  # noqa: BLE001 - whatever a broken log makes the reader say, the others are looked at too
            odd.append(f"{one.name} cannot be read: {error}")
            continue
        root = lake.address.path
        gone = [path for path in named if root and not (root / folder(one.name) / unquote(path)).exists()]
        odd += [f"{one.name}: {len(gone)} of {len(named)} files are gone, such as {gone[0]}"] if gone else []
    mend = "bring those files back from a copy; what is made of other tables can be made again by its job"
    return machine.judged("tables", "; ".join(odd) or "logs open, files are there", mend if odd else "")
