"""Results that anyone can read: rows with an interval and a goal, in build/truth.json and build/benchmarks.json.

`value` is the worst seed's, `low`/`high` its 95 % interval, `goal` an operator and a number. `holds` says whether the whole
interval meets the goal; it is null, with the reason in `what`, where nothing could be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BUILD = Path(__file__).parent.parent / "build"
MEETS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": lambda x, bound: x <= bound,
    ">=": lambda x, bound: x >= bound,
    "<": lambda x, bound: x < bound,
    ">": lambda x, bound: x > bound,
    "==": lambda x, bound: x == bound,
}


@dataclass(frozen=True)
class Measured:
    """One measured quantity of one seed with its 95 % interval (equal ends where it is exact)."""

    value: float
    low: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Measured:
        return cls(float(value), float(value), float(value))


@dataclass(frozen=True)
class Row:
    id: str
    what: str
    value: float | None
    low: float | None
    high: float | None
    goal: str
    holds: bool | None
    seeds: tuple[int, ...]
    command: str


def row(name: str, what: str, goal: str, by_seed: Mapping[int, Measured], command: str) -> Row:
    """Return the row of a quantity: its worst seed against the goal."""
    operator, bound = parse(goal)
    worst = min(by_seed.values(), key=lambda m: _margin(m, operator, bound))
    holds = all(MEETS[operator](end, bound) for end in (worst.low, worst.high))
    return Row(name, what, worst.value, worst.low, worst.high, goal, holds, tuple(by_seed), command)


def unmeasured(name: str, what: str, goal: str, reason: str, command: str) -> Row:
    """Return the row of a quantity that could not be measured, with the reason."""
    parse(goal)
    return Row(name, f"{what} (not measured: {reason})", None, None, None, goal, None, (), command)


def parse(goal: str) -> tuple[str, float]:
    operator, _, number = goal.partition(" ")
    if operator not in MEETS:
        message = f"goal {goal!r}: unknown operator {operator!r}; choose from {', '.join(MEETS)}"
        raise ValueError(message)
    return operator, float(number)


def write(rows: Sequence[Row], path: Path) -> None:
    """Write rows, replacing those of the same id and keeping the others."""
    known = {old["id"]: old for old in json.loads(path.read_text())} if path.exists() else {}
    known |= {one.id: asdict(one) for one in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(known.values()), indent=2) + "\n")


def show(rows: Sequence[Row]) -> str:
    """Return rows as an aligned table."""
    cells = [("id", "value", "95 % interval", "goal", "holds", "what")]
    for one in rows:
        interval = "-" if one.low is None else f"{one.low:.4g} .. {one.high:.4g}"
        value = "-" if one.value is None else f"{one.value:.4g}"
        cells.append((one.id, value, interval, one.goal, {True: "yes", False: "NO", None: "-"}[one.holds], one.what))
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells)


def main(programs: Mapping[str, Callable[[], Sequence[Row]]], file: str, argv: Sequence[str] | None = None) -> None:
    """Run programs (all, or the one named), write and print their rows; exit 1 if any goal is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", choices=sorted(programs), help="one program (default: all)")
    chosen = parser.parse_args(argv).name
    rows: list[Row] = []
    for name, program in programs.items():
        if chosen in (None, name):
            sys.stderr.write(f"{name} ...\n")
            found = program()
            write(found, BUILD / file)
            rows += found
    sys.stdout.write(show(rows) + f"\n{BUILD / file}\n")
    sys.exit(1 if any(one.holds is False for one in rows) else 0)


def _margin(measured: Measured, operator: str, bound: float) -> float:
    """Return how far the worse end lies on the right side of the bound; negative on the wrong side."""
    if operator in ("<=", "<"):
        return bound - measured.high
    if operator in (">=", ">"):
        return measured.low - bound
    return -max(abs(measured.low - bound), abs(measured.high - bound))
