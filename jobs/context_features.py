"""features.context_features: one context cell (hour x day type x device x place x weather as forecast, or coarser) over the last 28 days.

spark-submit jobs/context_features.py --date 2026-11-01 --lake ./build/lake

It names no listener, so it serves those without consent too. A cell with fewer than ten listeners is not published: the next coarser
one that is (`level`) answers for it. Rates are shrunk towards the parent's by empirical Bayes.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.aggregate import each_date, forecasts
from jobs.assign import daypart
from jobs.contracts.context import CONTEXT_FEATURES
from jobs.contracts.events import WEATHER
from jobs.contracts.silver import LISTENS
from jobs.day_types import CALENDAR, COUNTRY, typed
from jobs.features.context import LEVELS, OUTCOMES, SUMS, Level, Outcome
from jobs.run import Job, Read, main
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

DAYS = 28
# Which listeners there were is kept as a sketch: it adds up over days, and below 97 listeners it counts exactly.
SKETCH, MOST = 10, 90
FINEST = LEVELS[0].by
PARENTS = tuple(pairwise(LEVELS))


def context_features(listens: DataFrame, weather: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Describe listening in each context cell over the 28 days that end with each date, as known by its end."""
    days = daily_cells(listens, weather, dates=dates)
    asked = each_date(dates, first=F.greatest("event_date", "known_date"), last=F.date_add("event_date", DAYS - 1))
    reached = days.select(*FINEST, *SUMS, "listeners", asked.alias("date"))
    finest = reached.groupBy("date", *FINEST).agg(
        *(F.sum(name).alias(name) for name in SUMS), F.hll_union_agg("listeners").alias("listeners")
    )
    return shown(shrunk(nested(finest)))


