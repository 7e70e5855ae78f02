"""Feed rows as lines of text: JSON objects put together from prepared parts, a column at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.world import ads, listening, listing
from jobs.world.catalogue import GENRES
from jobs.world.people import DEVICES, raw_ids
from jobs.world.places import DAY_MS, PLACES
from jobs.world.preset import MARGIN_DAYS

if TYPE_CHECKING:
    from jobs.world.block import Block
    from jobs.world.draws import Ints, Keys
    from jobs.world.stage import Stage

MINUTE_MS = 60_000
LATEST_DAYS = 16  # no time is written that lies further beyond the world's end


class Stamps:
    """Writes milliseconds since 1970 as ISO 8601 in UTC with milliseconds, by looking up minutes and seconds."""

    def __init__(self, stage: Stage) -> None:
        world = stage.world
        self.origin = world.start_ms - MARGIN_DAYS * DAY_MS
        minutes = np.arange(0, (world.days + MARGIN_DAYS + LATEST_DAYS) * DAY_MS, MINUTE_MS) + self.origin
        self.minutes = pa.array([f"{m}:" for m in minutes.astype("datetime64[ms]").astype("datetime64[m]").astype(str).tolist()])
        self.seconds = pa.array([f"{ms // 1000:02d}.{ms % 1000:03d}Z" for ms in range(MINUTE_MS)])

    def __call__(self, ms: Ints) -> Any:
        """Return the text of each moment."""
        minute, rest = np.divmod(ms - self.origin, MINUTE_MS)
        return pc.binary_join_element_wise(self.minutes.take(pa.array(minute)), self.seconds.take(pa.array(rest)), "")


class Parts:
    """The prepared parts of lines, made once for a stage."""

    def __init__(self, stage: Stage) -> None:
        self.time = Stamps(stage)
        items = listing.items(stage.catalogue)
        self.items = pa.array([_inner(item) for item in items])
        self.names = pa.array([_inner({name: item[name] for name in ("track", "artist", "title")}) for item in items])
        playlists = [listing.playlist_id(p) for p in range(len(GENRES) * listing.PLAYLISTS)]
        self.sources = pa.array(
            [_inner({"source": source}) for source in listening.SOURCES]
            + [_inner({"source": "playlist", "playlist": playlist}) for playlist in playlists]
        )
        homes = [{"place": p.code, "time_zone": p.zone} for p in PLACES]
        self.surroundings = pa.array(
            [_inner({"device": d, **home, "plan": plan}) for d in DEVICES for home in homes for plan in ("paid", "free")]
        )
        self.actions = pa.array(listening.ACTIONS)
        offers = [
            {"campaign": campaign, "category": campaign.rsplit("-", 1)[0], "creative": creative}
            for campaign, creative in zip(*ads.campaign_names(), strict=True)
        ]
        self.ads = pa.array([_inner({**offer, "slot": slot, "device": d}) for offer in offers for slot in ads.SLOTS for d in DEVICES])


def listeners(block: Block) -> Any:
    """Return the raw ids of a block's listeners, as an Arrow array to take from."""
    return pa.array(raw_ids(block.stage.world, block.people.number))


def plays(block: Block, parts: Parts, sent: Ints) -> Any:
    """Return a line for each play."""
    rows, found = block.plays, block.sessions
    who, place = found.who[rows.session], found.place[rows.session]
    free = block.people.free_on(found.who, found.day)[rows.session]
    around = (found.device[rows.session] * len(PLACES) + place) * 2 + free
    source = np.where(rows.source == listening.SOURCES.index("playlist"), len(listening.SOURCES) + rows.playlist, rows.source)
    return _join(
        ('{"play_id":"p', _text(rows.keys), '","listener":"', _taken(listeners(block), who), '",', _taken(parts.items, rows.item)),
        (',"started_at":"', parts.time(block.begins), '","sent_at":"', parts.time(sent), '","ms_played":', _text(rows.heard)),
        (',"skipped":', pc.if_else(pa.array(rows.skipped), "true", "false"), ",", _taken(parts.sources, source)),
        (",", _taken(parts.surroundings, around), "}"),
    )


def feedback(block: Block, parts: Parts, acts: tuple[Keys, Ints, Ints, Ints], sent: Ints) -> Any:
    """Return a line for each act: `acts` are keys, positions of the plays acted on, actions, and moments."""
    keys, play, action, at = acts
    who = block.sessions.who[block.plays.session[play]]
    return _join(
        ('{"feedback_id":"f', _text(keys), '","listener":"', _taken(listeners(block), who), '","action":"', _taken(parts.actions, action)),
        ('",', _taken(parts.names, block.plays.item[play]), ',"at":"', parts.time(at), '","sent_at":"', parts.time(sent), '"}'),
    )


def ad_events(block: Block, parts: Parts, events: tuple[Keys, Ints, Any, Ints], sent: Ints) -> Any:
    """Return a line for each ad event: `events` are keys, positions of the opportunities, kinds as text, and moments."""
    keys, ad, kind, at = events
    rows = block.ads
    offer = rows.category * ads.CAMPAIGNS * ads.CREATIVES + rows.creative
    which = (offer * len(ads.SLOTS) + rows.slot) * len(DEVICES) + rows.device
    return _join(
        ('{"ad_event_id":"a', _text(keys), '","impression":"i', _text(rows.keys[ad]), '","listener":"'),
        (_taken(listeners(block), rows.who[ad]), '","kind":"', kind, '",', _taken(parts.ads, which[ad])),
        (',"at":"', parts.time(at), '","sent_at":"', parts.time(sent), '"}'),
    )


def _taken(texts: Any, which: Ints) -> Any:
    return texts.take(pa.array(which))


def _join(*groups: tuple[Any, ...]) -> Any:
    return pc.binary_join_element_wise(*(part for group in groups for part in group), "")


def _text(numbers: Any) -> Any:
    return pa.array(numbers).cast(pa.string())


def _inner(item: dict[str, object]) -> str:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))[1:-1]
