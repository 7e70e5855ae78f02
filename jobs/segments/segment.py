"""The record of a rule-made listener segment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """A named group of listeners: `when` is an SQL predicate over one row of the listener feature table."""

    name: str
    when: str
    meaning: str
