"""Tells somebody, once, that a table is late, and once that it is not any more: a line in a file, or a POST to a webhook.

What was told to whom is kept beside the log of the lake. Two callers at once take turns; what could not be delivered is not taken
for told, so that the next call tries again.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from jobs.console import located
from jobs.fingerprint import fingerprint
from jobs.journal import log_of, recorded, tell
from jobs.lines import append, locked
from validation.verdict import OvertoneError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from jobs.lake.address import Address

MEMORY = "told.json"  # beside the log: target -> table -> the first date owed, as told
SECONDS = 10.0  # that a webhook has for an answer
SLOW = "it gave no answer in time"
WAITS = (1.0, 3.0)  # seconds between tries
AGAIN = frozenset({408, 425, 429, *range(500, 600)})  # answers after which another try may succeed
Misses = dict[str, dict[str, Any]]


class Unmoved(HTTPRedirectHandler):
    """Follows no redirect: a notice goes where the operator said, and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        """Refuse."""
        return


def tell_once(address: Address, now: datetime, late: Misses, target: str) -> str:
    """Deliver what is new since this target was told last; return a sentence, empty if there was nothing to tell."""
    shown = _checked(target)
    with _remembered(log_of(address).with_name(MEMORY), fingerprint([target])) as told:
        new = {name: one for name, one in late.items() if name not in told or told[name] != _first(one)}
        well = sorted(set(told) - set(late))
        if not new and not well:
            return ""
        _deliver(target, shown, _notice(address, now, new, well))
        for name in well:
            del told[name]
        told.update({name: _first(one) for name, one in new.items()})
    with recorded("overtone freshness", address.uri):
        for name, one in new.items():
            tell("late", table=name, dates=one["missing"], late_hours=one["late_hours"], rules=one["why"])
        for name in well:
            tell("recovered", table=name)
    return f"told {shown}: {len(new)} late, {len(well)} recovered"


def _first(one: Mapping[str, Any]) -> str:
    """Return what makes a miss the same miss: the first date owed; a table without any stays without any."""
    return str(one["missing"]) if one["published"] else ""


def _notice(address: Address, now: datetime, new: Misses, well: list[str]) -> dict[str, Any]:
    words = [f"{name} is late: {one['why']}" for name, one in new.items()]
    words += [f"{name} is fresh again" for name in well]
    return {"text": "; ".join(words), "lake": address.uri, "at": now.isoformat(), "late": list(new.values()), "recovered": well}


def _deliver(target: str, shown: str, notice: Mapping[str, Any]) -> None:
    body = json.dumps(notice).encode()
    if "://" in target:
        _post(target, shown, body)
        return
    try:
        append(Path(target).expanduser(), body + b"\n")
    except OSError as error:
        raise OvertoneError(f"the notice could not be written to {shown}: {error.strerror}; the next call tries again") from error


def _post(url: str, shown: str, body: bytes) -> None:
    """POST a notice. No address, header or answer gets into a message: a webhook's address is its password."""
    parts = urlsplit(url)
    headers = {"Content-Type": "application/json", "User-Agent": "overtone"}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path or "/", parts.query, ""))
    for wait in (*WAITS, None):
        why, again = _try(Request(place, body, headers))  # noqa: S310 - the scheme was checked
        if not why:
            return
        if wait is None or not again:
            break
        time.sleep(wait)
    raise OvertoneError(f"the notice could not be delivered to {shown}: {why}; the next call tries again")


def _try(request: Request) -> tuple[str, bool]:
    """Send a request once; return why it failed, empty if it did not, and whether another try may succeed.

    A socket's patience is for each byte: who answers a byte at a time would hold everybody up for good. So this one waits for the
    whole of it, and leaves what takes longer to a thread that ends with the process.
    """
    answer: Future[tuple[str, bool]] = Future()

    def send() -> None:
        try:
            answer.set_result(_send(request))
        except Exception as error:  # noqa: BLE001 - a bug is raised where the answer is waited for
            answer.set_exception(error)

    threading.Thread(target=send, daemon=True).start()
    try:
        return answer.result(SECONDS)
    except TimeoutError:
        return SLOW, True


def _send(request: Request) -> tuple[str, bool]:
    try:
        build_opener(Unmoved()).open(request, timeout=SECONDS).close()
    except HTTPError as error:
        error.close()
        return f"it answered {error.code}", error.code in AGAIN
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return SLOW, True
        return getattr(reason, "strerror", None) or type(reason).__name__, True
    return "", False


def _checked(target: str) -> str:
    """Return how a target may be shown: a URL by its host alone. Anything but a file or an http(s) URL raises `WrongUse`."""
    if not target.strip():
        raise WrongUse("--notice is empty; give a file, or http(s)://HOST/PATH")
    if "://" not in target:
        if located(target).is_dir():
            raise WrongUse(f"--notice {target} is a folder; give a file, or http(s)://HOST/PATH")
        return target
    try:
        parts = urlsplit(target)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not re.fullmatch(r"[!-~]+", target):
        raise WrongUse("--notice names an address that is no URL; give a file, or http(s)://HOST/PATH, percent-encoded")
    if parts.scheme not in ("http", "https"):
        raise WrongUse(f"--notice {parts.scheme}://...: give a file, or http(s)://HOST/PATH")
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}/..."


@contextmanager
def _remembered(path: Path, target: str) -> Iterator[dict[str, str]]:
    """Lend what a target was told, alone; it is written back unless something goes wrong."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock")):
            whole = _read(path)
            before = dict(whole.setdefault(target, {}))
            yield whole[target]
            if whole[target] != before:
                _write(path, whole)
    except OSError as error:
        raise OvertoneError(f"what was told cannot be remembered in {path}: {error.strerror}; nobody is told without") from error


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, whole: Mapping[str, Mapping[str, str]]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    new.replace(path)
