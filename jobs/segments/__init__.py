"""Listener segments, records only: `SEGMENTS` lists every segment there is."""

from __future__ import annotations

from jobs.segments.rules import RULES
from jobs.segments.segment import Segment

SEGMENTS: tuple[Segment, ...] = RULES
