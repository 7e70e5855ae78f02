"""The page that a demo ends with: one self-contained HTML file, drawn from published tables alone, no asset from elsewhere."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from jobs.catalogue import TABLES
from jobs.contracts.context import MOMENT_FEATURES
from jobs.contracts.delivery import APPROVALS, AUDIENCE_MOMENTS, AUDIENCES, BOOKINGS, CLUSTER_PROFILES, LINEAGE
from jobs.contracts.derived import EXAMPLES, USER_FEATURES, USER_SEGMENTS
from jobs.contracts.operations import FILES, QUARANTINE, VERDICTS
from jobs.contracts.silver import SILVER_LISTENERS
from targeting.binding import news, number
from targeting.drawing import Bar, Curve, heat, template
from targeting.fans import Fans, communities, fans, held
from targeting.flow import Layer, flow
from targeting.segment_overlaps import Overlaps, overlaps
from targeting.wording import Trait, asks, counted, explained, habits, meaning, moment, share, short, traits
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from jobs.lake.arrow import ArrowLake

TOP = 12  # inputs of the model that are shown
REASONS = 14  # reasons of refusal that are shown
NOTABLE = 0.3  # standard deviations from everybody's mean below which a feature tells no cluster from another
STEADY = 0.5  # rank correlation of an input with its effect from which the effect has a direction
SHOWN = {
    "auc": ("AUC", "0.5 is chance, 1 is perfect: how often a click is ranked above a non-click"),
    "auc_minus_base": ("AUC above the base rate", "above 0 it knows more than the overall click rate"),
    "normalised_entropy": ("normalised entropy", "below 1 it is surprised less often than the overall click rate is"),
    "calibration_ratio": ("clicks over expected clicks", "1 is right; below 1 it promises too many"),
}


@dataclass(frozen=True)
class PageData:
    """All that the page shows, as plain values."""

    date: str
    assumed: bool
    flow: tuple[Layer, ...]
    consent: tuple[Bar, ...]
    segments: tuple[Bar, ...]
    small_segments: tuple[str, ...]
    overlaps: Overlaps
    audiences: tuple[Mapping[str, Any], ...]
    moments: tuple[Mapping[str, Any], ...]
    clusters: tuple[Mapping[str, Any], ...]
    events: tuple[str, ...]
    traits: tuple[tuple[str, bool], ...]
    fans: Fans
    communities: tuple[Mapping[str, Any], ...]
    refused: tuple[Bar, ...]
    taken: Mapping[str, int]
    checks: Mapping[str, int]
    model: Mapping[str, Any] | None
    model_note: str
    tables: tuple[Mapping[str, Any], ...]


def render(data: PageData) -> str:
    """Return the page as HTML."""
    filters: dict[str, Callable[..., object]] = {
        "thousands": lambda n: "-" if n is None else f"{n:,}",
        "decimal": lambda x: "-" if x is None else f"{x:.3f}",
        "signed": lambda z: f"{z:+.1f}" if abs(z) >= 0.05 else "0",  # noqa: PLR2004  # rounds to nothing
        "share": share,
        "short": short,
        "counted": counted,
        "held": held,
    }
    return template("page.html", filters).render(page=data)


def collect(lake: ArrowLake, day: date, summary: Mapping[str, Any] | None) -> PageData:
    """Read a date's results; `summary` is the registry's record of the newest training, None where nothing was trained."""
    stated = lake.read(SILVER_LISTENERS, [day], columns=["listener_id", "consent", "ads_allowed", "basis"]).to_pylist()
    found, taken = _clusters(lake, day), _taken(lake)
    assumed = any(row["basis"] == "assume" for row in stated)
    segments = _segments(lake, day)
    return PageData(
        date=day.isoformat(),
        assumed=assumed,
        flow=flow(lake, taken, trained=summary is not None),
        consent=_consent(lake, day, stated, ASSUMED if assumed else STATED),
        segments=tuple(bar for bar in segments if bar.value >= GRAIN),
        small_segments=tuple(bar.label for bar in segments if bar.value < GRAIN),
        overlaps=overlaps(lake, day),
        audiences=_audiences(lake, day, {one["name"]: one["called"] for one in found if one["called"]}),
        moments=_moments(lake, day),
        clusters=found,
        events=tuple(news(lake.read(LINEAGE, [day]).to_pylist())),
        traits=_traits(found),
        fans=fans(lake, day),
        communities=communities(lake, day),
        refused=_refused(lake),
        taken=taken,
        checks=_checks(lake),
        model=None if summary is None else model_of(summary, lake),
        model_note="" if summary else _why_no_model(lake),
        tables=_tables(lake),
    )


def model_of(summary: Mapping[str, Any], lake: ArrowLake) -> dict[str, Any]:
    """Return what the page tells of a model: its numbers with intervals, its calibration curve, what drives it."""
    approvals = sorted(lake.read(APPROVALS).to_pylist(), key=lambda row: row["decided_at"])
    drivers = [Bar(meaning(one["feature"]), one["effect"], _direction(one.get("direction"))) for one in summary["drivers"][:TOP]]
    return {
        "name": summary["model"],
        "metrics": [(*words, summary["metrics"][name]) for name, words in SHOWN.items() if name in summary["metrics"]],
        "gate": summary["gate"],
        "split": summary["split"],
        "curve": Curve.of(summary["calibration"]),
        "drivers": tuple(drivers),
        "champion": approvals[-1] if approvals else None,
    }


def _direction(rank: float | None) -> str:
    if rank is None or abs(rank) < STEADY:
        return ""
    return "more" if rank > 0 else "fewer"


STATED = ("stated anything about consent", "agreed to advertising profiles", "agreed, and known to be adult")
ASSUMED = ("stated anything, or consent is assumed", "agreed, or are assumed to", "agreed or are assumed to, and not known to be minors")


def _consent(lake: ArrowLake, day: date, stated: list[dict[str, Any]], labels: tuple[str, str, str]) -> tuple[Bar, ...]:
    heard = lake.read(USER_FEATURES, [day], columns=["listener_id"])
    listening = set(heard.column("listener_id").to_pylist())
    mine = [row for row in stated if row["listener_id"] in listening]
    counts = (len(mine), sum(row["consent"] == "granted" for row in mine), sum(row["ads_allowed"] for row in mine))
    return (Bar("listened in the last 90 days", len(listening)), *(Bar(one, n) for one, n in zip(labels, counts, strict=True)))


def _segments(lake: ArrowLake, day: date) -> tuple[Bar, ...]:
    counts = Counter(lake.read(USER_SEGMENTS, [day], columns=["segment"]).column("segment").to_pylist())
    return tuple(Bar(str(name).replace("_", " "), n) for name, n in counts.most_common())


def _audiences(lake: ArrowLake, day: date, names: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
    booked = {row["campaign"]: row for row in lake.read(BOOKINGS, [day]).to_pylist()}
    told = lake.read(AUDIENCE_MOMENTS, [day]).to_pylist()
    rows = sorted(lake.read(AUDIENCES, [day]).to_pylist(), key=lambda row: (row["state"] != "built", -(row["listeners"] or 0)))
    largest = max([row["listeners"] or 0 for row in rows] + [row["minimum"] for row in rows] or [1])
    return tuple(
        {
            **row,
            "asks": asks(json.loads(row["definition"]), names),
            "listens": habits([one for one in told if one["audience"] == row["audience"]]),
            "booking": booked.get(row["audience"]),
            "width": (row["listeners"] or 0) / largest,
            "mark": row["minimum"] / largest,
        }
        for row in rows
    )


def _moments(lake: ArrowLake, day: date) -> tuple[Mapping[str, Any], ...]:
    rows = sorted(lake.read(MOMENT_FEATURES, [day]).to_pylist(), key=lambda row: (-row["share"], row["moment"]))
    return tuple({**row, "name": row["moment"].replace("_", " "), "words": moment(row["moment"])} for row in rows)


def _clusters(lake: ArrowLake, day: date) -> tuple[Mapping[str, Any], ...]:
    """Return each cluster with its profile; one of so few listeners that its means would tell of them has none."""
    found: dict[str, dict[str, Any]] = {}
    rows = lake.read(CLUSTER_PROFILES, [day]).to_pylist()
    whole = sum({row["cluster"]: row["listeners"] for row in rows}.values())
    profiles = groupby(sorted(rows, key=lambda row: str(row["cluster"])), key=lambda row: str(row["cluster"]))
    why = {name: explained(profile) for name, profile in profiles}
    for row in rows:
        told = row["listeners"] >= GRAIN
        said = traits(row["label"]) if told else (Trait("", "too few to be described"),)
        size = f"{row['listeners']:,}" if told else f"under {GRAIN}"
        part = share(row["listeners"], whole) if told else ""
        plain = {"name": row["cluster"], "traits": said, "size": size, "share": part, "cells": {}}
        plain |= {"called": row["name"] if told else None, "why": why[row["cluster"]] if told else ""}
        one = found.setdefault(row["cluster"], plain)
        if told:
            one["cells"][row["feature"]] = {"z": row["z"], "mean": row["mean"], "color": heat(row["z"]), "words": meaning(row["feature"])}
    return tuple(found[name] for name in sorted(found, key=number))


def _traits(clusters: tuple[Mapping[str, Any], ...]) -> tuple[tuple[str, bool], ...]:
    """Return the features, those first that tell clusters apart most, each with whether it does so notably."""
    furthest: dict[str, float] = {}
    for one in clusters:
        for feature, cell in one["cells"].items():
            furthest[feature] = max(furthest.get(feature, 0.0), abs(cell["z"]))
    return tuple((name, z >= NOTABLE) for name, z in sorted(furthest.items(), key=lambda item: (-item[1], item[0])))


def _refused(lake: ArrowLake) -> tuple[Bar, ...]:
    rows = lake.read(QUARANTINE, columns=["target", "reason"]).to_pylist()
    counts = Counter(row["reason"] for row in rows)
    where = Counter((row["reason"], row["target"]) for row in rows)
    told = {reason: ", ".join(f"{target} {n:,}" for (one, target), n in where.most_common() if one == reason) for reason in counts}
    shown = [Bar(reason.replace("_", " "), n, told[reason]) for reason, n in counts.most_common(REASONS)]
    rest = counts.most_common()[REASONS:]
    return (*shown, *([Bar(f"{len(rest)} other reasons", sum(n for _, n in rest))] if rest else ()))


def _taken(lake: ArrowLake) -> dict[str, int]:
    rows = lake.read(FILES, columns=["sha256", "rows_in", "kept", "quarantined", "deduplicated"])
    sums = {name: pc.sum(rows.column(name)).as_py() or 0 for name in ("rows_in", "kept", "quarantined", "deduplicated")}
    return {"files": len(set(rows.column("sha256").to_pylist())), **sums}


def _checks(lake: ArrowLake) -> dict[str, int]:
    rows = lake.read(VERDICTS, columns=["target", "success"]).to_pylist()
    return {"all": len(rows), "failed": sum(not row["success"] for row in rows), "tables": len({row["target"] for row in rows})}


def _why_no_model(lake: ArrowLake) -> str:
    if not lake.count(EXAMPLES):
        return "This feed has no ad log, so no ad-response model was trained, nothing was scored, and no audience uses scores."
    return "No model was trained yet."


def _tables(lake: ArrowLake) -> tuple[Mapping[str, Any], ...]:
    shown = ((table, lake.version(table)) for table in TABLES.values() if not table.name.startswith("ops."))
    return tuple(
        {"table": table.name, "version": version, "rows": lake.count(table), "row": table.row}
        for table, version in shown
        if version is not None
    )
