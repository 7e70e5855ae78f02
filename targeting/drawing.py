"""Shapes of the page's pictures, as numbers the template sets into SVG: scales, ticks, colours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jinja2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SIZE = 320.0  # side of a square chart's plotting area, in SVG units
TICKS = 4
WEEK = 7
TINY = 0.001  # the smallest scale there is, and how far a step may miss a round number
STRONG = 1.5  # standard deviations that get the full colour
FULL = 0.6  # opacity of the full colour: text stays readable on it, on light and on dark ground


@dataclass(frozen=True)
class Bar:
    """One bar: a label, a value, and what else there is to say of it."""

    label: str
    value: float
    note: str = ""


@dataclass(frozen=True)
class Trend:
    """A small line of values in order, scaled from 0 to the largest; `change` is the last against the one seven before, in parts."""

    values: tuple[float, ...]
    width: float = 120.0
    height: float = 22.0

    @property
    def line(self) -> str:
        """The line as points of an SVG polyline."""
        step = self.width / max(1, len(self.values) - 1)
        top = max((*self.values, TINY))
        return " ".join(f"{n * step:.1f},{self.height - (self.height - 2) * value / top - 1:.1f}" for n, value in enumerate(self.values))

    @property
    def change(self) -> float | None:
        """How much larger the last value is than the one seven before; null where there is none."""
        before = self.values[-1 - WEEK] if len(self.values) > WEEK else 0
        return self.values[-1] / before - 1 if before else None


@dataclass(frozen=True)
class Point:
    """One point of a calibration curve in SVG units, with its interval's ends and its numbers in words."""

    x: float
    y: float
    low: float
    high: float
    words: str


@dataclass(frozen=True)
class Curve:
    """A calibration curve on equal axes from 0 to `top`; `ticks` are (place, text) along either axis."""

    points: tuple[Point, ...]
    ticks: tuple[tuple[float, str], ...]
    size: float = SIZE

    @classmethod
    def of(cls, bins: Iterable[Mapping[str, float]]) -> Curve:
        """Scale bins of (score, rate, low, high, rows) so that both axes share one scale that starts at 0."""
        found = list(bins)
        step = nice(max([one["score"] for one in found] + [one["high"] for one in found] + [TINY]) / TICKS)
        top = step * max(1, math.ceil(max(max(one["score"], one["high"]) for one in found) / step)) if found else step
        points = tuple(
            Point(
                one["score"] / top * SIZE,
                SIZE - one["rate"] / top * SIZE,
                SIZE - one["low"] / top * SIZE,
                SIZE - one["high"] / top * SIZE,
                f"predicted {one['score']:.2%}, clicked {one['rate']:.2%} ({one['low']:.2%} to {one['high']:.2%}) of {one['rows']:,}",
            )
            for one in found
        )
        ticks = tuple((n * step / top * SIZE, f"{100 * n * step:.3g}%") for n in range(round(top / step) + 1))
        return cls(points, ticks)

    @property
    def line(self) -> str:
        """The curve as an SVG path."""
        return "M" + " L".join(f"{p.x:.1f},{p.y:.1f}" for p in self.points) if self.points else ""

    @property
    def band(self) -> str:
        """The interval as a closed SVG path."""
        if not self.points:
            return ""
        there = " L".join(f"{p.x:.1f},{p.high:.1f}" for p in self.points)
        back = " L".join(f"{p.x:.1f},{p.low:.1f}" for p in reversed(self.points))
        return f"M{there} L{back} Z"


def template(name: str, filters: Mapping[str, Callable[..., object]]) -> jinja2.Template:
    """Return one of the pages' templates; a name that it does not know is a mistake, and no text becomes markup."""
    loader = jinja2.PackageLoader("targeting", ".")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= filters
    return environment.get_template(name)


def nice(step: float) -> float:
    """Return the next step of 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * (1 - TINY))


def heat(z: float) -> str:
    """Return a CSS colour for a distance from the mean: teal above, orange below, transparent at it."""
    strength = FULL * min(1.0, abs(z) / STRONG)
    red, green, blue = (13, 148, 136) if z >= 0 else (234, 88, 12)
    return f"rgba({red}, {green}, {blue}, {strength:.2f})"
