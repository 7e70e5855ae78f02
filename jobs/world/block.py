"""A block of listeners lived through the whole span of the world: the unit of simulation, all arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from jobs.world import ads, listening, people, response, sessions
from jobs.world.preset import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.world.draws import Bools, Ints
    from jobs.world.preset import World
    from jobs.world.stage import Stage

R = TypeVar("R", listening.Plays, ads.Ads, response.Chances, response.Outcomes)


@dataclass(frozen=True)
class Block:
    """All that is reported of a block of listeners. `made` marks those that were asked for; rows of others are left out."""

    stage: Stage
    people: people.People
    made: Bools
    sessions: sessions.Sessions
    plays: listening.Plays
    begins: Ints  # of plays
    ads: ads.Ads
    circumstances: dict[str, Bools]  # of ads
    chances: response.Chances
    outcomes: response.Outcomes


def live(on: Stage, first: int) -> Block:
    """Simulate the block that starts with listener number `first`."""
    world = on.world
    crowd = people.build(world, np.arange(first, first + BLOCK))
    found = sessions.build(on, crowd)
    plays = listening.build(on, crowd, found)
    gaps = ads.breaks(crowd, found)
    offset, length = listening.offsets(plays, found, gaps.pause(len(plays)))
    begins = sessions.apart(found, length)[plays.session] + offset
    heard = ads.build(found, gaps, begins, begins + plays.heard)
    seen = ads.circumstances(on, heard)
    chances = response.build(world, crowd, heard, seen)
    outcomes = response.outcomes(heard, chances)
    low, high = world.made
    made = (crowd.number >= low) & (crowd.number < high)
    # Rows are dropped last of all, so that what was drawn for the others is the same whoever was asked for.
    p = np.flatnonzero(made[found.who[plays.session]] & (begins < world.end_ms))
    a = np.flatnonzero(made[heard.who] & (heard.at < world.end_ms) & (heard.at >= world.start_ms))
    circumstances = {name: values[a] for name, values in seen.items()}
    return Block(on, crowd, made, found, _rows(plays, p), begins[p], _rows(heard, a), circumstances, _rows(chances, a), _rows(outcomes, a))


def _rows(record: R, which: Ints) -> R:
    """Return a record of arrays with some of its rows."""
    return replace(record, **{f.name: getattr(record, f.name)[which] for f in fields(record)})


def starts(world: World, file: int) -> Iterator[int]:
    """Yield the first listener of each block that holds listeners of the numbered file and of the shard.

    A block is computed whole even if a part of it was asked for: a shard works on the very arrays of the whole world.
    """
    low, high = world.made
    low, high = max(low, file * world.per_file), min(high, (file + 1) * world.per_file)
    yield from range(low // BLOCK * BLOCK, high, BLOCK)
