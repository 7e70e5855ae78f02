"""Bronze: what the feeds said, one table per kind of event, pseudonymised and deduplicated, otherwise as it came."""

from __future__ import annotations

from validation.contract import Column, Expectation, Purpose, Rule, Table

DATE = Column("date", "date", "UTC date of the event", required=True)
FEED = Column("feed", "string", "name of the source adapter that read the row", required=True)
LISTENER = Column("listener_id", "string", "pseudonym: keyed hash of the feed's raw id, 32 hex digits", required=True, identifies=True)
EVENT_ID = Column("event_id", "string", "hash of the feed's own key for the event, 32 hex digits", required=True, identifies=True)
EVENT_TS = Column("event_ts", "timestamp", "when it happened (UTC)", required=True)
KNOWN_TS = Column("known_ts", "timestamp", "when it could be known: arrival time, or event time plus the adapter's delay", required=True)
INGESTED = Column("ingested_at", "timestamp", "when this lake took it in", required=True)
ORIGIN = (
    Column("file", "string", "name of the file it came from (no folders)", required=True),
    Column("position", "bigint", "line number for text, element of a JSON array, row index for Parquet; from 0", required=True),
)
TRACK_KEYS = (
    Column("native_key", "string", "the feed's own track id, else null"),
    Column("isrc", "string", "ISRC where the feed has one"),
    Column("mbid", "string", "MusicBrainz recording id where the feed has one"),
    Column("artist_name", "string", "artist as written by the feed"),
    Column("track_name", "string", "title as written by the feed"),
)
HEAD = (DATE, EVENT_ID, FEED, LISTENER, EVENT_TS, KNOWN_TS, INGESTED)

DEVICES = ("mobile", "desktop", "speaker", "car", "tv", "tablet", "web", "unknown")
ACTIONS = ("like", "unlike", "dislike", "save", "unsave", "playlist_add", "share", "follow")
AD_KINDS = ("impression", "holdout", "start", "first_quartile", "midpoint", "third_quartile", "complete", "click", "conversion")
AGE_BANDS = ("under_18", "18_24", "25_34", "35_44", "45_54", "55_plus", "unknown")
CONSENTS = ("granted", "refused", "withdrawn", "unknown")
BASES = ("feed", "file", "assume")


def one_of(column: str, values: tuple[str, ...]) -> str:
    """Return the predicate that a nullable text column holds null or one of `values`."""
    return f"{column} IS NULL OR {column} IN ({', '.join(repr(value) for value in values)})"


KNOWN_AFTER = Rule("known_after_event", "known_ts >= event_ts", "nothing is known before it happens")
DATE_OF_EVENT = Rule("date_of_event", "date = to_date(event_ts)", "the partition is the UTC date of the event")
EVENT_RULES = (KNOWN_AFTER, DATE_OF_EVENT)

PLAYS = Table(
    "bronze.plays",
    "one play of a track or an episode, as the feed reported it",
    ("event_id",),
    (
        *HEAD,
        *TRACK_KEYS,
        Column("album_name", "string", "album as written by the feed"),
        Column("kind", "string", "track or episode", required=True),
        Column("ms_played", "bigint", "milliseconds heard, null where the feed does not say"),
        Column("track_ms", "bigint", "length of the track in milliseconds, null where the feed does not say"),
        Column("skipped", "boolean", "the feed's own word that it was skipped"),
        Column("source", "string", "where it was played from: search, library, playlist, editorial, radio, album, profile, autoplay"),
        Column("playlist", "string", "the feed's id of the playlist it was played from"),
        Column("device", "string", f"one of {', '.join(DEVICES)}", required=True),
        Column("place", "string", "coarse region: ISO 3166-1 country, or ISO 3166-2 subdivision"),
        Column("time_zone", "string", "IANA name, where the feed says or implies it"),
        Column("plan", "string", "free or paid at that moment"),
        Column("native_session", "string", "the feed's own session id"),
        *ORIGIN,
    ),
    Purpose.SERVICE,
    retention_days=400,
    fresh_hours=3,
    rules=(
        *EVENT_RULES,
        Rule("duration_not_negative", "ms_played IS NULL OR ms_played BETWEEN 0 AND 86400000", "heard for 0 s to 24 h"),
        Rule("names_something", "native_key IS NOT NULL OR track_name IS NOT NULL", "a play names what was played"),
        Rule("kind_known", "kind IN ('track', 'episode')", "a track or an episode"),
        Rule("device_known", one_of("device", DEVICES), "a device class of the list"),
    ),
    rejected_share=0.2,  # raw feeds bring more that is bad than any table made of them
)

FEEDBACK = Table(
    "bronze.feedback",
    "one explicit act of a listener on a track: like, dislike, save, playlist-add ...",
    ("event_id",),
    (*HEAD, Column("action", "string", f"one of {', '.join(ACTIONS)}", required=True), *TRACK_KEYS, *ORIGIN),
    Purpose.SERVICE,
    retention_days=400,
    rules=(*EVENT_RULES, Rule("action_known", one_of("action", ACTIONS), "an action of the list")),
)

