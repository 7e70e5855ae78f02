"""What a listener's sessions are: which moments, how weather changes them, in how many places. And all families of a portrait.

A share of moments is drawn to everybody's with the weight of a few sessions. Weather's difference is drawn to none: with so many rainy and
dry sessions it counts as much as their harmonic mean, against ten.
"""

from __future__ import annotations

from jobs.features.artists import ARTISTS
from jobs.features.feature import Feature, Measure, windowed
from jobs.moments import MOMENTS

SESSIONS, DIFFERENCE = 5, 10  # sessions that everybody's shares weigh, and that no difference weighs
WEATHER = {"wet": "weather = 'rain'", "dry": "weather LIKE 'dry%'"}

OF_SESSIONS = (
    Measure("sessions", "sessions", "count(*)", "sessions"),
    *(Measure(moment.name, "sessions", f"count_if(moment = '{moment.name}')", f"sessions that are {moment.name}") for moment in MOMENTS),
    *(
        Measure(name, "sessions", f"count_if({when} AND mean_energy IS NOT NULL)", f"sessions of known energy in {name} weather")
        for name, when in WEATHER.items()
    ),
    *(
        Measure(
            f"{name}_energy",
            "sessions",
            f"coalesce(sum(CAST(round(mean_energy * 1000) AS BIGINT)) FILTER (WHERE {when}), 0)",
            f"sum of energy in {name} weather in thousandths",
        )
        for name, when in WEATHER.items()
    ),
)
OF_PLACES = (
    Measure("placed", "places", "coalesce(sum(n), 0)", "sessions whose place is known"),
    Measure("home", "places", "coalesce(max(n), 0)", "sessions in the most usual place"),
    Measure("places", "places", "count(*)", "different places"),
)

MEAN = {name: f"{{{name}_energy}} / {{{name}}}" for name in WEATHER}
BOTH = "({wet} * {dry} / ({wet} + {dry}))"
SENSITIVITY = f"CASE WHEN {{wet}} > 0 AND {{dry}} > 0 THEN ({MEAN['wet']} - {MEAN['dry']}) / 1000 * {BOTH} / ({BOTH} + {DIFFERENCE}) END"


def _share(name: str) -> str:
    drawn = f"({{{name}}} + {SESSIONS} * try_divide({{all.{name}}}, {{all.sessions}})) / ({{sessions}} + {SESSIONS})"
    return f"CASE WHEN {{sessions}} > 0 THEN {drawn} END"


MOMENT_SHARES: tuple[Feature, ...] = (
    *(
        feature
        for moment in MOMENTS
        for feature in windowed(
            f"moment_{moment.name}", "double", _share(moment.name), (28,), f"share of sessions that are {moment.name.replace('_', ' ')}"
        )
    ),
    *windowed("weather_sensitivity", "double", SENSITIVITY, (28,), "energy of sessions in rain less that in dry weather, drawn to none"),
    *windowed("places", "bigint", "{places}", (28,), "different regions"),
    *windowed("home_share", "double", "try_divide({home}, {placed})", (28,), "share of sessions in the most usual region"),
)

FAMILIES: dict[str, tuple[Feature, ...]] = {"artists": ARTISTS, "moments": MOMENT_SHARES}
PORTRAIT: tuple[Feature, ...] = tuple(feature for family in FAMILIES.values() for feature in family)