def daily_cells(listens: DataFrame, weather: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Sum the plays of each finest cell by their date and by the date they became known."""
    hour, known = F.date_trunc("hour", "event_ts").alias("hour"), F.to_date("known_ts").alias("known_date")
    clock = ("date", "known_date", "place", "hour", "local_date", "local_hour", "device")
    placed = listens.select("*", hour, known).groupBy(*clock)
    acts = placed.agg(
        *(F.expr(f"{sql} AS {name}") for name, sql in SUMS.items()), F.hll_sketch_agg("listener_id", SKETCH).alias("listeners")
    )
    told = typed(acts, dates[0] - timedelta(days=DAYS - 1), dates[-1]).join(F.broadcast(forecasts(weather)), ["place", "hour"], "left")
    return told.selectExpr(
        "date AS event_date",
        "known_date",
        f"{daypart('local_hour')} AS daypart",
        "local_hour",
        "day_type",
        "device",
        "coalesce(place, 'unknown') AS region",
        f"coalesce({COUNTRY.format('place')}, 'unknown') AS country",
        "coalesce(weather, 'unknown') AS weather",
        *SUMS,
        "listeners",
    )


def nested(finest: DataFrame) -> DataFrame:
    """Put beside each finest cell the sums of all the cells that it lies in, `name__level`; `first__level` marks each of these once."""
    columns = []
    for level in LEVELS:
        cell = f"PARTITION BY {', '.join(('date', *level.by))}"
        # What is left to be sorted by, after what the cell is: one order serves all levels.
        first = f"row_number() OVER ({cell} ORDER BY {', '.join(FINEST[len(level.by) :]) or 'date'}) = 1"
        columns += [f"sum({name}) OVER ({cell}) AS {name}__{level.name}" for name in SUMS]
        columns.append(f"{first} AS first__{level.name}")
        counted = f"least(hll_sketch_estimate(hll_union_agg(listeners) OVER ({cell})), {MOST})"
        columns.append(f"IF({first}, {counted} DIV {GRAIN} * {GRAIN}, NULL) AS listeners__{level.name}")
    return finest.repartition("date").selectExpr("date", *FINEST, *columns)


def shrunk(cells: DataFrame) -> DataFrame:
    """Shrink each cell's means towards its parent's by empirical Bayes, within each date, from all listening down: `outcome__level`.

    How much the cells of one parent differ, beyond what chance makes of so few plays, is estimated by moments, with cells weighted by
    their plays (Kleinman 1973, JASA 68:46): `alike` is the correlation of two plays of one cell, and a cell of n plays keeps the share
    n a / (1 + (n - 1) a) of its own mean. A listener's plays go together, so what is kept is rather too much than too little.
    """
    alike = (f"{_alike(one, *pair)} AS alike_{one.name}__{pair[0].name}" for pair in PARENTS for one in OUTCOMES)
    made = cells.selectExpr("*", *alike, *(f"{_mean(one, LEVELS[-1])} / 1000D AS {one.name}__{LEVELS[-1].name}" for one in OUTCOMES))
    for level, parent in reversed(PARENTS):
        made = made.selectExpr("*", *(f"{_kept(one, level, parent)} AS {one.name}__{level.name}" for one in OUTCOMES))
    return made


def _mean(outcome: Outcome, level: Level) -> str:
    return f"try_divide({outcome.total}__{level.name}, {outcome.plays}__{level.name})"


def _alike(outcome: Outcome, level: Level, parent: Level) -> str:
    n, of_n = f"{outcome.plays}__{level.name}", f"{outcome.plays}__{parent.name}"
    middle = _mean(outcome, parent)
    spread = f"nullif(try_divide({outcome.square}__{parent.name}, {of_n}) - {middle} * {middle}, 0)"
    apart = f"coalesce({n} * pow({_mean(outcome, level)} - {middle}, 2) / {spread}, 0)"
    rest = f"IF({n} > 0, 1 - {n} / {of_n}, 0)"
    above, below = (_once(sql, level) for sql in (f"{apart} - {rest}", f"({n} - 1) * {rest}"))
    return f"coalesce(least(greatest(try_divide({above}, {below}), 0D), 1D), 0D)"


def _once(sql: str, level: Level) -> str:
    """Return SQL that adds something up over a date's cells of a level; exactly, since a sum of fractions depends on their order."""
    return f"CAST(sum(CAST(IF(first__{level.name}, {sql}, 0) AS DECIMAL(38, 9))) OVER (PARTITION BY date) AS DOUBLE)"


def _kept(outcome: Outcome, level: Level, parent: Level) -> str:
    n, a, above = f"{outcome.plays}__{level.name}", f"alike_{outcome.name}__{level.name}", f"{outcome.name}__{parent.name}"
    weight = f"try_divide({n} * {a}, 1 + ({n} - 1) * {a})"
    return f"coalesce({above} + {weight} * ({_mean(outcome, level)} / 1000D - {above}), {above})"


def shown(cells: DataFrame) -> DataFrame:
    """Return the cells of enough listeners, one row each; plays are told in tens, listeners in tens and no further than 90."""
    each = ", ".join(f"IF({_enough(level)}, {_row(level)}, NULL)" for level in LEVELS)
    return cells.selectExpr("date", f"inline(array_compact(array({each})))")


def _enough(level: Level) -> str:
    # A place without parts is said once, by its country.
    parts = " AND region <> country" if level is LEVELS[0] else ""
    return f"first__{level.name} AND listeners__{level.name} >= {GRAIN}{parts}"


def _row(level: Level) -> str:
    place = next((name for name in ("region", "country") if name in level.by), "'any'")
    row = {"level": f"'{level.name}'", "place": place, "local_hour": "local_hour" if "local_hour" in level.by else "CAST(NULL AS INT)"}
    row |= {name: name if name in level.by else "'any'" for name in ("daypart", "day_type", "device", "weather")}
    tens, whole = f"plays__{level.name} DIV {GRAIN}", f"plays__{LEVELS[-1].name} DIV {GRAIN}"
    row |= {"plays": f"{tens} * {GRAIN}", "listeners": f"listeners__{level.name}", "play_share": f"round({tens} / ({whole}), 6)"}
    row |= {one.name: f"round({one.name}__{level.name}, 4)" for one in OUTCOMES}
    fields = ", ".join(f"'{name}', {sql}" for name, sql in row.items())
    return f"named_struct({fields})"


def answered(contexts: DataFrame, cells: DataFrame) -> DataFrame:
    """Give each context (a date and what the finest level tells apart) the finest published cell that it lies in; `level` says which."""
    place = {"region": "place AS region", "country": f"{COUNTRY.format('place')} AS country"}
    told = [name for name in CONTEXT_FEATURES.names if name not in ("date", *CONTEXT_FEATURES.key[2:])]
    found = contexts
    for level in LEVELS:
        by = [place.get(name, name) for name in level.by]
        mine = cells.where(F.col("level") == level.name).selectExpr("date", *by, f"struct({', '.join(told)}) AS {level.name}_cell")
        found = found.join(F.broadcast(mine), ["date", *level.by], "left")
    first = F.coalesce(*(f"{level.name}_cell" for level in LEVELS))
    return found.select(*contexts.columns, first.alias("cell")).select(*contexts.columns, "cell.*")


JOB = Job((Read(LISTENS, back=DAYS - 1), Read(WEATHER, back=DAYS - 1)), CONTEXT_FEATURES, context_features, args=CALENDAR)

if __name__ == "__main__":
    main(JOB)
