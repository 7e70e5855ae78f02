"""What a commit says about itself, stored in its own metadata and so atomic with the data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

WHOLE = "all"  # the key under which a table without dates is published


@dataclass(frozen=True)
class Note:
    """A commit's own word: the run it belongs to and, a date, the fingerprint of what was published for it.

    `content` says, of a table whose rows become known by and by, what each date holds: a mark of its rows by the date they became
    known. `upkeep` marks a commit that changed no row of any date kept: files were put together, or old dates dropped; `expired` is
    then the first date that was kept (ISO).
    """

    run: str = ""
    published: Mapping[str, str] = field(default_factory=dict)
    upkeep: bool = False
    expired: str = ""
    content: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def dumps(self) -> str:
        """Return the note as JSON, keys sorted."""
        said = {"overtone": 1, "run": self.run, "published": dict(self.published)}
        rest = {"upkeep": self.upkeep, "expired": self.expired, "content": self.content}
        return json.dumps(said | {name: value for name, value in rest.items() if value}, sort_keys=True)

    @classmethod
    def loads(cls, text: str | None) -> Note:
        """Read a note; metadata that is not ours gives an empty one."""
        try:
            raw = json.loads(text or "{}")
        except json.JSONDecodeError:
            return cls()
        if not isinstance(raw, dict) or "overtone" not in raw:
            return cls()
        upkeep = bool(raw.get("upkeep", False))
        return cls(
            str(raw.get("run", "")), dict(raw.get("published", {})), upkeep, str(raw.get("expired", "")), dict(raw.get("content", {}))
        )


@dataclass(frozen=True)
class Commit:
    """One version of a table."""

    version: int
    at: datetime
    operation: str
    note: Note

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Commit:
        """Read one entry of a Delta history (delta-rs: milliseconds; Spark: a datetime)."""
        at = raw["timestamp"]
        when = at.astimezone(UTC) if isinstance(at, datetime) else datetime.fromtimestamp(at / 1000, UTC)
        return cls(int(raw["version"]), when, str(raw.get("operation", "")), Note.loads(raw.get("userMetadata")))


def stamp(day: date | None) -> str:
    """Return the key under which a date (or a table without dates) stands in `Note.published`."""
    return day.isoformat() if day else WHOLE