AD_EVENTS = Table(
    "bronze.ad_events",
    "one thing that happened to one ad opportunity: shown, withheld for the holdout, listened to, clicked",
    ("event_id",),
    (
        *HEAD,
        Column("kind", "string", f"one of {', '.join(AD_KINDS)}", required=True),
        Column("impression_id", "string", "the opportunity it belongs to", required=True, identifies=True),
        Column("campaign", "string", "campaign in whose name it was decided", required=True),
        Column("category", "string", "advertiser's category", required=True),
        Column("creative", "string", "creative that was played, or would have been"),
        Column("slot", "string", "position in the break: pre, mid or post"),
        Column("device", "string", f"one of {', '.join(DEVICES)}", required=True),
        *ORIGIN,
    ),
    Purpose.SERVICE,  # the log of what was delivered: billing and caps need it whoever heard the ad
    retention_days=400,
    fresh_hours=3,
    rules=(
        *EVENT_RULES,
        Rule("ad_kind_known", one_of("kind", AD_KINDS), "a kind of the list"),
        Rule("ad_device_known", one_of("device", DEVICES), "a device class of the list"),
    ),
    may_be_empty=True,
)

LISTENERS = Table(
    "bronze.listeners",
    "one statement about a listener from a moment on: consent, age band, plan, home; later statements replace earlier ones",
    ("event_id",),
    (
        *HEAD,
        Column("consent", "string", f"to profiling for advertising: {', '.join(CONSENTS)}", required=True),
        Column("basis", "string", f"who says so: {', '.join(BASES)}", required=True),
        Column("age_band", "string", f"one of {', '.join(AGE_BANDS)}", required=True),
        Column("plan", "string", "free or paid"),
        Column("place", "string", "home region, ISO 3166"),
        Column("time_zone", "string", "home time zone, IANA name"),
        *ORIGIN,
    ),
    Purpose.SERVICE,
    retention_days=3650,  # a statement holds until the next one, and proves why somebody was addressed
    rules=(
        *EVENT_RULES,
        Rule("consent_known", one_of("consent", CONSENTS), "a consent of the list"),
        Rule("basis_known", one_of("basis", BASES), "a basis of the list"),
        Rule("age_band_known", one_of("age_band", AGE_BANDS), "an age band of the list"),
    ),
)

WEATHER = Table(
    "bronze.weather",
    "one forecast of one hour at one place, as issued at known_ts",
    ("place", "event_ts", "known_ts"),
    (
        DATE,
        FEED,
        Column("place", "string", "region the forecast is for, ISO 3166", required=True),
        Column("event_ts", "timestamp", "the hour the forecast is about (UTC)", required=True),
        Column("known_ts", "timestamp", "when the forecast was issued (UTC)", required=True),
        INGESTED,
        Column("temperature_c", "double", "air temperature in degrees Celsius"),
        Column("rain_mm", "double", "rain in that hour in millimetres"),
        *ORIGIN,
    ),
    Purpose.SERVICE,
    retention_days=400,
    fresh_hours=3,
    rules=(
        Rule("issued_before", "known_ts <= event_ts", "a forecast is issued before the hour it is about"),
        DATE_OF_EVENT,
        Rule("temperature_on_earth", "temperature_c IS NULL OR temperature_c BETWEEN -90 AND 60", "between -90 and 60 degrees"),
        Rule("rain_possible", "rain_mm IS NULL OR rain_mm BETWEEN 0 AND 500", "between 0 and 500 mm in an hour"),
    ),
    may_be_empty=True,
)

MENTIONS = Table(
    "bronze.mentions",
    "one public mention of an artist or a track elsewhere; it names no listener",
    ("event_id",),
    (
        DATE,
        EVENT_ID,
        FEED,
        EVENT_TS,
        KNOWN_TS,
        INGESTED,
        Column("platform", "string", "where it was said", required=True),
        Column("text", "string", "what was said", required=True),
        Column("language", "string", "ISO 639-1 code where the feed says"),
        Column("artist_name", "string", "artist as tagged by the feed"),
        Column("track_name", "string", "track as tagged by the feed"),
        *ORIGIN,
    ),
    Purpose.CONTENT,
    retention_days=180,
    rules=EVENT_RULES,
    may_be_empty=True,
)

DESCRIPTORS = (
    "danceability",
    "energy",
    "valence",
    "acousticness",
    "instrumentalness",
    "liveness",
    "speechiness",
)  # each 0..1

TRACKS = Table(
    "bronze.tracks",
    "one track of a catalogue",
    ("feed", "native_key"),
    (
        FEED,
        Column("native_key", "string", "the catalogue's own track id", required=True),
        Column("isrc", "string", "ISRC"),
        Column("mbid", "string", "MusicBrainz recording id"),
        Column("artist_name", "string", "artist", required=True),
        Column("track_name", "string", "title", required=True),
        Column("release_date", "date", "release date; a year alone is its first of January"),
        Column("genre", "string", "main genre, lower case"),
        Column("subgenre", "string", "sub-genre, lower case"),
        Column("track_ms", "bigint", "length in milliseconds"),
        Column("tempo", "double", "beats per minute"),
        Column("loudness", "double", "loudness in dB, full scale"),
        *(Column(name, "double", f"{name}, 0 to 1") for name in DESCRIPTORS),
        INGESTED,
        *ORIGIN,
    ),
    Purpose.SERVICE,
    retention_days=3650,
    rules=(
        Rule("descriptors_in_unit", " AND ".join(f"({n} IS NULL OR {n} BETWEEN 0 AND 1)" for n in DESCRIPTORS), "descriptors lie in 0..1"),
        Rule("length_positive", "track_ms IS NULL OR track_ms > 0", "a track has a length"),
    ),
    expectations=(Expectation("rows", low=1),),
    partition=(),
    may_be_empty=True,
)

EVENTS = (PLAYS, FEEDBACK, AD_EVENTS, LISTENERS, WEATHER, MENTIONS, TRACKS)
