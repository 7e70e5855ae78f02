"""When and on what a listener plays."""

from __future__ import annotations

from jobs.features.feature import Measure, windowed

# First and last local hour, both included. Night wraps no midnight, so a BETWEEN says it.
DAYPARTS = {"night": (0, 5), "morning": (6, 9), "midday": (10, 15), "evening": (16, 19), "late": (20, 23)}
DEVICE_GROUPS = ("mobile", "desktop", "speaker", "car")

MEASURES = (
    *(Measure(f"in_{name}", "listens", f"count_if(local_hour BETWEEN {low} AND {high})", f"plays between {low}:00 and {high}:59") for name, (low, high) in DAYPARTS.items()),
    Measure("on_weekend", "listens", "count_if(dayofweek(local_date) IN (1, 7))", "plays on Saturday or Sunday"),
    *(Measure(f"on_{device}", "listens", f"count_if(device = '{device}')", f"plays on {device}") for device in DEVICE_GROUPS),
)

RHYTHM = (
    *(f for name in DAYPARTS for f in windowed(f"{name}_share", "double", f"try_divide({{in_{name}}}, {{plays}})", (28,), f"share of plays in the {name}")),
    *windowed("weekend_share", "double", "try_divide({on_weekend}, {plays})", (28, 90), "share of plays at the weekend"),
    *(f for device in DEVICE_GROUPS for f in windowed(f"{device}_share", "double", f"try_divide({{on_{device}}}, {{plays}})", (28,), f"share of plays on {device}")),
)
