"""Which plan a listener plays on, and whether that changed."""

from __future__ import annotations

from jobs.features.feature import Measure, windowed

MEASURES = (
    Measure("planned", "listens", "count_if(plan IS NOT NULL)", "plays of which the plan is known"),
    Measure("paid", "listens", "count_if(plan = 'paid')", "plays on a paid plan"),
)
CHANGE = "try_divide({paid@7}, {planned@7}) - try_divide({paid}, {planned})"

SUBSCRIPTION = (
    *windowed("paid_share", "double", "try_divide({paid}, {planned})", (7, 28, 90), "share of plays on a paid plan"),
    *windowed("paid_change", "double", CHANGE, (90,), "share of plays on a paid plan in the last 7 days less that of the window"),
)
