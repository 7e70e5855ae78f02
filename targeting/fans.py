"""Fans and communities in a marketer's words: who stands how close, what the closest hold, who comes closer, who listens alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.contracts.fans import ANY, ARTIST_FANS, COMMUNITY_ARTISTS, EVERY_ARTIST, FAN_TRANSITIONS, GONE, RUNGS
from targeting.wording import counted, share

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from jobs.lake.arrow import ArrowLake

WORDS = {
    "super": "super: sought it out on five days or more, among the 2% who did most",
    "moderate": "moderate: sought it out on two days or more",
    "light": "light: sought it out on one day",
    "programmed": "programmed: heard it where others chose",
    "unknown": "unknown: the feed does not say how they came to it",
}
# The ways that a campaign is about: from, to, in words.
WAYS = (
    ("programmed", "light", "those who only heard an artist where others chose sought it out"),
    ("light", "moderate", "light listeners became moderate"),
    ("moderate", "super", "moderate listeners became super"),
    ("super", "moderate", "super listeners fell back to moderate"),
    ("light", GONE, "light listeners were gone"),
)
SPOTIFY = "Spotify says of its own: 18%"


@dataclass(frozen=True)
class Fans:
    """A date's fans: rungs with their words and pairs of listener and artist, sentences, and artists, those with most listeners first."""

    date: str
    rungs: tuple[tuple[str, int], ...]
    sentences: tuple[str, ...]
    artists: tuple[Mapping[str, Any], ...]


def dates(lake: ArrowLake) -> list[str]:
    """Return the dates that fans are known of."""
    return sorted(lake.files(ARTIST_FANS))


def fans(lake: ArrowLake, day: date) -> Fans:
    """Read a date's fans."""
    rows = lake.read(ARTIST_FANS, [day]).to_pylist()
    whole = next((row for row in rows if row["artist_id"] == EVERY_ARTIST), None)
    artists = sorted((row for row in rows if row["artist_id"] != EVERY_ARTIST), key=lambda row: (-row["listeners"], row["artist_id"]))
    if whole is None:
        return Fans(day.isoformat(), (), (), ())
    rungs = tuple((WORDS[rung], whole[rung]) for rung in reversed(RUNGS) if whole[rung])
    moves = ("So nobody knows who comes closer.",) if whole["unknown"] == whole["listeners"] else _ways(lake, day)
    return Fans(day.isoformat(), rungs, (_known(whole), *_held(whole), *moves), tuple(artists))


def held(row: Mapping[str, Any]) -> str:
    """Say what share of plays the top listeners hold, with its interval; a dash where they are too few to be told of."""
    if row["top_share"] is None:
        return "-"
    return f"{row['top_share']:.0%} [{row['top_low']:.0%}, {row['top_high']:.0%}]"


def _known(whole: Mapping[str, Any]) -> str:
    pairs = f"{counted(whole['listeners'], 'pair')} of a listener and an artist in 28 days"
    if not whole["unknown"]:
        return f"Of {pairs} it is known how the listener came to the artist."
    return f"Of {share(whole['unknown'], whole['listeners'])} of {pairs} nobody knows how they came about: the feed does not say."


def _held(whole: Mapping[str, Any]) -> tuple[str, ...]:
    if whole["top_share"] is None:
        return ("Artists have too few listeners for the share of their top 2% to be told.",)
    return (f"The top 2% of an artist's listeners hold {held(whole)} of its streams ({SPOTIFY}).",)


def _ways(lake: ArrowLake, day: date) -> tuple[str, ...]:
    rows = {(row["from_rung"], row["to_rung"], row["weeks"]): row for row in lake.read(FAN_TRANSITIONS, [day]).to_pylist()}
    found = [(start, end, words) for start, end, words in WAYS if (start, end, ANY) in rows]
    if not found:
        return ("How listeners come closer is known once a week lies behind.",)
    return tuple(f"Within a week {_hazard(rows[start, end, ANY])} of {words}{_by_time(rows, start, end)}." for start, end, words in found)


def _by_time(rows: Mapping[tuple[str, str, int], Mapping[str, Any]], start: str, end: str) -> str:
    """Say how the hazard differs between those who came in the week before and the others, where both are told of."""
    new, old = (rows.get((start, end, weeks)) for weeks in (1, 2))
    return f": {_hazard(new)} of those who had come there that week, {_hazard(old)} of the others" if new and old else ""


def _hazard(row: Mapping[str, Any]) -> str:
    return f"{row['hazard']:.1%} [{row['low']:.1%}, {row['high']:.1%}]"


def communities(lake: ArrowLake, day: date) -> tuple[dict[str, Any], ...]:
    """Return a date's communities, the largest first, each with its `played`: its artists, those first that over-index most."""
    by_name: dict[str, dict[str, Any]] = {}
    rows = lake.read(COMMUNITY_ARTISTS, [day]).to_pylist()
    for row in sorted(rows, key=lambda row: (-(row["share"] or 0) + (row["usual"] or 0), row["artist_id"])):
        same = {"date": str(row["date"]), "community": row["community"], "listeners": row["listeners"], "label": row["label"], "played": []}
        by_name.setdefault(row["community"], same)["played"].append({**row, "date": str(row["date"])})
    return tuple(sorted(by_name.values(), key=lambda one: (-one["listeners"], int(one["community"][1:]))))
