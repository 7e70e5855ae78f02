"""Delivers an audience: a folder with its members and a manifest, there at once or not at all."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.contracts.delivery import AUDIENCES, CLUSTERS, MEMBERS, SCORES
from jobs.contracts.derived import USER_SEGMENTS
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.fingerprint import fingerprint
from jobs.lake.alone import alone
from jobs.lake.key import derived, load_key
from targeting.campaigns import NAME
from targeting.exports.port import SCHEMA
from validation.gates.release import FLOOR, release
from validation.verdict import OvertoneError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from jobs.lake.arrow import ArrowLake
    from targeting.exports.port import Writer

MANIFEST = "manifest.json"
STAGING, OLD, GONE = ".staging-", ".old-", ".gone-"  # folders on their way in, about to be replaced, on their way out: no reader sees them
EXPIRES = timedelta(days=30)
LINEAGE = (MEMBERS, AUDIENCES, USER_SEGMENTS, CLUSTERS, SCORES, SILVER_LISTENERS)


def deliver(lake: ArrowLake, audience: Mapping[str, Any], day: date, folder: Path, writer: Writer) -> bool:
    """Write one built audience below `folder`; return False if the very same lies there already.

    An audience that the release gate refuses raises `Refused` and leaves no file.
    """
    name = audience["audience"]
    if not NAME.fullmatch(name):
        raise OvertoneError(f"audience {name!r} is no name that a folder may have")
    members = _members(lake, name, day)
    gate(audience, members, _stated(lake, day, members))
    key = derived(load_key(lake.address), f"export\x1f{audience['advertiser']}")
    rows = _rows(members, name, day, key)
    target = folder / day.isoformat() / name
    told = (audience["definition"], str(audience["model_version"]), audience["basis"], writer.suffix)
    wanted = fingerprint([*told, *rows.column("member_id").to_pylist()])
    if _lies_there(target, wanted):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with _tidied(target.parent):
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=target.parent))
        try:
            file = staging / f"members.{writer.suffix}"
            writer.write(rows, file)
            manifest = _manifest(lake, audience, day, file, rows.num_rows) | {"fingerprint": wanted}
            (staging / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
            _swap(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return True


def take_back(lake: ArrowLake, day: date, folder: Path, released: Collection[str]) -> int:
    """Remove what this lake delivered of a date and releases no more; return how many. What others put there stays."""
    return _remove(lake, folder / day.isoformat(), lambda name, _: name not in released)


def expire(lake: ArrowLake, folder: Path, today: date) -> int:
    """Remove what this lake delivered and whose time is over; return how many audiences."""
    dates = folder.glob("[0-9]*-[0-9][0-9]-[0-9][0-9]")
    return sum(_remove(lake, one, lambda _, said: str(said.get("expires", "9999")) < today.isoformat()) for one in dates)


def _remove(lake: ArrowLake, folder: Path, gone: Callable[[str, Mapping[str, Any]], bool]) -> int:
    """Remove this lake's audiences of a date that `gone` says of by name and manifest; return how many."""
    if not folder.is_dir():
        return 0
    with _tidied(folder):
        lying = [(path.parent, _said(path)) for path in folder.glob(f"[!.]*/{MANIFEST}")]
        mine = [path for path, said in lying if gone(path.name, said) and said.get("issuer") == _issuer(lake)]
        for path in mine:
            shutil.rmtree(_moved(path, GONE))
    return len(mine)


@contextmanager
def _tidied(folder: Path) -> Iterator[None]:
    """Let one process at a time change a date's exports; first, what one that was killed at it has left is put back or removed."""
    with alone(folder):
        for path in folder.glob(f"{OLD}*/*/{MANIFEST}"):
            if not (folder / path.parent.name).exists():  # killed between two renames: the new one never came
                os.replace(path.parent, folder / path.parent.name)  # noqa: PTH105
        for left in (path for prefix in (STAGING, OLD, GONE) for path in folder.glob(f"{prefix}*")):
            shutil.rmtree(left)
        yield


