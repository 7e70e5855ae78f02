"""Do training examples hold anything that was not known before them: a single value is too many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from validation.verdict import Check, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

CLOCKS = {
    "known": "made again from rows known before the date",
    "version": "as the features were first published while the date lasted",
}


@dataclass(frozen=True)
class Compared:
    """How many values of one feature were compared by one clock, and how many of them were not known before."""

    clock: str
    feature: str
    values: int
    leaked: int


def leaks(examples: str, compared: Sequence[Compared]) -> Verdict:
    """Return whether any value leaked, a check for each clock; a clock by which nothing could be compared has nothing to ask and passes."""
    checks = []
    for clock, meaning in CLOCKS.items():
        mine = [one for one in compared if one.clock == clock]
        leaked = sum(one.leaked for one in mine)
        worst = sorted((one for one in mine if one.leaked), key=lambda one: (-one.leaked, one.feature))[:3]
        names = ", ".join(f"{one.feature} {one.leaked:,}" for one in worst)
        values = f"{sum(one.values for one in mine):,}"
        observed = f"{leaked:,} of {values} values ({names})" if leaked else f"{values} values, all known" if mine else "nothing to compare"
        checks.append(Check(f"clock_{clock}", success=not leaked, observed=observed, expected=f"each value {meaning}", failed_rows=leaked))
    return Verdict(examples, tuple(checks), max((one.values for one in compared), default=0))
