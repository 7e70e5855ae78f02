"""When and on what a listener plays."""

from __future__ import annotations

from jobs.features.feature import Feature, Measure, windowed

# First and last local hour, both included. Night wraps no midnight, so a BETWEEN says it.
DAYPARTS = {"night": (0, 5), "morning": (6, 9), "midday": (10, 15), "evening": (16, 19), "late": (20, 23)}
DEVICE_GROUPS = ("mobile", "desktop", "speaker", "car")

MEASURES = (
    *(
        Measure(f"in_{name}", "listens", f"count_if(local_hour BETWEEN {low} AND {high})", f"plays from {low}:00 to {high}:59")
        for name, (low, high) in DAYPARTS.items()
    ),
    Measure("on_weekend", "listens", "count_if(dayofweek(local_date) IN (1, 7))", "plays on Saturday or Sunday"),
    *(Measure(f"on_{device}", "listens", f"count_if(device = '{device}')", f"plays on {device}") for device in DEVICE_GROUPS),
)


def _share(name: str, part: str, days: tuple[int, ...], meaning: str) -> tuple[Feature, ...]:
    return windowed(f"{name}_share", "double", f"try_divide({{{part}}}, {{plays}})", days, f"share of plays {meaning}")


RHYTHM = (
    *(feature for name in DAYPARTS for feature in _share(name, f"in_{name}", (28,), f"in the {name}")),
    *_share("weekend", "on_weekend", (28, 90), "at the weekend"),
    *(feature for device in DEVICE_GROUPS for feature in _share(device, f"on_{device}", (28,), f"on {device}")),
)
