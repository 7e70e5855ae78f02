"""What ran, when, and how it ended: one JSON object a line, beside the lake in `LAKE-logs/overtone.jsonl`.

Every line carries `time`, `level`, `event`, `run` (the invocation) and `command`. Whatever else an event may say is declared here,
with the form each value must have, and no form lets a listener's id or pseudonym through. `batch` is the run's name in the lake:
the commits (`Note.run`), ops.verdicts and ops.quarantine call the same batch by it.

with recorded("overtone day", options.lake): ...          # an entry point, once a process; without it nothing is written
tell("published", table=..., dates=..., batch=..., ...)   # anywhere in the code
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
import sys
import time
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from jobs.lake.address import Address
from jobs.lines import Lines
from validation.verdict import INTERRUPTED, OvertoneError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LOGGER = "overtone"
FOLDER, FILE = "-logs", "overtone.jsonl"  # of the log, beside the lake
WITHHELD = "(withheld)"
LONGEST = 500  # characters of a sentence
# Pseudonyms and event ids are 32 hex digits; MLflow's runs alone may look so.
PSEUDONYM = re.compile(r"[0-9a-fA-F]{32,}")
SECRET = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*@")  # user:password@ of a URI
TEXT = re.compile(r".*", re.DOTALL)
WORDS = re.compile(r"[\w ()./:,=+-]{0,200}")
REASON = re.compile(r"[a-z][a-z0-9_]*")  # the name of a rule or of a parse error: code, not data
NUMBER, REASONS, FRAMES = "a number", "rows by reason", "places in the code"

# Every field that an event may have, and the form of its value.
FIELDS: Mapping[str, re.Pattern[str] | str] = {
    "table": re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*"),
    "dates": re.compile(r"all|\d{4}-\d\d-\d\d(\.\.\d{4}-\d\d-\d\d)?"),
    "batch": re.compile(r"[0-9a-f]{16}"),
    "mlflow_run": re.compile(r"[0-9a-f]{32}"),
    "name": re.compile(r"[a-z][a-z0-9_]{0,63}"),  # of a stage, a source, a model, an audience
    "state": WORDS,
    "gate": WORDS,
    "kind": re.compile(r"[A-Za-z_][\w.]*"),  # of an error
    "host": WORDS,
    "release": WORDS,
    "model_version": re.compile(r"\d*"),
    "lake": TEXT,
    "sentence": TEXT,
    "rules": WORDS,
    "refused": REASONS,
    "frames": FRAMES,
    **dict.fromkeys(("pid", "exit_code", "version", "rows", "seconds", "files", "kept", "quarantined", "known", "late_hours"), NUMBER),
}

# Every event, and its fields.
EVENTS: Mapping[str, tuple[str, ...]] = {
    "started": ("lake", "host", "pid", "release"),
    "stage_started": ("name",),
    "stage_ended": ("name", "state", "rows", "seconds"),
    "taken_in": ("name", "table", "batch", "files", "kept", "quarantined", "known", "refused"),
    "published": ("table", "dates", "batch", "version", "rows", "refused"),
    "held_back": ("table", "dates", "batch", "rules", "rows", "refused"),
    "trained": ("name", "dates", "state", "batch", "mlflow_run", "model_version", "gate", "seconds"),
    "approved": ("name", "model_version"),
    "refused": ("name", "dates", "gate"),
    "exported": ("dates", "state", "rows"),
    "late": ("table", "dates", "late_hours", "rules"),
    "recovered": ("table", "dates"),
    "error": ("kind", "sentence", "frames"),
    "ended": ("state", "exit_code", "seconds"),
}
LEVELS = {"held_back": logging.WARNING, "refused": logging.WARNING, "late": logging.WARNING, "error": logging.ERROR}


def tell(event: str, **fields: object) -> None:
    """Write one event, if an entry point opened the log; an event or a field that is not declared raises `TypeError`.

    A value without its field's form is withheld, not the event: a log must not end the run that it tells of.
    """
    if event not in EVENTS or not fields.keys() <= set(EVENTS[event]):
        raise TypeError(f"event {event!r} with {sorted(fields)} is not declared; declared are {EVENTS.get(event, sorted(EVENTS))}")
    logger = logging.getLogger(LOGGER)
    if logger.handlers:
        logger.log(LEVELS.get(event, logging.INFO), event, extra={"fields": {name: fit(name, value) for name, value in fields.items()}})


def fit(name: str, value: object) -> object:
    """Return a field's value if it has the form declared for it, else that it is withheld."""
    match FIELDS[name], value:
        case _, None:
            return None
        case "a number", int() | float() if not isinstance(value, bool):
            return value
        case "rows by reason", dict():
            return {why if REASON.fullmatch(str(why)) else WITHHELD: fit("rows", rows) for why, rows in value.items()}
        case "places in the code", list():
            return [plain(str(place)) for place in value]
        case re.Pattern() as form, str() if form.fullmatch(value):
            return value if name == "mlflow_run" else plain(value)
    return WITHHELD


