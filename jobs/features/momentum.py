"""Whether a listener plays more or less than before: logarithms of this week against the weeks around it, drawn to no change."""

from __future__ import annotations

from jobs.features.feature import windowed

FEW = 10  # of a count, below which a week says little


def _against(name: str) -> str:
    return f"ln((4D * {{{name}@7}} + {FEW}) / ({{{name}}} + {FEW}))"


MOMENTUM = (
    *windowed("play_momentum", "double", _against("plays"), (28,), "log of plays in the last 7 days against a usual week"),
    *windowed("session_momentum", "double", _against("sessions"), (28,), "log of sessions in the last 7 days against a usual week"),
)
