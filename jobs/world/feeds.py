"""What the feeds deliver of a block: rows of text with the day of arrival, defects included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from jobs.world import defects, draws, lines, listening
from jobs.world.people import AGES, CONSENTS, NEVER, raw_ids
from jobs.world.places import DAY_MS, PLACES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.world.block import Block
    from jobs.world.defects import Delivery
    from jobs.world.draws import Ints, Keys
    from jobs.world.lines import Parts, Stamps

QUARTILES = ("start", "first_quartile", "midpoint", "third_quartile")


class Rows(NamedTuple):
    """Lines of one feed and the UTC day each arrives on, counted from 1970."""

    feed: str
    day: Ints
    line: Any


class AdEvents(NamedTuple):
    """Events of opportunities: keys, position of the opportunity, kind as text, moment."""

    keys: Keys
    ad: Ints
    kind: Any
    at: Ints


def of_block(block: Block, parts: Parts) -> Iterator[Rows]:
    """Yield all rows that the feeds deliver of a block of listeners."""
    delivery = plays(block)
    yield from _delivered(delivery, lines.plays(block, parts, delivery.sent))
    acts, delivery = feedback(block)
    yield from _delivered(delivery, lines.feedback(block, parts, acts, delivery.sent))
    events, delivery = ad_events(block)
    yield from _delivered(delivery, lines.ad_events(block, parts, events, delivery.sent))
    yield statements(block, parts.time)


def plays(block: Block) -> Delivery:
    """Return when plays arrive: some seconds after they end."""
    keys = block.plays.keys
    wait = (200 + 20_000 * draws.uniform(keys, "wait")).astype(np.int64)
    return defects.deliver("plays", keys, block.begins + block.plays.heard + wait)


def feedback(block: Block) -> tuple[tuple[Keys, Ints, Ints, Ints], Delivery]:
    """Return the acts (keys, plays, actions, moments) and when word of them arrives."""
    play = np.flatnonzero(block.plays.liked)
    keys = draws.sub(block.plays.keys[play], 7)
    action = draws.choose(keys, "action", np.cumsum(listening.ACTION_SHARES))
    at = block.begins[play] + (draws.uniform(keys, "at") * block.plays.heard[play]).astype(np.int64)
    sent = at + (100 + 3_000 * draws.uniform(keys, "wait")).astype(np.int64)
    return (keys, play, action, at), defects.deliver("feedback", keys, sent)


def ad_events(block: Block) -> tuple[AdEvents, Delivery]:
    """Return what happened to the opportunities within the world's dates, and when word of it arrives."""
    world, rows, outcomes = block.stage.world, block.ads, block.outcomes
    duration = 30_000
    times = {
        "impression": rows.at * rows.shown,
        "holdout": rows.at * ~rows.shown,
        "complete": (rows.at + duration) * (outcomes.heard == 1.0),
        "click": outcomes.clicked + outcomes.clicked_late,
        "conversion": outcomes.converted,
    }
    if world.quartiles:
        times |= {name: (rows.at + k * duration // 4) * (rows.shown & (outcomes.heard >= k / 4)) for k, name in enumerate(QUARTILES)}
    at = np.stack(list(times.values()), axis=1)
    ad, kind = np.nonzero((at > 0) & (at < world.end_ms))
    keys = draws.sub(rows.keys[ad], 100 + kind)
    at = at[ad, kind]
    sent = at + (100 + 5_000 * draws.uniform(keys, "wait")).astype(np.int64)
    return AdEvents(keys, ad, pa.array(list(times)).take(pa.array(kind)), at), defects.deliver("ads", keys, sent)


def _delivered(delivery: Delivery, text: Any) -> Iterator[Rows]:
    """Yield the rows, then those that come again, then the broken ones."""
    feed, day = delivery.feed, delivery.day
    yield Rows(feed, day, text)
    yield Rows(feed, delivery.again, text.take(pa.array(delivery.twice)))
    kinds = defects.BREAKS[feed]
    good = text.take(pa.array(delivery.bad)).to_pylist()
    bad = [defects.broken(feed, line, kinds[k]) for line, k in zip(good, delivery.kind.tolist(), strict=True)]
    yield Rows(feed, day[delivery.bad], pa.array(bad, pa.string()))


def statements(block: Block, time: Stamps) -> Rows:
    """Return what listeners state: consent, age and home at first, later a withdrawal or a move to the paid plan."""
    crowd, world = block.people, block.stage.world
    first = np.maximum(crowd.begins, 0)
    spread = (draws.uniform(crowd.keys, "states at") * 600_000).astype(np.int64)
    raw = raw_ids(world, crowd.number)
    speaking = np.flatnonzero(block.made & (crowd.consent != CONSENTS.index("silent")))
    whens = np.stack([first, crowd.withdraws, crowd.upgrades], axis=1)[speaking]
    # A later word counts only if it falls after the first and within the world.
    said = (whens > first[speaking][:, None]) & (whens < world.days)
    said[:, 0] = True
    row, nth = np.nonzero(said)
    who, day = speaking[row], whens[row, nth]
    at = world.start_ms + day * DAY_MS + spread[who] + nth * 60_000
    own = draws.sub(crowd.keys[who], 50 + nth)
    columns = (who.tolist(), day.tolist(), own.tolist(), time(at).to_pylist(), time(at + 900).to_pylist())
    texts = [_statement(block, who, day, (f"s{own}", raw[who], at, sent)) for who, day, own, at, sent in zip(*columns, strict=True)]
    return Rows("listeners", (at + 900) // DAY_MS, pa.array(texts, pa.string()))


def _statement(block: Block, who: int, day: int, head: tuple[str, str, str, str]) -> str:
    crowd = block.people
    withdrawn = crowd.withdraws[who] <= day and crowd.withdraws[who] < NEVER
    place = PLACES[crowd.home[who]]
    row = {
        "statement_id": head[0],
        "listener": head[1],
        "at": head[2],
        "sent_at": head[3],
        "consent": "withdrawn" if withdrawn else CONSENTS[crowd.consent[who]],
        "age_band": AGES[crowd.age[who]],
        "plan": "free" if crowd.free[who] and crowd.upgrades[who] > day else "paid",
        "place": place.code,
        "time_zone": place.zone,
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))
