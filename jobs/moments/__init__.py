"""Moments of listening, records only: `MOMENTS` lists every moment there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.moments.rules import RULES

if TYPE_CHECKING:
    from jobs.moments.moment import Moment

MOMENTS: tuple[Moment, ...] = RULES
