"""How large a world is, and which part of it is to be made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from validation.verdict import WrongUse

MARGIN_DAYS = 2  # local days and late forecasts reach this far beyond the first and the last UTC date
BLOCK = 250  # listeners simulated together; blocks start at multiples of it
LEAST_TRACKS = 400  # below it a genre would be nearly empty
SEEDS = 1 << 32
FIRST, LAST, MOST_DAYS = date(2000, 1, 1), date(2100, 1, 1), 3_660  # no feed is older, and no calendar ends
LEAST_PLAYS, MOST_PLAYS = 0.1, 60.0  # a day, on average


@dataclass(frozen=True)
class World:
    """A known-truth world: all that its bytes depend on, and the `shard` [low, high) of listeners to make (None: all).

    `per_file` listeners share a file of a feed and date. `signal=False` gives every impression the same click probability.
    `quartiles` also reports an ad's start and quartiles. `damaged` adds two small files that cannot be read whole.
    """

    seed: int = 7
    listeners: int = 20_000
    days: int = 40
    first: date = date(2026, 10, 1)
    plays_per_day: float = 5.0
    tracks: int = 12_000
    per_file: int = 10_000
    signal: bool = True
    quartiles: bool = False
    damaged: bool = True
    shard: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed < SEEDS:
            raise WrongUse(f"world: {self.seed} is no seed; give a whole number from 0 to {SEEDS - 1}")
        self._within_calendar()
        for name in ("listeners", "per_file"):
            if getattr(self, name) < 1:
                raise WrongUse(f"world: {name} is {getattr(self, name)}; it must be at least 1")
        if not LEAST_PLAYS <= self.plays_per_day <= MOST_PLAYS:
            raise WrongUse(f"world: plays_per_day is {self.plays_per_day}; choose between {LEAST_PLAYS} and {MOST_PLAYS}")
        if self.tracks < LEAST_TRACKS:
            raise WrongUse(f"world: {self.tracks} tracks are too few; choose at least {LEAST_TRACKS}")
        if self.per_file % BLOCK:
            raise WrongUse(f"world: per_file is {self.per_file}; choose a multiple of {BLOCK}")
        low, high = self.made
        if not 0 <= low < high <= self.listeners:
            raise WrongUse(f"world: shard {low}:{high} is not within 0:{self.listeners}")

    def _within_calendar(self) -> None:
        if not FIRST <= self.first <= LAST:
            raise WrongUse(f"world: first is {self.first}; choose between {FIRST} and {LAST}")
        if not 1 <= self.days <= MOST_DAYS:
            raise WrongUse(f"world: days is {self.days}; choose between 1 and {MOST_DAYS:,}")

    @property
    def made(self) -> tuple[int, int]:
        """Numbers of the listeners to be made, [low, high)."""
        return self.shard or (0, self.listeners)

    @property
    def artists(self) -> int:
        """Number of artists in the catalogue."""
        return max(40, self.tracks // 8)

    @property
    def last(self) -> date:
        """The last UTC date with events."""
        return self.first + timedelta(days=self.days - 1)

    @property
    def start_ms(self) -> int:
        """First moment of the world, in milliseconds since 1970 UTC."""
        return int(datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC).timestamp()) * 1000

    @property
    def end_ms(self) -> int:
        """The moment after the world's last, in milliseconds since 1970 UTC."""
        return self.start_ms + self.days * 86_400_000


PRESETS = {
    "tiny": World(listeners=200, days=5, tracks=1_000, per_file=250),
    "small": World(listeners=2_000, tracks=3_000, per_file=1_000),
    "demo": World(listeners=20_000, per_file=10_000),
    "town": World(listeners=200_000, tracks=40_000, per_file=20_000),
    "large": World(listeners=1_000_000, tracks=100_000, per_file=25_000),
    "huge": World(listeners=10_000_000, tracks=200_000, per_file=50_000),
}
