"""The response model against the planted probabilities: calibration by decile, ranking beside the oracle, a world without signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from impressions import RESPONSE, newest, unseen
from results import Measured, Row, row
from worlds import Size, lake_of

from jobs.world import oracle
from ray_tune.registry import summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from impressions import Floats, Ints, Seen

    Quantity = Callable[[Floats, Floats, Floats], float]

DECILES = 10
GATE = next(gate.bound for gate in RESPONSE.gates if gate.key == "auc_minus_base")


def calibration(size: Size) -> list[Row]:
    """Compare the mean score with the mean planted chance in every decile of the score."""
    what = "worst decile of the score: how far the mean score lies from the mean planted chance of a click, as a share of it"
    found = {seed: worst_decile(unseen(lake_of(size, seed), size.last), np.random.default_rng(seed)) for seed in size.seeds}
    return [row("response_calibration", what, "<= 0.1", found, "make truth NAME=calibration")]


def ranking(size: Size) -> list[Row]:
    """Compare the gain in AUC over the base rate with that of the planted probabilities themselves."""
    seen = {seed: unseen(lake_of(size, seed), size.last) for seed in size.seeds}
    command = "make truth NAME=ranking"
    gained = {seed: interval(one, _share, np.random.default_rng(seed)) for seed, one in seen.items()}
    hidden = {seed: interval(one, _hidden, np.random.default_rng(seed)) for seed, one in seen.items()}
    return [
        row("response_auc_share", "expected AUC above 0.5, as a share of the oracle's", ">= 0.5", gained, command),
        row(
            "response_out_of_reach",
            "share of the oracle's gain in log loss that no feature can tell, by design",
            ">= 0.333",
            hidden,
            command,
        ),
    ]


def nothing(size: Size) -> list[Row]:
    """Train where every impression has the same chance of a click: the gate must see that nothing was learned."""
    found = {}
    for seed in size.seeds:
        lake = lake_of(size, seed, signal=False)
        made = newest(lake)
        gain = summary(lake.arrow, RESPONSE.name, str(made["version"]))["metrics"]["auc_minus_base"]
        found[seed] = Measured(gain["high"], gain["high"], gain["high"])
        if made["gate"] == "passed":
            message = f"seed {seed}: a model of noise passed its gates: {made['reason']}"
            raise RuntimeError(message)
    what = "world without signal: upper bound of the trained model's AUC above the base rate (its gate asks for more)"
    return [row("response_no_signal", what, f"< {GATE:g}", found, "make truth NAME=nothing")]


def worst_decile(seen: Seen, rng: np.random.Generator) -> Measured:
    """Return the decile whose interval reaches farthest from the planted mean; the interval is over listeners."""
    decile = np.argsort(np.argsort(seen.score, kind="stable"), kind="stable") * DECILES // len(seen.score)
    size = int(seen.listener.max()) + 1
    place = seen.listener * DECILES + decile
    scores, chances = (np.bincount(place, sums, size * DECILES).reshape(size, DECILES) for sums in (seen.score, seen.chance))
    draws = rng.multinomial(size, np.full(size, 1 / size), 1000).astype(np.float64)
    point = scores.sum(axis=0) / chances.sum(axis=0) - 1
    low, high = np.quantile((draws @ scores) / (draws @ chances) - 1, (0.025, 0.975), axis=0)
    k = int(np.argmax(np.maximum(np.abs(low), np.abs(high))))
    ends = sorted((abs(low[k]), abs(high[k])))
    return Measured(abs(float(point[k])), 0.0 if low[k] < 0 < high[k] else float(ends[0]), float(ends[1]))


def interval(seen: Seen, of: Quantity, rng: np.random.Generator) -> Measured:
    """Return a quantity with its 95 % interval over listeners."""
    point, drawn = _value(seen, of, np.arange(len(seen.score))), [_value(seen, of, rows) for rows in seen.resampled(rng)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Measured(point, float(low), float(high))


def _value(seen: Seen, of: Quantity, rows: Ints) -> float:
    return of(seen.score[rows], seen.chance[rows], seen.reachable[rows])


def _share(score: Floats, chance: Floats, _: Floats) -> float:
    return (oracle.auc(score, chance) - 0.5) / (oracle.auc(chance, chance) - 0.5)


def _hidden(_: Floats, chance: Floats, reachable: Floats) -> float:
    return oracle.ceiling(chance, reachable).hidden_share
