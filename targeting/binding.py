"""What became of the clusters that a campaign names: it follows those that live, and says of the others why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.contracts.delivery import CLUSTERS_ENDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date


@dataclass(frozen=True)
class Bound:
    """A campaign's clusters on a date: those that live, and what there is to tell of any."""

    living: tuple[str, ...]
    told: tuple[str, ...]


def bound(asked: Sequence[str], events: Iterable[Mapping[str, Any]], day: date) -> Bound:
    """Return what became of clusters by a date, told by the rows of their lineage; where nothing was recorded all are taken to live."""
    mine = (row for row in events if row["date"] <= day and row["event"] != "kept")
    rows = sorted(mine, key=lambda row: (row["date"], row["cluster"]))
    last = {row["cluster"]: row for row in rows}
    living, told = [], []
    for name in asked:
        if last and name not in last:
            told.append(f"there never was a cluster {name}")
        elif last and last[name]["event"] in CLUSTERS_ENDED:
            told.append(f"{_dated(last[name])}{_successor(last[name]['other'], last)}")
        else:
            living.append(name)
            parts = [row for row in rows if row["event"] == "split" and row["other"] == name]
            told += [f"{_dated(row)}; {name} is the part that is followed" for row in parts[-1:]]
    return Bound(tuple(living), tuple(told))


def sentence(event: Mapping[str, Any]) -> str:
    """Say in words what happened to a cluster."""
    name, other, share = event["cluster"], event["other"], event["share"]
    with_share = "" if share is None else f"{share:.0%} of its listeners"
    said = {
        "birth": f"cluster {name} is new",
        "split": f"cluster {name} split off from {other} with {with_share}",
        "merge": f"cluster {name} merged into {other}, where {with_share} are",
        "death": f"cluster {name} ended" + (f"; the largest part of its listeners, {share:.0%}, is in {other}" if other else ""),
    }
    return said.get(event["event"], event["reason"] or f"cluster {name} {event['event']}")


def news(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what happened on a date, a sentence each; that everything is born on a first date is no news."""
    rows = sorted(events, key=lambda row: number(row["cluster"]))
    first = all(row["event"] == "birth" for row in rows)
    return [] if first else list(dict.fromkeys(sentence(row) for row in rows))


def number(cluster: str) -> int:
    """Return an id's number, by which clusters are put in order."""
    digits = cluster[1:]
    return int(digits) if digits.isdecimal() else 0


def _dated(event: Mapping[str, Any]) -> str:
    return f"{sentence(event)}, on {event['date']}"


def _successor(other: str | None, last: Mapping[str, Mapping[str, Any]]) -> str:
    """Name the living cluster that followed, by way of others that ended since."""
    seen: set[str] = set()
    while other is not None and other in last and last[other]["event"] in CLUSTERS_ENDED and other not in seen:
        seen.add(other)
        other = last[other]["other"]
    return f"; name {other} to reach them" if other and other not in seen else ""
