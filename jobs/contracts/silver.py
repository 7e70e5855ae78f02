"""Silver: one truth per play, session, track and listener, whichever feed it came from."""

from __future__ import annotations

from jobs.contracts.events import (
    AGE_BANDS,
    BASES,
    CONSENTS,
    DATE,
    DESCRIPTORS,
    DEVICES,
    EVENT_ID,
    EVENT_TS,
    FEED,
    KNOWN_TS,
    LISTENER,
    one_of,
)
from validation.contract import Column, Expectation, Purpose, Rule, Table

MATCHES = ("exact", "isrc", "mbid", "name", "none")
TRACK_ID = Column("track_id", "string", "one id for a track across feeds, 32 hex digits", required=True)
ATTRIBUTES = (
    Column("genre", "string", "main genre; null where the track was not found in a catalogue"),
    Column("subgenre", "string", "sub-genre"),
    Column("release_date", "date", "release date"),
    Column("track_ms", "bigint", "length in milliseconds"),
    Column("tempo", "double", "beats per minute"),
    Column("loudness", "double", "loudness in dB, full scale"),
    *(Column(name, "double", f"{name}, 0 to 1") for name in DESCRIPTORS),
)

# An unknown age counts as a minor's, unless the operator vouched for everybody.
ADULT = "age_band <> 'under_18' AND (age_band <> 'unknown' OR basis = 'assume')"
AGREED = f"consent = 'granted' AND {ADULT}"

# What a play remembers of its track; the rest is looked up in silver.tracks.
HEARD = tuple(column for column in ATTRIBUTES if column.name not in ("loudness", "instrumentalness", "liveness", "speechiness"))
NAMED = ("feed", "native_key", "isrc", "mbid", "artist_name", "track_name")
LOOKUP = "md5(concat_ws('\\u001f', {}))".format(", ".join(f"coalesce({name}, '')" for name in NAMED))

SILVER_LISTENERS = Table(
    "silver.listeners",
    "one listener who had stated anything by the end of the date: the statement in force, as known then",
    ("date", "listener_id"),
    (
        Column("date", "date", "state at the end of this UTC date", required=True),
        LISTENER,
        Column("consent", "string", f"one of {', '.join(CONSENTS)}", required=True),
        Column("basis", "string", f"one of {', '.join(BASES)}", required=True),
        Column("age_band", "string", f"one of {', '.join(AGE_BANDS)}", required=True),
        Column("ads_allowed", "boolean", "consent granted by a known adult", required=True),
        Column("plan", "string", "free or paid"),
        Column("place", "string", "home region, ISO 3166"),
        Column("time_zone", "string", "home time zone, IANA name"),
        KNOWN_TS,
    ),
    Purpose.SERVICE,
    retention_days=400,
    fresh_hours=5,
    rules=(
        Rule("known_by_then", "known_ts < date + INTERVAL 1 DAY", "nothing learned later"),
        Rule("no_minor_allowed", f"NOT ads_allowed OR ({AGREED})", "only consenting adults"),
    ),
    may_be_empty=True,
)

SILVER_TRACKS = Table(
    "silver.tracks",
    "one (feed, native key) heard or acted on that date, with the track it stands for",
    ("date", "feed", "lookup"),
    (
        DATE,
        FEED,
        Column("lookup", "string", "what joins a play to this row: hash of the feed's native key and names", required=True),
        TRACK_ID,
        Column("artist_id", "string", "one id for an artist: hash of the normalised name", required=True),
        Column("matched_by", "string", f"one of {', '.join(MATCHES)}", required=True),
        Column("artist_name", "string", "artist"),
        Column("track_name", "string", "title"),
        *ATTRIBUTES,
    ),
    Purpose.CONTENT,
    retention_days=400,
    fresh_hours=5,
    rules=(Rule("match_known", one_of("matched_by", MATCHES), "a kind of match of the list"),),
)

LISTENS = Table(
    "silver.listens",
    "one play of a track or episode, with its track, local time and what became of it",
    ("event_id",),
    (
        DATE,
        EVENT_ID,
        FEED,
        LISTENER,
        EVENT_TS,
        KNOWN_TS,
        Column("time_zone", "string", "zone that local time was computed in", required=True),
        Column("local_date", "date", "date on the listener's clock", required=True),
        Column("local_hour", "int", "hour on the listener's clock, 0 to 23", required=True),
        TRACK_ID,
        Column("artist_id", "string", "one id for an artist", required=True),
        Column("kind", "string", "track or episode", required=True),
        *HEARD,
        Column("ms_played", "bigint", "milliseconds heard, null where unknown"),
        Column("skipped", "boolean", "ended by the listener before 30 s or as the feed says; null where neither is known"),
        Column("completed", "boolean", "heard to at least 90 % of its length; null where unknown"),
        Column("source", "string", "where it was played from"),
        Column("device", "string", f"one of {', '.join(DEVICES)}", required=True),
        Column("place", "string", "coarse region, ISO 3166"),
        Column("plan", "string", "free or paid at that moment"),
    ),
    Purpose.SERVICE,
    retention_days=400,
    fresh_hours=5,
    rules=(
        Rule("hour_of_day", "local_hour BETWEEN 0 AND 23", "an hour of the day"),
        Rule("local_near_utc", "abs(datediff(local_date, date)) <= 1", "local date within a day of the UTC date"),
    ),
)

CHARACTER = ("energy", "valence", "acousticness", "tempo")  # of a track, that a session has a mean of

SESSIONS = Table(
    "silver.sessions",
    "one session: plays of one listener without a gap of 30 minutes or more between end and next start",
    ("session_id",),
    (
        Column("date", "date", "UTC date of the first play", required=True),
        Column("session_id", "string", "hash of listener and first play", required=True, identifies=True),
        LISTENER,
        Column("started_ts", "timestamp", "start of the first play (UTC)", required=True),
        Column(
            "ended_ts",
            "timestamp",
            "end of the last play, by its track's length where it is not known how long it was heard (UTC)",
            required=True,
        ),
        KNOWN_TS,
        Column("local_date", "date", "date of the start on the listener's clock", required=True),
        Column("local_hour", "int", "hour of the start on the listener's clock", required=True),
        Column("device", "string", "device of the first play", required=True),
        Column("place", "string", "region of the first play, ISO 3166; null where unknown"),
        Column("plays", "bigint", "plays in the session", required=True),
        Column("judged", "bigint", "plays of which it is known whether they were skipped"),
        Column("skips", "bigint", "skipped plays", required=True),
        Column("episodes", "bigint", "plays that are podcast episodes"),
        Column("ms_played", "bigint", "milliseconds heard", required=True),
        *(Column(f"mean_{name}", "double", f"mean {name} of its tracks, null where none is known") for name in CHARACTER),
    ),
    Purpose.SERVICE,
    retention_days=400,
    fresh_hours=5,
    rules=(
        Rule("ends_after_start", "ended_ts >= started_ts", "ends at or after its start"),
        Rule("has_plays", "plays >= 1", "at least one play"),
    ),
    expectations=(Expectation("mean", "plays", low=1, high=200),),
)

SILVER = (SILVER_LISTENERS, SILVER_TRACKS, LISTENS, SESSIONS)
