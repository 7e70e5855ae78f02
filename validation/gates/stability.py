"""May new clusters take the place of yesterday's: only if listeners and sizes stay, and chance did not draw the borders."""

from __future__ import annotations

from validation.verdict import Check, Verdict

AGREEMENT = 0.95  # least share of unchanged listeners who are in what became of their cluster
SHIFT = 0.2  # population stability index of sizes that is too much: the usual limit of "changed"
STEADINESS = 0.8  # least adjusted Rand index with clusters learnt from resamples


def stability(clusters: str, *, listeners: int, agreement: float, shift: float, steadiness: float) -> Verdict:
    """Return whether a date's new clusters may be published; if not, yesterday's model goes on. A measure that is no number fails."""
    checks = (
        Check("agreement", success=agreement >= AGREEMENT, observed=_number(agreement), expected=f"at least {AGREEMENT:g}"),
        Check("size_shift", success=shift < SHIFT, observed=_number(shift), expected=f"below {SHIFT:g}"),
        Check("steadiness", success=steadiness >= STEADINESS, observed=_number(steadiness), expected=f"at least {STEADINESS:g}"),
    )
    return Verdict(clusters, checks, listeners)


def _number(value: float) -> str:
    """Return a number with so many digits that none looks like the limit it misses."""
    return f"{value:.4f}"
