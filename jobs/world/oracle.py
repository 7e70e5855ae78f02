"""How well anybody could predict clicks in a world, and how well anybody could who sees only what features can say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jobs.world.draws import Floats


@dataclass(frozen=True)
class Ceiling:
    """Expected AUC of the planted probabilities and of their reachable part, and the share of the gain in log loss over
    the base rate that no feature can reach."""

    auc: float
    reachable_auc: float
    hidden_share: float

    def sentence(self) -> str:
        """Say it in one line."""
        return (
            f"the best possible AUC is {self.auc:.3f}; features can reach {self.reachable_auc:.3f}; "
            f"{self.hidden_share:.0%} of the gain in log loss is out of their reach"
        )


def ceiling(click: Floats, reachable: Floats) -> Ceiling:
    """Return the ceilings of a set of impressions, by their planted probabilities and the reachable ones."""
    base = log_loss(np.full(len(click), click.mean()), click)
    best, seen = log_loss(click, click), log_loss(reachable, click)
    gain = base - best
    return Ceiling(auc(click, click), auc(reachable, click), float((seen - best) / gain) if gain > 0 else 0.0)


def auc(score: Floats, chance: Floats) -> float:
    """Return the expected AUC of scores when each row is positive with its own chance, ties counted half.

    It is the share of the weight of all (positive, negative) pairs, p_i (1 - p_j), that the scores put in order.
    """
    order = np.argsort(score, kind="stable")
    ranked, p, q = score[order], chance[order], 1.0 - chance[order]
    first = np.searchsorted(ranked, ranked, side="left")
    after = np.searchsorted(ranked, ranked, side="right")
    below = np.concatenate([[0.0], np.cumsum(q)])
    won = below[first] + 0.5 * (below[after] - below[first])
    return float((p * won).sum() / (p.sum() * q.sum()))


def log_loss(score: Floats, chance: Floats) -> float:
    """Return the expected log loss, in nats a row, of scores when each row is positive with its own chance."""
    return float(-(chance * np.log(score) + (1.0 - chance) * np.log(1.0 - score)).mean())
