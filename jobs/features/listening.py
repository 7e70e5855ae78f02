"""How much, how long and how attentively a listener plays."""

from __future__ import annotations

from jobs.features.feature import WINDOWS, Measure, windowed

MEASURES = (
    Measure("plays", "listens", "count(*)", "plays"),
    Measure("ms_played", "listens", "coalesce(sum(ms_played), 0)", "milliseconds heard"),
    Measure("judged", "listens", "count_if(skipped IS NOT NULL)", "plays of which it is known whether they were skipped"),
    Measure("skips", "listens", "count_if(skipped)", "skipped plays"),
    Measure("timed", "listens", "count_if(completed IS NOT NULL)", "plays of which it is known whether they were completed"),
    Measure("completes", "listens", "count_if(completed)", "plays heard to the end"),
    Measure("episodes", "listens", "count_if(kind = 'episode')", "podcast episodes"),
    Measure("active_days", "dates", "1", "days with at least one play"),
    Measure("sessions", "sessions", "count(*)", "sessions begun"),
    Measure(
        "session_ms", "sessions", "coalesce(sum(unix_millis(ended_ts) - unix_millis(started_ts)), 0)", "length of sessions in milliseconds"
    ),
)

LISTENING = (
    *windowed("plays", "bigint", "{plays}", WINDOWS, "plays"),
    *windowed("hours", "double", "{ms_played} / 3600000D", WINDOWS, "hours heard"),
    *windowed("active_days", "bigint", "{active_days}", (7, 28, 90), "days with a play"),
    *windowed("skip_rate", "double", "try_divide({skips}, {judged})", (7, 28, 90), "share of plays skipped"),
    *windowed("completion_rate", "double", "try_divide({completes}, {timed})", (28, 90), "share of plays heard to the end"),
    *windowed("sessions", "bigint", "{sessions}", (7, 28, 90), "sessions"),
    *windowed("session_minutes", "double", "try_divide({session_ms}, {sessions}) / 60000D", (28, 90), "mean minutes of a session"),
    *windowed("episode_share", "double", "try_divide({episodes}, {plays})", (28,), "share of plays that are podcast episodes"),
)
