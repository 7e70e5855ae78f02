"""The page that a demo ends with: one self-contained HTML file, drawn from published tables alone, no asset from elsewhere."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jinja2
import pyarrow.compute as pc

from jobs.catalogue import TABLES
from jobs.contracts.delivery import APPROVALS, AUDIENCES, BOOKINGS, CLUSTER_PROFILES, CLUSTERS, SCORES, TRAININGS
from jobs.contracts.derived import EXAMPLES, USER_FEATURES, USER_SEGMENTS
from jobs.contracts.operations import FILES, QUARANTINE, VERDICTS
from jobs.contracts.silver import LISTENS, SESSIONS, SILVER_LISTENERS
from jobs.features import USER
from targeting.drawing import Bar, Curve, heat

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from jobs.lake.arrow import ArrowLake
    from validation.contract import Table

MEANING = {feature.name: feature.meaning for feature in USER}
TOP = 12
SHOWN = {
    "auc": "AUC",
    "auc_minus_base": "AUC above the base rate",
    "normalised_entropy": "normalised entropy",
    "calibration_ratio": "clicks over expected clicks",
}


@dataclass(frozen=True)
class Box:
    """One stage of the flow: what it holds, how many rows, in how many tables."""

    name: str
    folder: str
    rows: int


@dataclass(frozen=True)
class PageData:
    """All that the page shows, as plain values."""

    date: str
    lake: str
    flow: tuple[Box, ...]
    consent: tuple[Bar, ...]
    segments: tuple[Bar, ...]
    audiences: tuple[Mapping[str, Any], ...]
    clusters: tuple[Mapping[str, Any], ...]
    refused: tuple[Bar, ...]
    taken: Mapping[str, int]
    checks: Mapping[str, int]
    model: Mapping[str, Any] | None
    model_note: str
    versions: tuple[Mapping[str, Any], ...]


def render(data: PageData) -> str:
    """Return the page as HTML."""
    loader = jinja2.PackageLoader("targeting", ".")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["thousands"] = lambda n: "-" if n is None else f"{n:,}"
    environment.filters["decimal"] = lambda x: "-" if x is None else f"{x:.3f}"
    return environment.get_template("page.html").render(page=data)


def collect(lake: ArrowLake, day: date, summary: Mapping[str, Any] | None) -> PageData:
    """Read a date's results; `summary` is the registry's record of the newest training, None where nothing was trained."""
    return PageData(
        date=day.isoformat(),
        lake=lake.address.uri,
        flow=_flow(lake, summary is not None),
        consent=_consent(lake, day),
        segments=_counted(lake, USER_SEGMENTS, day, "segment"),
        audiences=_audiences(lake, day),
        clusters=_clusters(lake, day),
        refused=_refused(lake),
        taken=_taken(lake),
        checks=_checks(lake),
        model=None if summary is None else model_of(summary, lake),
        model_note="" if summary else _why_no_model(lake),
        versions=_versions(lake),
    )


def model_of(summary: Mapping[str, Any], lake: ArrowLake) -> dict[str, Any]:
    """Return what the page tells of a model: its numbers with intervals, its calibration curve, what drives it."""
    approvals = sorted(lake.read(APPROVALS).to_pylist(), key=lambda row: row["decided_at"])
    drivers = [Bar(_words(one["feature"]), one["effect"]) for one in summary["drivers"][:TOP]]
    return {
        "name": summary["model"],
        "metrics": {words: summary["metrics"][name] for name, words in SHOWN.items() if name in summary["metrics"]},
        "gate": summary["gate"],
        "split": summary["split"],
        "curve": Curve.of(summary["calibration"]),
        "drivers": tuple(drivers),
        "champion": approvals[-1] if approvals else None,
    }


def _words(feature: str) -> str:
    return MEANING.get(feature, feature.replace("_", " "))


def _flow(lake: ArrowLake, trained: bool) -> tuple[Box, ...]:  # noqa: FBT001
    bronze = [table for name, table in TABLES.items() if name.startswith("bronze.")]
    boxes = [Box("bronze", "jobs/ingest", sum(lake.count(table) for table in bronze))]
    boxes += [Box(name, folder, lake.count(table)) for name, table, folder in FLOW]
    return tuple(box for box in boxes if trained or box.name not in OF_MODELS)


OF_MODELS = ("examples", "models", "scores")
FLOW = (
    ("listens", LISTENS, "jobs/listens"),
    ("sessions", SESSIONS, "jobs/sessions"),
    ("features", USER_FEATURES, "jobs/user_features"),
    ("segments", USER_SEGMENTS, "jobs/user_segments"),
    ("examples", EXAMPLES, "jobs/examples"),
    ("models", TRAININGS, "ray_tune"),
    ("scores", SCORES, "targeting/scoring"),
    ("clusters", CLUSTERS, "targeting/clusters"),
    ("audiences", AUDIENCES, "targeting/audiences"),
    ("bookings", BOOKINGS, "targeting/campaigns"),
)


def _consent(lake: ArrowLake, day: date) -> tuple[Bar, ...]:
    heard = lake.read(USER_FEATURES, [day], columns=["listener_id"])
    stated = lake.read(SILVER_LISTENERS, [day], columns=["listener_id", "consent", "ads_allowed"]).to_pylist()
    listening = set(heard.column("listener_id").to_pylist())
    mine = [row for row in stated if row["listener_id"] in listening]
    return (
        Bar("listened in the last 90 days", len(listening)),
        Bar("stated anything about consent", len(mine)),
        Bar("agreed to advertising profiles", sum(row["consent"] == "granted" for row in mine)),
        Bar("agreed, and known to be adult", sum(row["ads_allowed"] for row in mine)),
    )


def _counted(lake: ArrowLake, table: Table, day: date, column: str) -> tuple[Bar, ...]:
    counts = Counter(lake.read(table, [day], columns=[column]).column(column).to_pylist())
    return tuple(Bar(str(name).replace("_", " "), n) for name, n in counts.most_common())


def _audiences(lake: ArrowLake, day: date) -> tuple[Mapping[str, Any], ...]:
    booked = {row["campaign"]: row for row in lake.read(BOOKINGS, [day]).to_pylist()}
    rows = sorted(lake.read(AUDIENCES, [day]).to_pylist(), key=lambda row: (row["state"] != "built", -(row["listeners"] or 0)))
    largest = max([row["listeners"] or 0 for row in rows] + [row["minimum"] for row in rows] or [1])
    return tuple(
        {
            **row,
            "asks": asks(json.loads(row["definition"])),
            "booking": booked.get(row["audience"]),
            "width": (row["listeners"] or 0) / largest,
            "mark": row["minimum"] / largest,
        }
        for row in rows
    )


def asks(definition: Mapping[str, Any]) -> str:
    """Say in words whom a campaign asks for."""
    parts = []
    if definition["include"]:
        parts.append("in " + " or ".join(definition["include"]))
    if definition["clusters"]:
        parts.append("in cluster " + " or ".join(definition["clusters"]))
    if definition["top_share"]:
        parts.append(f"among the {definition['top_share']:.0%} likeliest to click on {definition['category']}")
    if definition["exclude"]:
        parts.append("not in " + " nor ".join(definition["exclude"]))
    return ", ".join(parts).replace("_", " ")


def _clusters(lake: ArrowLake, day: date) -> tuple[Mapping[str, Any], ...]:
    found: dict[str, dict[str, Any]] = {}
    for row in lake.read(CLUSTER_PROFILES, [day]).to_pylist():
        one = found.setdefault(row["cluster"], {"name": row["cluster"], "label": row["label"], "listeners": row["listeners"], "cells": {}})
        one["cells"][row["feature"]] = {"z": row["z"], "mean": row["mean"], "color": heat(row["z"]), "words": _words(row["feature"])}
    return tuple(found[name] for name in sorted(found))


def _refused(lake: ArrowLake) -> tuple[Bar, ...]:
    rows = lake.read(QUARANTINE, columns=["target", "reason"]).to_pylist()
    counts = Counter((row["reason"], row["target"]) for row in rows)
    return tuple(Bar(f"{reason.replace('_', ' ')} · {target}", n) for (reason, target), n in counts.most_common(14))


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


def _versions(lake: ArrowLake) -> tuple[Mapping[str, Any], ...]:
    tables = [*(table for table in TABLES.values() if not table.name.startswith("ops."))]
    shown = ({"table": table.name, "version": lake.version(table), "rows": lake.count(table), "row": table.row} for table in tables)
    return tuple(one for one in shown if one["version"] is not None)
