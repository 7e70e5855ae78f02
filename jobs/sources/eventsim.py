"""The event log of a music service in the Udacity/"Sparkify" form: JSON lines of page views, plays among them.

Only NextSong, Thumbs Up, Thumbs Down and Add to Playlist become rows; other pages are no listening and are passed over.
Names and gender are never read.
"""

from __future__ import annotations

from jobs.contracts.events import FEEDBACK, PLAYS
from jobs.sources import moments
from jobs.sources.source import Feed, Form, Source

# The zone of a state's larger part.
ZONES = {
    "America/New_York": "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
    "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    "America/Denver": "CO ID MT NM UT WY",
    "America/Phoenix": "AZ",
    "America/Los_Angeles": "CA NV OR WA",
    "America/Anchorage": "AK",
    "Pacific/Honolulu": "HI",
}
STATE = "nullif(regexp_extract(location, ', ([A-Z]{2})', 1), '')"
ZONE = "CASE {} END".format(
    " ".join(f"WHEN {STATE} IN ({', '.join(repr(state) for state in states.split())}) THEN '{zone}'" for zone, states in ZONES.items())
)
DEVICE = """CASE WHEN userAgent RLIKE 'iPad|Tablet' THEN 'tablet' WHEN userAgent RLIKE 'iPhone|Android|Mobile' THEN 'mobile'
WHEN userAgent RLIKE 'Windows|Macintosh|X11|Linux' THEN 'desktop' ELSE 'unknown' END"""
HAPPENED = moments.of_millis("ts")
TIMES = {"event_ts": HAPPENED, "known_ts": f"{HAPPENED} + INTERVAL 1 MINUTE"}
TRACK = {
    "native_key": "CAST(NULL AS STRING)",
    "isrc": "CAST(NULL AS STRING)",
    "mbid": "CAST(NULL AS STRING)",
    "artist_name": "nullif(trim(artist), '')",
    "track_name": "nullif(trim(song), '')",
}
RECORD = (
    "ts BIGINT, userId STRING, sessionId STRING, itemInSession BIGINT, page STRING, artist STRING, song STRING, length DOUBLE, "
    "level STRING, location STRING, userAgent STRING"
)
KEY = ("listener_id", "ts", "sessionId", "itemInSession")
WHO = ("userId", "location", "userAgent")
NO_TIME = (("null_time", "ts IS NULL"), ("bad_time", f"{HAPPENED} IS NULL"))

MARKS = ('"page"', '"sessionId"')

PLAYS_FEED = Feed(
    PLAYS,
    RECORD,
    {
        **TIMES,
        **TRACK,
        "album_name": "CAST(NULL AS STRING)",
        "kind": "'track'",
        "ms_played": "CAST(NULL AS BIGINT)",
        "track_ms": "try_cast(round(length * 1000) AS BIGINT)",
        "skipped": "CAST(NULL AS BOOLEAN)",
        "source": "CAST(NULL AS STRING)",
        "playlist": "CAST(NULL AS STRING)",
        "device": DEVICE,
        "place": f"'US-' || {STATE}",
        "time_zone": ZONE,
        "plan": "level",
        "native_session": "sessionId",
    },
    key=KEY,
    where="page = 'NextSong'",
    listener="userId",
    checks=(("null_page", "page IS NULL"), *NO_TIME, ("null_track", "coalesce(trim(song), '') = ''"), ("negative_duration", "length < 0")),
    identifying=WHO,
)
FEEDBACK_FEED = Feed(
    FEEDBACK,
    RECORD,
    {**TIMES, **TRACK, "action": "CASE page WHEN 'Thumbs Up' THEN 'like' WHEN 'Thumbs Down' THEN 'dislike' ELSE 'playlist_add' END"},
    key=(*KEY, "page"),
    where="page IN ('Thumbs Up', 'Thumbs Down', 'Add to Playlist')",
    listener="userId",
    checks=NO_TIME,
    identifying=WHO,
    unreadable=False,
)

EVENTSIM = Source(
    "eventsim",
    "the event log of a music service (Udacity/Sparkify JSON lines)",
    forms=(
        Form("*.json", "elements", marks=MARKS, looks=r"\A\s*\["),
        *(Form(pattern, "lines", marks=MARKS) for pattern in ("*.json", "*.jsonl")),
    ),
    feeds=(PLAYS_FEED, FEEDBACK_FEED),
)
