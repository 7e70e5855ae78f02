"""Spotify's "extended streaming history" exports, both spellings, and the shorter history; episodes and audiobook chapters are content too.

`ts` is the moment the stream ended; a play began `ms_played` before.
"""

from __future__ import annotations

from jobs.contracts.events import PLAYS
from jobs.sources import moments
from jobs.sources.source import Feed, Form, Source

SAID = "coalesce(ts, endTime)"
ENDED = moments.of_text(SAID)
HEARD = "coalesce(ms_played, msPlayed)"
STARTED = f"timestamp_millis(unix_millis({ENDED}) - least(greatest({HEARD}, 0), 86400000))"  # longer than a day is refused
URI = "coalesce(spotify_track_uri, spotify_episode_uri, audiobook_chapter_uri)"
MUSIC = "coalesce(master_metadata_track_name, trackName)"
ARTIST = "coalesce(master_metadata_album_artist_name, artistName, episode_show_name, podcastName, audiobook_title)"
TITLE = f"coalesce({MUSIC}, episode_name, episodeName, audiobook_chapter_title)"
DEVICE = """CASE WHEN lower(platform) RLIKE 'android_tv|tv|tizen|webos|chromecast' THEN 'tv'
WHEN lower(platform) RLIKE 'ipad|tablet' THEN 'tablet' WHEN lower(platform) RLIKE 'android|ios|iphone' THEN 'mobile'
WHEN lower(platform) RLIKE 'car|auto' THEN 'car' WHEN lower(platform) RLIKE 'sonos|speaker|google_home|echo|cast' THEN 'speaker'
WHEN lower(platform) RLIKE 'web' THEN 'web' WHEN lower(platform) RLIKE 'windows|os x|osx|linux|mac' THEN 'desktop' ELSE 'unknown' END"""

PLAYS_FEED = Feed(
    PLAYS,
    "ts STRING, username STRING, platform STRING, ms_played BIGINT, conn_country STRING, master_metadata_track_name STRING, "
    "master_metadata_album_artist_name STRING, master_metadata_album_album_name STRING, spotify_track_uri STRING, episode_name STRING, "
    "episode_show_name STRING, spotify_episode_uri STRING, audiobook_title STRING, audiobook_chapter_uri STRING, "
    "audiobook_chapter_title STRING, skipped STRING, endTime STRING, artistName STRING, trackName STRING, podcastName STRING, "
    "episodeName STRING, msPlayed BIGINT",
    {
        "event_ts": STARTED,
        "known_ts": f"{ENDED} + INTERVAL 1 MINUTE",
        "native_key": URI,
        "isrc": "CAST(NULL AS STRING)",
        "mbid": "CAST(NULL AS STRING)",
        "artist_name": f"nullif(trim({ARTIST}), '')",
        "track_name": f"nullif(trim({TITLE}), '')",
        "album_name": "nullif(trim(master_metadata_album_album_name), '')",
        "kind": f"CASE WHEN coalesce(spotify_track_uri, {MUSIC}) IS NULL THEN 'episode' ELSE 'track' END",
        "ms_played": HEARD,
        "track_ms": "CAST(NULL AS BIGINT)",
        "skipped": "try_cast(skipped AS BOOLEAN)",
        "source": "CAST(NULL AS STRING)",
        "playlist": "CAST(NULL AS STRING)",
        "device": DEVICE,
        "place": "CASE WHEN conn_country RLIKE '^[A-Z]{2}$' AND conn_country <> 'ZZ' THEN conn_country END",
        "time_zone": "CAST(NULL AS STRING)",
        "plan": "CAST(NULL AS STRING)",
        "native_session": "CAST(NULL AS STRING)",
    },
    key=("listener_id", SAID, f"coalesce({URI}, concat_ws('|', {ARTIST}, {TITLE}))", HEARD),
    listener="username",
    checks=(
        ("null_time", f"coalesce({SAID}, '') = ''"),
        ("bad_time", f"{ENDED} IS NULL"),
        ("null_duration", f"{HEARD} IS NULL"),
        ("negative_duration", f"{HEARD} < 0"),
        ("null_track", f"{URI} IS NULL AND coalesce(trim({TITLE}), '') = ''"),
    ),
    identifying=("username",),
)

SPOTIFY = Source(
    "spotify",
    'Spotify exports: the "extended streaming history" and the shorter "streaming history" (JSON)',
    forms=(Form("*.json", "elements", marks=("spotify_track_uri",)), Form("*.json", "elements", marks=("endTime", "msPlayed"))),
    feeds=(PLAYS_FEED,),
    needs_user=True,
)
