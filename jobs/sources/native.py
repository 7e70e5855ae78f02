"""Overtone's own feeds: JSON lines, one kind a file name prefix; `sent_at` is when a row arrived."""

from __future__ import annotations

from jobs.contracts.events import AD_EVENTS, DEVICES, FEEDBACK, LISTENERS, MENTIONS, PLAYS, WEATHER
from jobs.sources import catalogue
from jobs.sources.source import Feed, Form, Source

WHO = ("listener",)
TIMES = {"event_ts": "at", "known_ts": "sent_at"}
DEVICE = f"CASE WHEN device IN ({', '.join(repr(device) for device in DEVICES)}) THEN device ELSE 'unknown' END"
SAME = ("kind", "ms_played", "track_ms", "skipped", "source", "playlist", "place", "time_zone", "plan", "isrc")

PLAYS_FEED = Feed(
    PLAYS,
    "play_id STRING, listener STRING, track STRING, isrc STRING, artist STRING, title STRING, album STRING, kind STRING, "
    "started_at TIMESTAMP, sent_at TIMESTAMP, ms_played BIGINT, track_ms BIGINT, skipped BOOLEAN, source STRING, playlist STRING, "
    "device STRING, place STRING, time_zone STRING, plan STRING",
    {
        "event_ts": "started_at",
        "known_ts": "sent_at",
        "native_key": "track",
        "mbid": "CAST(NULL AS STRING)",
        "artist_name": "artist",
        "track_name": "title",
        "album_name": "album",
        "device": DEVICE,
        "native_session": "CAST(NULL AS STRING)",
        **{name: name for name in SAME},
    },
    key=("play_id",),
    listener="listener",
    files=("plays-*",),
    checks=(("null_key", "play_id IS NULL"), ("null_track", "track IS NULL AND title IS NULL"), ("negative_duration", "ms_played < 0")),
    identifying=WHO,
)
FEEDBACK_FEED = Feed(
    FEEDBACK,
    "feedback_id STRING, listener STRING, action STRING, track STRING, artist STRING, title STRING, at TIMESTAMP, sent_at TIMESTAMP",
    {
        **TIMES,
        "action": "action",
        "native_key": "track",
        "isrc": "CAST(NULL AS STRING)",
        "mbid": "CAST(NULL AS STRING)",
        "artist_name": "artist",
        "track_name": "title",
    },
    key=("feedback_id",),
    listener="listener",
    files=("feedback-*",),
    checks=(("null_key", "feedback_id IS NULL"), ("null_track", "track IS NULL AND title IS NULL")),
    identifying=WHO,
)
ADS_FEED = Feed(
    AD_EVENTS,
    "ad_event_id STRING, impression STRING, listener STRING, kind STRING, campaign STRING, category STRING, creative STRING, "
    "slot STRING, device STRING, at TIMESTAMP, sent_at TIMESTAMP",
    {
        **TIMES,
        "impression_id": "impression",
        "device": DEVICE,
        **{name: name for name in ("kind", "campaign", "category", "creative", "slot")},
    },
    key=("ad_event_id",),
    listener="listener",
    files=("ads-*",),
    checks=(("null_key", "ad_event_id IS NULL"), ("null_impression", "impression IS NULL")),
    identifying=WHO,
)
LISTENERS_FEED = Feed(
    LISTENERS,
    "statement_id STRING, listener STRING, at TIMESTAMP, sent_at TIMESTAMP, consent STRING, age_band STRING, plan STRING, "
    "place STRING, time_zone STRING",
    {
        **TIMES,
        "basis": "'feed'",
        "consent": "coalesce(consent, 'unknown')",
        "age_band": "coalesce(age_band, 'unknown')",
        **{name: name for name in ("plan", "place", "time_zone")},
    },
    key=("statement_id",),
    listener="listener",
    files=("listeners-*",),
    checks=(("null_key", "statement_id IS NULL"),),
    identifying=WHO,
)
WEATHER_FEED = Feed(
    WEATHER,
    "place STRING, hour TIMESTAMP, issued_at TIMESTAMP, temperature_c DOUBLE, rain_mm DOUBLE",
    {"place": "place", "event_ts": "hour", "known_ts": "issued_at", "temperature_c": "temperature_c", "rain_mm": "rain_mm"},
    files=("weather-*",),
    checks=(("null_place", "place IS NULL"),),
)
MENTIONS_FEED = Feed(
    MENTIONS,
    "mention_id STRING, platform STRING, text STRING, language STRING, artist STRING, title STRING, at TIMESTAMP, sent_at TIMESTAMP",
    {**TIMES, "platform": "platform", "text": "text", "language": "language", "artist_name": "artist", "track_name": "title"},
    key=("mention_id",),
    files=("mentions-*",),
    checks=(("null_key", "mention_id IS NULL"),),
)
PREFIXES = ("plays", "feedback", "ads", "listeners", "weather", "mentions")

NATIVE = Source(
    "native",
    "Overtone's own feeds: plays, feedback, ads, listeners, weather, mentions (JSON lines) and tracks (CSV)",
    forms=(*(Form(f"{prefix}-*.jsonl", "lines") for prefix in PREFIXES), *catalogue.CATALOGUE.forms),
    feeds=(PLAYS_FEED, FEEDBACK_FEED, ADS_FEED, LISTENERS_FEED, WEATHER_FEED, MENTIONS_FEED, catalogue.TRACKS_FEED),
    states_consent=True,
)
