"""When and on what a listener plays.

Hours are a circle: their mean is the direction of the sum of each play's direction, their focus its length (Mardia & Jupp, Directional
Statistics, 2000, ch. 2). The entropy of 24 hours on working days and 24 at weekends is corrected for few plays by Grassberger's
estimator (Entropy Estimates from Insufficient Samplings, arXiv:physics/0307138, 2003), of which Miller and Madow's leaves four times the
bias at 30 plays.
"""

from __future__ import annotations

import math

from jobs.features.feature import Feature, Measure, billionths, signed, windowed

# First and last local hour, both included. Night wraps no midnight, so a BETWEEN says it.
DAYPARTS = {"night": (0, 5), "morning": (6, 9), "midday": (10, 15), "evening": (16, 19), "late": (20, 23)}
DEVICE_GROUPS = ("mobile", "desktop", "speaker", "car")
DAYS = {"working": "dayofweek(local_date) BETWEEN 2 AND 6", "weekend": "dayofweek(local_date) IN (1, 7)"}
# Four hours share a number: 16 bits an hour hold 65,535 plays, and adding numbers adds their hours.
LANES = 4
PACKED = tuple(
    (f"hours_{day}_{first}", first, f"{day} days, 16 bits an hour", when) for day, when in DAYS.items() for first in range(0, 24, LANES)
)


def _packed(first: int, when: str) -> str:
    hours = f"local_hour BETWEEN {first} AND {first + LANES - 1} AND {when}"
    return f"coalesce(sum(shiftleft(1L, 16 * (local_hour - {first}))) FILTER (WHERE {hours}), 0)"


MEASURES = (
    *(
        Measure(f"in_{name}", "listens", f"count_if(local_hour BETWEEN {low} AND {high})", f"plays from {low}:00 to {high}:59")
        for name, (low, high) in DAYPARTS.items()
    ),
    Measure("on_weekend", "listens", f"count_if({DAYS['weekend']})", "plays on Saturday or Sunday"),
    *(Measure(f"on_{device}", "listens", f"count_if(device = '{device}')", f"plays on {device}") for device in DEVICE_GROUPS),
    *(
        Measure(f"hour_{axis}", "listens", billionths(f"{axis}(pi() * (local_hour + 0.5) / 12)"), f"sum of one plus {axis} of the hour")
        for axis in ("cos", "sin")
    ),
    *(Measure(name, "listens", _packed(first, when), f"plays by hour from {first} on, {day}") for name, first, day, when in PACKED),
)


def _share(name: str, part: str, days: tuple[int, ...], meaning: str) -> tuple[Feature, ...]:
    return windowed(f"{name}_share", "double", f"try_divide({{{part}}}, {{plays}})", days, f"share of plays {meaning}")


EAST, NORTH = (signed(f"hour_{axis}") for axis in ("cos", "sin"))
LENGTH = f"sqrt(pow({NORTH}, 2) + pow({EAST}, 2))"
# What stands in for the logarithm (nats) of a count n: of an even one m, or the odd one after it, ln(m) + 1 / 6m^2, to half a thousandth
# if it is larger than three.
ONE, TWO = -0.5772156649015329 - math.log(2), 2 - 0.5772156649015329 - math.log(2)


def _weighed(lane: str) -> str:
    n, m = f"({lane} & 65535)", f"({lane} & 65534)"
    few = f"CASE {n} WHEN 0 THEN 0D WHEN 1 THEN {ONE!r}D ELSE {n} * {TWO!r}D END"
    return f"CASE WHEN {n} > 3 THEN {n} * (ln({m}) + 1 / (6D * {m} * {m})) ELSE {few} END"


HOURS = tuple(f"shiftright({{{name}}}, {16 * lane})" for name, *_ in PACKED for lane in range(LANES))
SPREAD = " + ".join(map(_weighed, HOURS))
ENTROPY = f"CASE WHEN {{plays}} > 0 THEN least((ln({{plays}}) - ({SPREAD}) / {{plays}}) / ln(2D), log2({len(HOURS)}D)) END"

RHYTHM = (
    *(feature for name in DAYPARTS for feature in _share(name, f"in_{name}", (28,), f"in the {name}")),
    *_share("weekend", "on_weekend", (28, 90), "at the weekend"),
    *(feature for device in DEVICE_GROUPS for feature in _share(device, f"on_{device}", (28,), f"on {device}")),
    *windowed(
        "mean_hour",
        "double",
        f"CASE WHEN {LENGTH} > 0.001 THEN pmod(atan2({NORTH}, {EAST}) * 12 / pi(), 24D) END",
        (28,),
        "circular mean of the local hour of plays, 0 to 24, none where they cancel out",
    ),
    *windowed(
        "hour_focus",
        "double",
        f"try_divide({LENGTH}, {{plays}})",
        (28,),
        "how much plays keep to one time of day: 0 not at all, 1 all in one hour",
    ),
    *windowed(
        "hour_entropy", "double", ENTROPY, (28,), "spread of plays over hours of working days and of weekends in bits, bias corrected"
    ),
)
