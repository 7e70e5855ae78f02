"""Delivers an audience: a folder with its members and a manifest, there at once or not at all."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.contracts.delivery import AUDIENCES, CLUSTERS, MEMBERS, SCORES
from jobs.contracts.derived import USER_SEGMENTS
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.fingerprint import fingerprint
from jobs.lake.key import derived, load_key
from targeting.campaigns import NAME
from targeting.exports.port import SCHEMA
from validation.gates.release import release
from validation.verdict import OvertoneError, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from jobs.lake.arrow import ArrowLake
    from targeting.exports.port import Writer

MANIFEST = "manifest.json"
EXPIRES = timedelta(days=30)
LINEAGE = (MEMBERS, AUDIENCES, USER_SEGMENTS, CLUSTERS, SCORES, SILVER_LISTENERS)


def deliver(lake: ArrowLake, audience: Mapping[str, Any], day: date, folder: Path, writer: Writer) -> bool:
    """Write one built audience below `folder`; return False if the very same lies there already.

    An audience that the release gate refuses raises `Refused` and leaves no file.
    """
    name = audience["audience"]
    if not NAME.fullmatch(name):
        raise OvertoneError(f"audience {name!r} is no name that a folder may have")
    members, stated = _members(lake, name, day), _stated(lake, day)
    gate(audience, members, stated)
    key = derived(load_key(lake.address), f"export\x1f{audience['advertiser']}")
    rows = _rows(members, name, day, key)
    target = folder / day.isoformat() / name
    wanted = fingerprint([audience["definition"], writer.suffix, *sorted(rows.column("member_id").to_pylist())])
    if _said(target / MANIFEST).get("fingerprint") == wanted:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=target.parent))
    try:
        file = staging / f"members.{writer.suffix}"
        writer.write(rows, file)
        manifest = _manifest(lake, audience, day, file, rows.num_rows) | {"fingerprint": wanted}
        (staging / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        _swap(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return True


def gate(audience: Mapping[str, Any], members: pa.Table, stated: pa.Table) -> None:
    """Ask the release gate about the members as they stand now; a no raises `Refused`."""
    reached = members.filter(pc.invert(members.column("holdout")))
    known = {row["listener_id"]: row for row in stated.to_pylist()}
    missing = sum(not known.get(who, {"ads_allowed": False})["ads_allowed"] for who in reached.column("listener_id").to_pylist())
    bases = {known[who]["basis"] for who in reached.column("listener_id").to_pylist() if who in known}
    verdict = release(audience["audience"], listeners=reached.num_rows, minimum=audience["minimum"], bases=bases, without_consent=missing)
    if not verdict.success:
        failed = "; ".join(f"{check.rule}: {check.observed}, {check.expected}" for check in verdict.failures)
        raise Refused(f"audience {audience['audience']} is not exported: {failed}")


def _members(lake: ArrowLake, name: str, day: date) -> pa.Table:
    rows = lake.read(MEMBERS, [day])
    return rows.filter(pc.equal(rows.column("audience"), name))


def _stated(lake: ArrowLake, day: date) -> pa.Table:
    return lake.read(SILVER_LISTENERS, [day], columns=["listener_id", "ads_allowed", "basis"])


def _rows(members: pa.Table, name: str, day: date, key: bytes) -> pa.Table:
    """Return the members without the holdout under the destination's own pseudonyms, which no other destination shares."""
    reached = members.filter(pc.invert(members.column("holdout"))).column("listener_id").to_pylist()
    ids = sorted(hmac.new(key, who.encode(), hashlib.sha256).hexdigest() for who in reached)
    one = {"audience_id": name, "id_type": "pseudonym", "added_at": day, "expires_at": day + EXPIRES, "op": "add"}
    return pa.Table.from_pylist([{**one, "member_id": who} for who in ids], SCHEMA)


def _manifest(lake: ArrowLake, audience: Mapping[str, Any], day: date, file: Path, rows: int) -> dict[str, Any]:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return {
        "audience": audience["audience"],
        "advertiser": audience["advertiser"],
        "date": day.isoformat(),
        "rows": rows,
        "files": [{"name": file.name, "sha256": digest, "bytes": file.stat().st_size}],
        "tables": {table.name: lake.version(table) for table in LINEAGE},
        "model_version": audience["model_version"],
        "consent_basis": audience["basis"].split(","),
        "holdout": "excluded",
        "expires": (day + EXPIRES).isoformat(),
        "definition": json.loads(audience["definition"]),
    }


def _said(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return {}
    return found


def _swap(staging: Path, target: Path) -> None:
    """Put the new folder in the old one's place by renames: a reader finds one of them whole."""
    old = Path(tempfile.mkdtemp(prefix=".old-", dir=target.parent)) / "was"
    staging.chmod(0o755)
    if target.exists():
        os.replace(target, old)  # noqa: PTH105  # says what it is: one atomic rename
    os.replace(staging, target)  # noqa: PTH105
    shutil.rmtree(old.parent)
