"""Eventsim, the event log of a made-up music service (the form of Udacity's "Sparkify" course): one page view a line.

A row of ours is a song played, a thumb or a song added to a playlist, by somebody who is logged in; all other pages, and
pages of visitors, say nothing of listening and are left out of every count. Names never enter.
"""

from __future__ import annotations

import re

from jobs.contracts.events import FEEDBACK, PLAYS
from jobs.sources.moments import millis
from jobs.sources.source import Feed, Form, Layout, Source, mentions

# Where most people of a state live, for the clock; a log line names only the metropolitan area.
ZONES = {
    "America/New_York": "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
    "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    "America/Denver": "CO ID MT NM UT WY",
    "America/Phoenix": "AZ",
    "America/Los_Angeles": "CA NV OR WA",
    "America/Anchorage": "AK",
    "Pacific/Honolulu": "HI",
    "America/Puerto_Rico": "PR",
}
STATE = "nullif(regexp_extract(r.location, ',\\\\s*([A-Z]{2})[A-Z-]*$', 1), '')"
ZONE_OF = "map({})".format(", ".join(f"'{state}', '{zone}'" for zone, states in ZONES.items() for state in states.split()))
AGENT = "lower(r.userAgent)"
DEVICE = f"""CASE
    WHEN {AGENT} RLIKE 'ipad|tablet' THEN 'tablet'
    WHEN {AGENT} RLIKE 'iphone|ipod|android|mobile' THEN 'mobile'
    WHEN {AGENT} RLIKE 'windows|macintosh|x11' THEN 'desktop'
    ELSE 'unknown' END"""
SIGNED_IN = "coalesce(r.userId, '') <> '' AND coalesce(r.auth, 'Logged In') = 'Logged In'"
KEY = ("listener_id", "r.sessionId", "r.itemInSession", "r.ts")
ACTIONS = {"Thumbs Up": "like", "Thumbs Down": "dislike", "Add to Playlist": "playlist_add"}
ACTION = "CASE r.page {} END".format(" ".join(f"WHEN '{page}' THEN '{action}'" for page, action in ACTIONS.items()))
SONG = {"artist_name": "nullif(r.artist, '')", "track_name": "nullif(r.song, '')"}
DELAY_S = 60  # a log shipped every minute

LOG = Form(
    "log",
    Layout.LINES,
    dict.fromkeys(
        ("artist", "auth", "itemInSession", "level", "location", "page", "sessionId", "song", "ts", "userAgent", "userId"), "STRING"
    )
    | {"length": "DOUBLE"},
    (
        Feed(
            PLAYS,
            SONG
            | {
                "kind": "'track'",
                "track_ms": "CAST(round(nullif(r.length, 0) * 1000) AS BIGINT)",
                "device": DEVICE,
                "place": f"concat('US-', {STATE})",
                "time_zone": f"try_element_at({ZONE_OF}, {STATE})",
                "plan": "CASE WHEN r.level IN ('free', 'paid') THEN r.level END",
                "native_session": "r.sessionId",
            },
            key=KEY,
            listener="r.userId",
            event=millis("r.ts"),
            delay_s=DELAY_S,
            rows=f"r.page = 'NextSong' AND {SIGNED_IN}",
        ),
        Feed(
            FEEDBACK,
            SONG | {"action": ACTION},
            key=(*KEY, "r.page"),
            listener="r.userId",
            event=millis("r.ts"),
            delay_s=DELAY_S,
            rows="r.page IN ({}) AND {}".format(", ".join(f"'{page}'" for page in ACTIONS), SIGNED_IN),
        ),
    ),
    re.compile(r"\.jsonl?(\.gz)?$"),
    mentions(b'"page"', b'"sessionId"', b'"itemInSession"'),
    personal=("userId", "firstName", "lastName", "gender"),
)

EVENTSIM = Source("eventsim", (LOG,))