def plain(text: str) -> str:
    """Return a text's first line, shortened, without whatever looks like a pseudonym or a password."""
    first = text.strip().split("\n", 1)[0][:LONGEST]
    return SECRET.sub(f"{WITHHELD}@", PSEUDONYM.sub(WITHHELD, first))


def log_of(address: Address) -> Path:
    """Return the file in which the runs on a lake are logged."""
    return address.beside(FOLDER) / FILE


@contextmanager
def recorded(command: str, lake: str | None) -> Iterator[None]:
    """Keep the log of one invocation on a lake (as `--lake` names it): when it started, what it told, how it ended.

    Wrong use of a lake that is not there leaves no file: the path may be the mistake.
    """
    try:
        address = Address.choose(lake)
    except WrongUse:
        yield  # the command itself says what is wrong with the address
        return
    there = address.path is None or address.path.exists()
    logger, handler = logging.getLogger(LOGGER), Lines(log_of(address), {"run": _name(), "command": command}, wait=not there)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    started = time.monotonic()
    try:
        tell("started", lake=address.uri, host=socket.gethostname(), pid=os.getpid(), release=_release())
        yield
        _ended(started, "done", 0)
    except BaseException as error:
        if isinstance(error, WrongUse):
            handler.forget()
        _failed(error, started)
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()


def _failed(error: BaseException, started: float) -> None:
    if isinstance(error, WrongUse):
        # The sentence quotes what was typed, names and paths, or a file about listeners: it is for the person at the keyboard alone.
        tell("error", kind=type(error).__name__, frames=_frames(error))
        _ended(started, "failed", error.exit_code)
    elif isinstance(error, OvertoneError):
        tell("error", kind=type(error).__name__, sentence=str(error))
        _ended(started, "failed", error.exit_code)
    elif isinstance(error, KeyboardInterrupt):
        _ended(started, "interrupted", INTERRUPTED)
    else:
        # Messages of other libraries may quote rows: the kind and the place say where to look.
        tell("error", kind=type(error).__name__, frames=_frames(error))
        _ended(started, "crashed", 1)


def _frames(error: BaseException) -> list[str]:
    return [f"{_short(one.filename)}:{one.lineno} {one.name}" for one in traceback.extract_tb(error.__traceback__)]


def _ended(started: float, state: str, exit_code: int) -> None:
    tell("ended", state=state, exit_code=exit_code, seconds=round(time.monotonic() - started, 1))


def _release() -> str | None:
    """Return the installed release; a bare checkout on the import path has none."""
    try:
        return version("overtone")
    except PackageNotFoundError:
        return None


def _name() -> str:
    """Return a name for an invocation that sorts by time and that people can copy."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _short(file: str) -> str:
    """Return a source file's path from the folder on the import path that holds it."""
    roots = sorted((root for root in sys.path if root and file.startswith(f"{root}/")), key=len)
    return file[len(roots[-1]) + 1 :] if roots else file
