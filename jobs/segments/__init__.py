"""Listener segments, records only: `SEGMENTS` lists every segment there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.segments.rules import RULES

if TYPE_CHECKING:
    from jobs.segments.segment import Segment

SEGMENTS: tuple[Segment, ...] = RULES
