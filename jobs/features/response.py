"""What a listener does: likes and saves, and how ads were received."""

from __future__ import annotations

from jobs.features.feature import Measure, windowed
from validation.contract import Purpose

MEASURES = (
    Measure("likes", "feedback", "count_if(action IN ('like', 'save', 'playlist_add'))", "likes, saves and playlist adds"),
    Measure("dislikes", "feedback", "count_if(action IN ('dislike', 'unlike', 'unsave'))", "dislikes and removals"),
    Measure("shares", "feedback", "count_if(action = 'share')", "tracks shared"),
    Measure("ads_heard", "ad_events", "count_if(kind = 'impression')", "ads played"),
    Measure("ads_clicked", "ad_events", "count_if(kind = 'click')", "ads clicked"),
    Measure("ads_completed", "ad_events", "count_if(kind = 'complete')", "ads heard to the end"),
)

# Rates are shrunk to a fixed prior (10 ads at a 2 % click rate, 80 % completion), so one early click does not read as 100 %.
CLICKED = "({ads_clicked} + 0.2) / ({ads_heard} + 10)"
COMPLETED = "({ads_completed} + 8) / ({ads_heard} + 10)"

RESPONSE = (
    *windowed("likes", "bigint", "{likes}", (7, 28, 90), "likes, saves and playlist adds"),
    *windowed("dislikes", "bigint", "{dislikes}", (28, 90), "dislikes and removals"),
    *windowed("shares", "bigint", "{shares}", (90,), "tracks shared"),
    *windowed("ads_heard", "bigint", "{ads_heard}", (1, 7, 28), "ads heard", purpose=Purpose.ADS),
    *windowed("ad_click_rate", "double", CLICKED, (28, 90), "shrunk share of ads clicked", purpose=Purpose.ADS),
    *windowed("ad_completion_rate", "double", COMPLETED, (28, 90), "shrunk share of ads heard to the end", purpose=Purpose.ADS),
)