def gate(audience: Mapping[str, Any], members: pa.Table, stated: pa.Table) -> None:
    """Ask the release gate about the members as they stand now; a no raises `Refused`."""
    reached = members.filter(pc.invert(members.column("holdout")))
    known = {row["listener_id"]: row for row in stated.to_pylist()}
    found = [known.get(who) for who in reached.column("listener_id").to_pylist()]
    missing = sum(row is None or not _agreed(row) for row in found)
    bases = {row["basis"] for row in found if row is not None}
    least = max(audience["minimum"], FLOOR)
    verdict = release(audience["audience"], listeners=reached.num_rows, minimum=least, bases=bases, without_consent=missing)
    if not verdict.success:
        failed = "; ".join(f"{check.rule} (observed {check.observed}, expected {check.expected})" for check in verdict.failures)
        raise Refused(f"audience {audience['audience']} is not exported: {failed}")


def _members(lake: ArrowLake, name: str, day: date) -> pa.Table:
    rows = lake.read(MEMBERS, [day])
    return rows.filter(pc.equal(rows.column("audience"), name))


def _stated(lake: ArrowLake, day: date, members: pa.Table) -> pa.Table:
    """Return what the members say of consent by the newest date there is: a word taken back since then counts."""
    newest = max([day, *(date.fromisoformat(known) for known in lake.files(SILVER_LISTENERS))])
    rows = lake.read(SILVER_LISTENERS, [newest], columns=["listener_id", "consent", "age_band", "ads_allowed", "basis"])
    return rows.filter(pc.is_in(rows.column("listener_id"), value_set=members.column("listener_id").combine_chunks()))


def _agreed(row: Mapping[str, Any]) -> bool:
    """Say whether a statement lets its listener be reached; the flag alone is not believed."""
    adult = row["age_band"] != "under_18" and (row["age_band"] != "unknown" or row["basis"] == "assume")
    return bool(row["ads_allowed"]) and row["consent"] == "granted" and adult


def _rows(members: pa.Table, name: str, day: date, key: bytes) -> pa.Table:
    """Return the members without the holdout under the destination's own pseudonyms, which no other destination shares."""
    reached = members.filter(pc.invert(members.column("holdout"))).column("listener_id").to_pylist()
    ids = sorted(hmac.new(key, who.encode(), hashlib.sha256).hexdigest() for who in reached)
    one = {"audience_id": name, "id_type": "pseudonym", "added_at": day, "expires_at": day + EXPIRES, "op": "add"}
    return pa.Table.from_pylist([{**one, "member_id": who} for who in ids], SCHEMA)


def _manifest(lake: ArrowLake, audience: Mapping[str, Any], day: date, file: Path, rows: int) -> dict[str, Any]:
    return {
        "issuer": _issuer(lake),
        "audience": audience["audience"],
        "advertiser": audience["advertiser"],
        "date": day.isoformat(),
        "rows": rows,
        "files": [{"name": file.name, "sha256": _digest(file), "bytes": file.stat().st_size}],
        "tables": {table.name: lake.version(table) for table in LINEAGE},
        "model_version": audience["model_version"],
        "consent_basis": audience["basis"].split(","),
        "holdout": "excluded",
        "expires": (day + EXPIRES).isoformat(),
        "definition": json.loads(audience["definition"]),
    }


def _issuer(lake: ArrowLake) -> str:
    """Return a name of whoever holds the listener key, which tells nothing of the key or the machine."""
    return derived(load_key(lake.address), "issuer").hex()[:16]


def _said(path: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _lies_there(target: Path, wanted: str) -> bool:
    """Say whether this very export lies there, undamaged."""
    said = _said(target / MANIFEST)
    if said.get("fingerprint") != wanted:
        return False
    return all((target / one["name"]).is_file() and _digest(target / one["name"]) == one["sha256"] for one in said["files"])


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _swap(staging: Path, target: Path) -> None:
    """Put the new folder in the old one's place by renames: no reader ever finds part of a file."""
    staging.chmod(0o755)
    if target.exists():
        old = _moved(target, OLD)
        os.replace(staging, target)  # noqa: PTH105  # says what it is: one atomic rename
        shutil.rmtree(old)
    else:
        os.replace(staging, target)  # noqa: PTH105


def _moved(target: Path, prefix: str) -> Path:
    """Rename a folder out of every reader's sight; return the folder that holds it now."""
    old = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    os.replace(target, old / target.name)  # noqa: PTH105
    return old
