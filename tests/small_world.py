"""A world so small that a whole day takes seconds, with clicks enough that a model is trained and passes its gate.

The known-truth world shows one ad in 25 plays and has one in 40 clicked: too few, where listeners are a hundred. Here every impression
is shown several times, and clicked or not by its category and name, which a model finds.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from jobs.world.make import make
from jobs.world.preset import World

if TYPE_CHECKING:
    from pathlib import Path

FIRST = date(2026, 10, 1)
LIKED = {"food", "travel", "games"}
CHANCE = {True: 75, False: 15}  # percent of impressions clicked, by whether the category is liked
TIMES = 4  # that each impression is shown


@dataclass(frozen=True)
class Small:
    """How large it is: by default the least that trains a model."""

    listeners: int = 100
    days: int = 12
    plays_per_day: float = 5.0
    seed: int = 5

    @property
    def last(self) -> date:
        return FIRST + timedelta(days=self.days - 1)

    @property
    def clock(self) -> datetime:
        """The moment at which it is taken in: four days after its end, like the demo's."""
        return datetime.combine(self.last + timedelta(days=4), time(), UTC)

    def feed(self, folder: Path) -> Path:
        """Make its files below `folder`; return where they lie."""
        feed = folder / "feed"
        world = World(self.seed, self.listeners, self.days, FIRST, self.plays_per_day, tracks=400, per_file=250)
        make(world, Address.parse(str(feed)), SparkLake(Address.parse(str(folder / "truth"))))
        clicked(feed)
        return feed


def clicked(feed: Path) -> None:
    """Rewrite the ads of a native feed: each impression comes `TIMES` times, each of them clicked or not."""
    for path in sorted(feed.rglob("ads-*")):
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()
        with opened(path, "wt", encoding="utf-8") as file:
            file.write("\n".join(more for line in lines for more in _more(line)) + "\n")


def _more(line: str) -> list[str]:
    row = _row(line)
    if row is None:
        return [line]
    if row["kind"] == "click":
        return []
    shown = [_again(row, n) for n in range(TIMES)] if row["kind"] == "impression" else [row]
    return [json.dumps(one) for row in shown for one in ([row, _click(row)] if _clicks(row) else [row])]


def _row(line: str) -> dict[str, Any] | None:
    """Return an ad event that is as it should be; what is damaged stays as it is."""
    try:
        row = json.loads(line)
        for name in ("at", "sent_at"):
            datetime.fromisoformat(row[name])
        return row | {name: row[name] for name in ("impression", "category", "kind", "ad_event_id")}
    except (ValueError, TypeError, KeyError):
        return None


def _again(row: dict[str, Any], n: int) -> dict[str, Any]:
    """Return the n-th showing, n minutes later."""
    names = {name: f"{row[name]}-{n}" for name in ("impression", "ad_event_id")} if n else {}
    return row | names | _later(row, timedelta(minutes=n))


def _clicks(row: dict[str, Any]) -> bool:
    return row["kind"] == "impression" and zlib.crc32(row["impression"].encode()) % 100 < CHANCE[row["category"] in LIKED]


def _click(row: dict[str, Any]) -> dict[str, Any]:
    return row | _later(row, timedelta(seconds=20)) | {"kind": "click", "ad_event_id": f"click-{row['impression']}"}


def _later(row: dict[str, Any], by: timedelta) -> dict[str, str]:
    return {name: (datetime.fromisoformat(row[name]) + by).isoformat() for name in ("at", "sent_at")}
