"""What goes wrong on the way: rows that come days late, come twice, or are broken; drawn so that every one is counted."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws
from jobs.world.places import DAY_MS

if TYPE_CHECKING:
    from jobs.world.draws import Bools, Ints, Keys

LATE, TWICE, BAD = 0.01, 0.003, 0.002  # shares of rows
# A bad row is an extra row: a copy of a good one under its own id, broken in one way. Names are those of `truth.defects`.
BREAKS = {
    "plays": ("null_time", "null_track", "nan", "wrong_type", "negative_duration", "future", "broken_json"),
    "feedback": ("null_time", "null_track", "future", "broken_json"),
    "ads": ("null_time", "future", "broken_json"),
}
TIME_OF = {"plays": "started_at", "feedback": "at", "ads": "at"}
ID_OF = {"plays": "play_id", "feedback": "feedback_id", "ads": "ad_event_id"}


@dataclass(frozen=True)
class Delivery:
    """When rows arrive (milliseconds since 1970 UTC), and which are delivered late, twice or once more but broken."""

    feed: str
    sent: Ints
    late: Bools
    twice: Ints  # positions of rows that come again
    again: Ints  # day on which they do, counted from 1970
    bad: Ints  # positions of rows that come once more, broken
    kind: Ints  # which of BREAKS[feed]

    @property
    def day(self) -> Ints:
        """The UTC day of arrival, counted from 1970: the file a row lies in."""
        return self.sent // DAY_MS

    def planted(self) -> list[tuple[int, str, int]]:
        """Return (day of arrival, kind of defect, rows)."""
        kinds = BREAKS[self.feed]
        found = [(int(d), "late") for d in self.day[self.late]] + [(int(d), "duplicate") for d in self.again]
        found += [(int(d), kinds[k]) for d, k in zip(self.day[self.bad], self.kind, strict=True)]
        return [(*what, found.count(what)) for what in sorted(set(found))]


def deliver(feed: str, keys: Keys, sent: Ints) -> Delivery:
    """Draw the defects of a feed's rows, given when they would arrive if all went well."""
    late = draws.chance(keys, "late", LATE)
    sent = sent + late * (DAY_MS + 2 * DAY_MS * draws.uniform(keys, "lateness")).astype(np.int64)
    twice = np.flatnonzero(draws.chance(keys, "twice", TWICE))
    again = sent[twice] // DAY_MS + draws.chance(keys[twice], "next day", 0.5)
    bad = np.flatnonzero(draws.chance(keys, "bad", BAD))
    kind = draws.choose(keys[bad], "kind of bad", np.arange(1.0, len(BREAKS[feed]) + 1))
    return Delivery(feed, sent, late, twice, again, bad, kind)


def broken(feed: str, line: str, kind: str) -> str:
    """Return a line of a feed broken in one way, under an id of its own."""
    row = json.loads(line)
    row[ID_OF[feed]] = f"{row[ID_OF[feed]]}x"
    time = TIME_OF[feed]
    if kind == "null_time":
        row[time] = None
    elif kind == "future":
        row[time] = f"{int(row[time][:4]) + 1}{row[time][4:]}"
    elif kind == "null_track":
        row |= {name: None for name in ("track", "isrc", "artist", "title") if name in row}
    elif kind in ("nan", "wrong_type", "negative_duration"):
        row["ms_played"] = {"nan": math.nan, "wrong_type": "long", "negative_duration": -1 - row["ms_played"]}[kind]
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    return text[: len(text) // 2] if kind == "broken_json" else text
