"""Moments against planted ones: small worlds of their own, drawn by another model than the one that infers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from planted_moments import Drawn, draw
from results import Measured, Row, row
from sklearn.metrics import adjusted_mutual_info_score as agreement
from small_lake import one

from jobs.contracts.events import WEATHER
from jobs.contracts.silver import SESSIONS
from jobs.lake.address import Address
from jobs.lake.schema import arrow_schema
from jobs.lake.spark import SparkLake
from jobs.session_moments import session_moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worlds import Size

LISTENERS, EACH = 1_500, 12
REPLICATES = 200
PARTS = {**dict.fromkeys(range(6), 0), **dict.fromkeys(range(6, 10), 1), **dict.fromkeys(range(10, 16), 2)}


def moments(size: Size) -> list[Row]:
    """Compare the inferred moment of every session with the planted one, beside the oracle's and a part of the day on a device."""
    lake = SparkLake(Address.parse(str(size.folder / "moments")))
    found, best, plain = {}, {}, {}
    for seed in size.seeds:
        drawn = draw(seed, LISTENERS, EACH)
        rng = np.random.default_rng(seed)
        found[seed] = _interval(drawn, _inferred(lake, drawn), rng)
        best[seed] = _interval(drawn, [str(number) for number in drawn.oracle], rng)
        plain[seed] = _interval(drawn, [f"{PARTS.get(one['local_hour'], 3)} {one['device']}" for one in drawn.rows], rng)
    what = f"adjusted mutual information of inferred and planted moments; interval over listeners ({_aside('the oracle', best)}"
    return [row("moments_ami", f"{what}, {_aside('daypart and device', plain)})", ">= 0.6", found, "make truth NAME=moments")]


def _aside(who: str, by_seed: dict[int, Measured]) -> str:
    return f"{who}: {', '.join(f'{one.value:.2f}' for one in by_seed.values())}"


def _inferred(lake: SparkLake, drawn: Drawn) -> list[str]:
    dates = tuple(sorted({one["date"] for one in drawn.rows}))
    rows = pa.Table.from_pylist([one(SESSIONS, **row) for row in drawn.rows], arrow_schema(SESSIONS))
    nothing = lake.empty(WEATHER)
    named = session_moments(lake.spark.createDataFrame(rows), nothing, dates=dates).select("session_id", "moment").toArrow().to_pylist()
    by_session = {one["session_id"]: one["moment"] for one in named}
    return [by_session[one["session_id"]] for one in drawn.rows]


def _interval(drawn: Drawn, labels: Sequence[str], rng: np.random.Generator) -> Measured:
    names = np.unique(np.array(labels), return_inverse=True)[1]
    order = np.argsort(drawn.listener, kind="stable")
    mine = np.split(order, np.flatnonzero(np.diff(drawn.listener[order])) + 1)
    values = []
    for _ in range(REPLICATES):
        rows = np.concatenate([mine[i] for i in rng.integers(len(mine), size=len(mine))])
        values.append(agreement(drawn.moment[rows], names[rows]))
    low, high = np.quantile(values, (0.025, 0.975))
    return Measured(float(agreement(drawn.moment, names)), float(low), float(high))
