"""Moments: one line a moment. What is expected is where learning begins, and what keeps a moment what its name says."""

from __future__ import annotations

from jobs.moments.moment import Moment

SOFT, LOUD = "0-0.5", "0.65-1"

RULES: tuple[Moment, ...] = (
    Moment("waking_up", "getting up and ready", {"hour": "5-9", "device": "speaker mobile", "minutes": "0-45", "energy": "0.35-0.65"}),
    Moment("commute", "on the way to work or home", {"hour": "6-9 16-19", "day": "weekday", "device": "car mobile", "minutes": "10-45"}),
    Moment(
        "focus", "working or studying", {"hour": "8-17", "day": "weekday", "device": "desktop web", "minutes": "45-600", "skips": "0-0.2"}
    ),
    Moment("workout", "exercising", {"hour": "6-8 17-20", "device": "mobile", "minutes": "25-90", "energy": LOUD, "tempo": "115-250"}),
    Moment("party", "with friends, loud", {"hour": "19-3", "day": "weekend holiday", "minutes": "90-900", "energy": LOUD, "valence": LOUD}),
    Moment("family", "at home together", {"hour": "8-19", "day": "weekend holiday", "device": "speaker tv tablet", "valence": LOUD}),
    Moment("wind_down", "the end of the day", {"hour": "19-23", "device": "speaker tv tablet", "energy": SOFT, "acousticness": "0.35-1"}),
    Moment("sleep", "falling asleep", {"hour": "22-4", "energy": "0-0.35", "acousticness": "0.5-1", "tempo": "0-100", "skips": "0-0.001"}),
    Moment("background", "music beside something else"),
)
