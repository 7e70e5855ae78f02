"""What intake makes of feeds: planted defects found, a real log's own sessions found again."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from results import Measured, Row, row, unmeasured
from worlds import Size, lake_of

from jobs.contracts.events import AD_EVENTS, FEEDBACK, PLAYS
from jobs.contracts.operations import FILES, QUARANTINE
from jobs.contracts.silver import SESSIONS
from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from jobs.world import truth
from targeting.command import demo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TABLES = {"plays": PLAYS.name, "feedback": FEEDBACK.name, "ads": AD_EVENTS.name, "damaged": PLAYS.name}
REASONS = {"future": "future_time", "wrong_type": "wrong_type_ms_played", "oversized": "oversized_row", "truncated": "truncated_file"}
HARMLESS = ("late", "duplicate")
REPLICATES = 1000


def defects(size: Size) -> list[Row]:
    """Compare planted defects with what intake refused, by table and reason, and with the duplicates it left out."""
    found = {seed: Measured.exactly(_differences(lake_of(size, seed))) for seed in size.seeds}
    what = "planted broken, doubled and damaged rows that intake did not count as exactly that, by table and reason"
    return [row("intake_defects", what, "== 0", found, "make truth NAME=defects")]


def _differences(lake: SparkLake) -> int:
    planted: Counter[tuple[str, str]] = Counter()
    for one in lake.arrow.read(truth.DEFECTS).to_pylist():
        if one["kind"] != "late":
            planted[TABLES[one["feed"]], REASONS.get(one["kind"], one["kind"])] += one["rows"]
    seen = Counter((one["target"], one["reason"]) for one in lake.arrow.read(QUARANTINE).to_pylist() if one["target"] in TABLES.values())
    for one in lake.arrow.read(FILES).to_pylist():
        if one["target"] in TABLES.values():
            seen[one["target"], "duplicate"] += one["deduplicated"]
    return sum(abs(planted[key] - seen[key]) for key in planted | seen)


def sessions(size: Size) -> list[Row]:
    """Compare session boundaries with those that a real service's log names itself."""
    what = "{} of session boundaries (30 idle minutes) against the session ids of the eventsim log"
    names = {"session_precision": "precision", "session_recall": "recall"}
    folder, command = Path(os.environ.get("OVERTONE_DATA", "../shared/data")) / "eventsim", "make truth NAME=sessions"
    if not folder.is_dir():
        reason = f"no real log at {folder}; OVERTONE_DATA names the folder"
        return [unmeasured(name, what.format(word), ">= 0.98", reason, command) for name, word in names.items()]
    lake = SparkLake(Address.parse(str(size.folder / "eventsim" / "lake")))
    clock = datetime(2026, 11, 1, tzinfo=UTC)
    setting = demo.Setting("eventsim", folder, "assume", Path("infra/campaigns-small.yaml"), clock)
    demo.play(lake, setting, stop="sessions")
    # The log is all that is asked about, so agreement with it is counted; what it says of other listeners is said aside.
    rows = []
    for (name, word), one in zip(names.items(), _boundaries(lake), strict=True):
        aside = f" (resampling its listeners: {one.low:.3f} to {one.high:.3f})"
        rows.append(row(name, what.format(word) + aside, ">= 0.98", {0: Measured.exactly(one.value)}, command))
    return rows


def _boundaries(lake: SparkLake) -> tuple[Measured, Measured]:
    """Return precision and recall of cuts between neighbouring plays; the interval is over listeners."""
    plays = lake.arrow.read(PLAYS, columns=["listener_id", "event_ts", "event_id", "native_session"]).to_pylist()
    starts = {(one["listener_id"], one["started_ts"]) for one in lake.arrow.read(SESSIONS).to_pylist()}
    hits = np.array(list(_hits(sorted(plays, key=lambda one: (one["listener_id"], one["event_ts"], one["event_id"])), starts)))
    size = int(hits[:, 0].max()) + 1
    sums = np.zeros((size, 3))
    np.add.at(sums, hits[:, 0], hits[:, 1:])
    draws = np.random.default_rng(0).multinomial(size, np.full(size, 1 / size), REPLICATES)
    return _ratio(sums[:, 2], sums[:, 0], draws), _ratio(sums[:, 2], sums[:, 1], draws)


def _hits(plays: list[dict[str, object]], starts: set[tuple[object, object]]) -> Iterator[tuple[int, bool, bool, bool]]:
    """Yield, a pair of neighbouring plays: the listener's number, whether we cut there, whether the log does, whether both do."""
    who: dict[object, int] = {}
    for before, after in pairwise(plays):
        if before["listener_id"] == after["listener_id"]:
            ours = (after["listener_id"], after["event_ts"]) in starts
            theirs = before["native_session"] != after["native_session"]
            yield who.setdefault(after["listener_id"], len(who)), ours, theirs, ours and theirs


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64], draws: NDArray[np.int64]) -> Measured:
    drawn = (draws @ above) / (draws @ below)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Measured(float(above.sum() / below.sum()), float(low), float(high))
