"""What a listener does: likes and saves, and how ads were received."""

from __future__ import annotations

from jobs.features.feature import Measure, windowed
from validation.contract import Purpose

MEASURES = (
    Measure("likes", "feedback", "count_if(action IN ('like', 'save', 'playlist_add'))", "likes, saves and playlist adds"),
    Measure("playlist_adds", "feedback", "count_if(action = 'playlist_add')", "tracks added to playlists"),
    Measure("dislikes", "feedback", "count_if(action IN ('dislike', 'unlike', 'unsave'))", "dislikes and removals"),
    Measure("shares", "feedback", "count_if(action = 'share')", "tracks shared"),
    Measure("ads_heard", "ad_events", "count_if(kind = 'impression')", "ads played"),
    Measure("ads_clicked", "ad_events", "count_if(kind = 'click')", "ads clicked"),
    Measure("ads_completed", "ad_events", "count_if(kind = 'complete')", "ads heard to the end"),
)


def _shrunk(what: str, *, unknown: float, week: str = "") -> str:
    """Return SQL of a rate of ads, drawn to everybody's as it was known then with the weight of 10 ads: one click is not 100 %."""
    everybody = f"coalesce(try_divide({{all.{what}}}, {{all.ads_heard}}), {unknown}D)"
    # An ad may be known to be clicked before it is known to be heard.
    return f"least(({{{what}{week}}} + 10 * {everybody}) / ({{ads_heard{week}}} + 10), 1D)"


CLICKED, COMPLETED = _shrunk("ads_clicked", unknown=0.02), _shrunk("ads_completed", unknown=0.8)

PRESSURE = "(4D * {ads_heard@7} + 4) / ({ads_heard} + 4)"

RESPONSE = (
    *windowed("likes", "bigint", "{likes}", (7, 28, 90), "likes, saves and playlist adds"),
    *windowed("playlist_adds", "bigint", "{playlist_adds}", (28, 90), "tracks added to playlists"),
    *windowed(
        "like_rate",
        "double",
        "least(({likes} + 0.5) / ({plays} + 50), 1D)",
        (28, 90),
        "likes, saves and playlist adds a play, drawn to 1 in 100",
    ),
    *windowed("dislikes", "bigint", "{dislikes}", (28, 90), "dislikes and removals"),
    *windowed("shares", "bigint", "{shares}", (90,), "tracks shared"),
    *windowed("ads_heard", "bigint", "{ads_heard}", (1, 7, 28), "ads heard", purpose=Purpose.ADS),
    *windowed("ad_click_rate", "double", CLICKED, (28, 90), "shrunk share of ads clicked", purpose=Purpose.ADS),
    *windowed("ad_completion_rate", "double", COMPLETED, (28, 90), "shrunk share of ads heard to the end", purpose=Purpose.ADS),
    *windowed("ads_an_hour", "double", "try_divide({ads_heard}, {ms_played} / 3600000D)", (28,), "ads an hour heard", purpose=Purpose.ADS),
    *windowed(
        "ad_pressure",
        "double",
        PRESSURE,
        (28,),
        "ads heard in the last 7 days against a usual week, drawn to no change",
        purpose=Purpose.ADS,
    ),
    *windowed(
        "ad_fatigue",
        "double",
        f"{COMPLETED} - {_shrunk('ads_completed', unknown=0.8, week='@7')}",
        (90,),
        "share of ads heard to the end less that of the last 7 days",
        purpose=Purpose.ADS,
    ),
)
