"""The catalogue of listener features: what each means and may be used for, of how many it is known, and whether it drifts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from jobs.contracts.derived import USER_FEATURES
from jobs.contracts.portraits import USER_PORTRAITS
from jobs.features import FAMILIES as OF_DAYS
from jobs.moments.portrait import FAMILIES as OF_PORTRAITS
from targeting.drawing import template
from targeting.wording import WINDOW, share
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from jobs.features.feature import Feature
    from jobs.lake.arrow import ArrowLake
    from validation.contract import Table

TABLES = ((USER_FEATURES, OF_DAYS), (USER_PORTRAITS, OF_PORTRAITS))
FAMILIES = OF_DAYS | OF_PORTRAITS
BINS = 10  # of equally many listeners of the date compared with
APART = timedelta(days=7)
DRIFTED = 0.2  # population stability index from which a feature's distribution is another (Siddiqi, Credit Risk Scorecards, 2006)


@dataclass(frozen=True)
class Entry:
    """One feature: `unknown` is the share of listeners of whom it is not known, `drift` its population stability index.

    Both are null where fewer than `GRAIN` listeners have a row on either date.
    """

    name: str
    family: str
    meaning: str
    dtype: str
    days: int
    purpose: str
    unknown: float | None = None
    drift: float | None = None

    @property
    def drifted(self) -> bool:
        """Whether its distribution is another than on the date compared with."""
        return self.drift is not None and self.drift >= DRIFTED


def catalogue(lake: ArrowLake, day: date) -> tuple[Entry, ...]:
    """Return every feature as of a date; one family of columns is in memory at a time."""
    return tuple(
        entry
        for table, families in TABLES
        for family, features in families.items()
        for entry in _family(lake, table, family, features, day)
    )


def compared_with(lake: ArrowLake, day: date, table: Table = USER_FEATURES) -> date | None:
    """Return the date whose features a date's are compared with: a week before, or the nearest to that which there is."""
    earlier = [one for one in map(date.fromisoformat, lake.files(table)) if one < day]
    return min(earlier, key=lambda one: (abs(day - APART - one), one), default=None)


def page(lake: ArrowLake, day: date) -> str:
    """Return the catalogue as of a date as a self-contained HTML page."""
    return render(catalogue(lake, day), day, compared_with(lake, day))


def render(entries: Sequence[Entry], day: date, before: date | None) -> str:
    """Return the page of these features."""
    filters: dict[str, Callable[..., object]] = {
        "percent": lambda x: "-" if x is None else share(x, 1) if x else "none",
        "index": lambda x: "-" if x is None else f"{x:.2f}",
    }
    families = {name: [entry for entry in entries if entry.family == name] for name in FAMILIES}
    return template("features.html", filters).render(families=families, day=day, before=before, drifted=DRIFTED, grain=GRAIN)


def stability(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """Return the population stability index of two samples (NaN: not known) over deciles of the first, what is not known a bin of its own.

    Half a listener is added to each bin, so an empty one does not make it infinite.
    """
    known = reference[~np.isnan(reference)]
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
    parts = []
    for sample in (reference, current):
        bins = np.where(np.isnan(sample), len(edges) + 1, np.searchsorted(edges, sample, side="left"))
        counts = np.bincount(bins, minlength=len(edges) + 2) + 0.5
        parts.append(counts / counts.sum())
    then, now = parts
    return float(((now - then) * np.log(now / then)).sum())


def _family(lake: ArrowLake, table: Table, family: str, features: Sequence[Feature], day: date) -> list[Entry]:
    names = [feature.name for feature in features]
    now, then = (lake.read(table, [one], columns=names) if one else None for one in (day, compared_with(lake, day, table)))
    entries = []
    for feature in features:
        current, reference = (None if of is None or len(of) < GRAIN else _numbers(of.column(feature.name)) for of in (now, then))
        entries.append(
            Entry(
                feature.name,
                family,
                WINDOW.sub("", feature.meaning),
                feature.dtype,
                feature.days,
                str(feature.purpose),
                None if current is None else float(np.isnan(current).mean()),
                None if current is None or reference is None else stability(reference, current),
            )
        )
    return entries


def _numbers(column: object) -> NDArray[np.float64]:
    return np.asarray(column.to_pandas(), dtype=np.float64)  # type: ignore[attr-defined]
