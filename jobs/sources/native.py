"""Overtone's own feeds: JSON lines by the kind of event, and track catalogues; the file's name says which.

Times are ISO 8601 in UTC, `sent_at` is the time of arrival. Every event has an id of its own, which is the feed's key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobs.contracts.events import AD_EVENTS, FEEDBACK, LISTENERS, MENTIONS, PLAYS, WEATHER
from jobs.sources.catalogue import TRACKS_FORM
from jobs.sources.moments import iso
from jobs.sources.source import Feed, Form, Layout, Source, anything

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACK = {"native_key": "r.track", "artist_name": "r.artist", "track_name": "r.title"}
WHO = ("listener",)


def same(*names: str) -> dict[str, str]:
    """Map columns to fields of the same name."""
    return {name: f"r.{name}" for name in names}


def texts(*names: str) -> dict[str, str]:
    """Declare fields of text."""
    return dict.fromkeys(names, "STRING")


def lines(kind: str, record: Mapping[str, str], feed: Feed, personal: tuple[str, ...] = WHO) -> Form:
    """Return the form of files kind-*.jsonl, plain or gzipped."""
    named = re.compile(rf"^{kind}-.*\.jsonl(\.gz)?$")
    return Form(kind, Layout.LINES, record, (feed,), named, anything, personal)


PLAYS_FORM = lines(
    "plays",
    texts("play_id", "listener", "track", "isrc", "artist", "title", "album", "kind", "started_at", "sent_at", "source", "playlist")
    | texts("device", "place", "time_zone", "plan")
    | {"ms_played": "BIGINT", "track_ms": "BIGINT", "skipped": "BOOLEAN"},
    Feed(
        PLAYS,
        TRACK
        | same("isrc", "kind", "ms_played", "track_ms", "skipped", "source", "playlist", "device", "place", "time_zone", "plan")
        | {"album_name": "r.album"},
        key=("r.play_id",),
        listener="r.listener",
        event=iso("r.started_at"),
        arrival=iso("r.sent_at"),
    ),
)
FEEDBACK_FORM = lines(
    "feedback",
    texts("feedback_id", "listener", "action", "track", "artist", "title", "at", "sent_at"),
    Feed(
        FEEDBACK,
        TRACK | same("action"),
        key=("r.feedback_id",),
        listener="r.listener",
        event=iso("r.at"),
        arrival=iso("r.sent_at"),
    ),
)
ADS_FORM = lines(
    "ads",
    texts("ad_event_id", "impression", "listener", "kind", "campaign", "category", "creative", "slot", "device", "at", "sent_at"),
    Feed(
        AD_EVENTS,
        same("kind", "campaign", "category", "creative", "slot", "device") | {"impression_id": "r.impression"},
        key=("r.ad_event_id",),
        listener="r.listener",
        event=iso("r.at"),
        arrival=iso("r.sent_at"),
    ),
)
LISTENERS_FORM = lines(
    "listeners",
    texts("statement_id", "listener", "at", "sent_at", "consent", "age_band", "plan", "place", "time_zone"),
    Feed(
        LISTENERS,
        same("consent", "age_band", "plan", "place", "time_zone") | {"basis": "'feed'"},
        key=("r.statement_id",),
        listener="r.listener",
        event=iso("r.at"),
        arrival=iso("r.sent_at"),
    ),
)
WEATHER_FORM = lines(
    "weather",
    texts("place", "hour", "issued_at") | {"temperature_c": "DOUBLE", "rain_mm": "DOUBLE"},
    Feed(WEATHER, same("place", "temperature_c", "rain_mm"), event=iso("r.hour"), arrival=iso("r.issued_at"), foretells=True),
    personal=(),
)
MENTIONS_FORM = lines(
    "mentions",
    texts("mention_id", "platform", "text", "language", "artist", "title", "at", "sent_at"),
    Feed(
        MENTIONS,
        same("platform", "text", "language") | {"artist_name": "r.artist", "track_name": "r.title"},
        key=("r.mention_id",),
        event=iso("r.at"),
        arrival=iso("r.sent_at"),
    ),
    personal=(),
)

NATIVE = Source(
    "native",
    (PLAYS_FORM, FEEDBACK_FORM, ADS_FORM, LISTENERS_FORM, WEATHER_FORM, MENTIONS_FORM, TRACKS_FORM),
    states_consent=True,
)
