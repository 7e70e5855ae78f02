"""The records of moments: what of a session is looked at (`Variable`), and what one expects of a moment's sessions (`Moment`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.features.context import DAY_TYPES, WEATHER_KINDS
from validation.contract import ContractError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Variable:
    """One thing about a session, in bins: `sql` is one of `names`, or a number cut at `cuts`; null where it is not known.

    `names` that are hours go round the clock. A bin below a cut does not hold the cut itself.
    """

    name: str
    sql: str
    names: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()
    around: bool = False

    @property
    def size(self) -> int:
        """How many bins there are."""
        return len(self.names) or len(self.cuts) + 1

    @property
    def bin(self) -> str:
        """SQL of the number of the bin, from 0; null where nothing is known."""
        if self.names:
            listed = ", ".join(f"'{name}'" for name in self.names)
            return f"nullif(array_position(array({listed}), CAST({self.sql} AS STRING)), 0) - 1"
        return " + ".join(f"CAST(({self.sql}) >= {cut} AS BIGINT)" for cut in self.cuts)

    def expected(self, words: str) -> tuple[int, ...]:
        """Return the bins that words name: `car mobile`, `22-5` (hours, both included) or `0.6-1` (what lies between)."""
        found: set[int] = set()
        for word in words.split():
            low, _, high = word.partition("-")
            if self.names and not self.around:
                found |= {n for n, name in enumerate(self.names) if name == word}
            elif self.around:
                found |= {hour % self.size for hour in range(int(low), int(high) + (self.size if int(high) < int(low) else 0) + 1)}
            else:
                edges = (float("-inf"), *self.cuts, float("inf"))
                found |= {n for n in range(self.size) if edges[n + 1] > float(low) and edges[n] < float(high)}
        return tuple(sorted(found))


UNIT = (0.2, 0.35, 0.5, 0.65, 0.8)
VARIABLES = {
    one.name: one
    for one in (
        Variable("hour", "local_hour", names=tuple(map(str, range(24))), around=True),
        Variable("day", "day_type", names=DAY_TYPES),
        Variable("device", "device", names=("mobile", "desktop", "speaker", "car", "tv", "tablet", "web")),
        Variable("weather", "weather", names=tuple(kind for kind in WEATHER_KINDS if kind != "unknown")),
        Variable("minutes", "(unix_millis(ended_ts) - unix_millis(started_ts)) / 60000", cuts=(10, 25, 45, 90)),
        Variable("skips", "try_divide(skips, nullif(judged, 0))", cuts=(0.001, 0.2, 0.5)),
        Variable("episodes", "try_divide(episodes, plays)", cuts=(0.5,)),
        Variable("energy", "mean_energy", cuts=UNIT),
        Variable("valence", "mean_valence", cuts=UNIT),
        Variable("acousticness", "mean_acousticness", cuts=UNIT),
        Variable("tempo", "mean_tempo", cuts=(85, 100, 115, 130)),
    )
}


@dataclass(frozen=True)
class Moment:
    """A state that a session may be in: `expects` says, by variable, what is commoner in it than elsewhere."""

    name: str
    meaning: str
    expects: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for variable, words in self.expects.items():
            if variable not in VARIABLES:
                raise ContractError(f"moment {self.name}: unknown variable {variable!r}{did_you_mean(variable, VARIABLES)}")
            if not self.bins(variable):
                raise ContractError(f"moment {self.name}: {variable} is {words!r}, which is none of it")

    def bins(self, variable: str) -> tuple[int, ...]:
        """Return the bins of a variable that are commoner in this moment; none where it expects nothing of it."""
        words = self.expects.get(variable)
        return VARIABLES[variable].expected(words) if words else ()
