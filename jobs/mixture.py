"""A mixture of categorical variables whose states are held near what is expected of them: EM for the most probable parameters.

Latent class analysis (Lazarsfeld & Henry 1968) with Dirichlet priors (Dempster, Laird & Rubin 1977, section 3): each state begins at
what is expected of it and counts that as if it had been seen `HELD` times its share of the data. A variable that is not known takes
no part: neither in what is learnt nor in what is inferred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from jobs.moments.moment import Moment, Variable

LIFT = 10.0  # how many times commoner what is expected of a state is in it
HELD = 0.2  # weight of the prior, as a share of the data
ROUNDS = 15
DIGITS = 6  # of log-likelihoods that are kept: beyond it machines differ


@dataclass(frozen=True)
class Mixture:
    """Log-probabilities: of each state, shape (states,), and of each bin of all variables in a row within it, shape (bins, states)."""

    states: NDArray[np.float64]
    bins: NDArray[np.float64]


def fit(seen: NDArray[np.int64], weight: NDArray[np.float64], variables: Sequence[Variable], moments: Sequence[Moment]) -> Mixture:
    """Learn a mixture from sessions, shape (sessions, variables): the number of the bin, below 0 where it is not known."""
    sizes = [variable.size for variable in variables]
    starts = np.cumsum([0, *sizes[:-1]])
    marks = np.zeros((len(seen), sum(sizes)))
    rows, columns = np.nonzero(seen >= 0)
    marks[rows, starts[columns] + seen[rows, columns]] = 1.0
    blocks = np.split(np.arange(sum(sizes)), starts[1:])
    usual = _shares((weight @ marks + 1.0)[:, None], blocks)
    prior = _shares(usual * np.array([_lifts(moment, variables) for moment in moments]).T, blocks)
    held = HELD * weight.sum() / len(moments) + 1.0
    states: NDArray[np.float64] = np.full(len(moments), 1 / len(moments))
    bins = prior
    for _ in range(ROUNDS):
        likely = np.log(states) + marks @ np.log(bins)
        belongs = np.exp(likely - likely.max(axis=1, keepdims=True))
        belongs *= (weight / belongs.sum(axis=1))[:, None]
        states = _shares((belongs.sum(axis=0) + held)[:, None], [np.arange(len(moments))])[:, 0]
        bins = _shares(marks.T @ belongs + held * prior, blocks)
    return Mixture(_logs(states), _logs(bins))


def _logs(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.round(np.log(shares), DIGITS), dtype=np.float64)


def _lifts(moment: Moment, variables: Sequence[Variable]) -> NDArray[np.float64]:
    lifts = [np.where(np.isin(np.arange(v.size), moment.bins(v.name)), LIFT, 1.0) for v in variables]
    return np.concatenate(lifts)


def _shares(counts: NDArray[np.float64], blocks: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Divide counts, shape (bins, states), by their sum over each block of bins."""
    shares = counts.copy()
    for block in blocks:
        shares[block] /= counts[block].sum(axis=0)
    return shares
