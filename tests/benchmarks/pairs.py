"""Two ways of doing one thing, timed in turn in one process: A B A B ...; their ratio is what counts."""

from __future__ import annotations

import math
import statistics
import time
from typing import TYPE_CHECKING

from results import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Student's t, two-sided 95 %, by degrees of freedom.
T95 = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def ratio(ours: Callable[[], object], peer: Callable[[], object], pairs: int = 5) -> Measured:
    """Return our wall time over the peer's: geometric mean of the pairs' ratios and its 95 % interval, after one warm-up of each."""
    if pairs - 1 not in T95:
        message = f"{pairs} pairs: choose from {min(T95) + 1} to {max(T95) + 1}"
        raise ValueError(message)
    ours()
    peer()
    return spread([_seconds(ours) / _seconds(peer) for _ in range(pairs)])


def spread(ratios: Sequence[float]) -> Measured:
    """Return the geometric mean of ratios and its 95 % interval."""
    logs = [math.log(one) for one in ratios]
    middle, half = statistics.mean(logs), T95[len(logs) - 1] * statistics.stdev(logs) / math.sqrt(len(logs))
    return Measured(math.exp(middle), math.exp(middle - half), math.exp(middle + half))


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
