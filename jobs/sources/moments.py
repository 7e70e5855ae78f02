"""Moments as SQL: what a feed writes becomes a timestamp or null, for Spark ends the whole batch where its arithmetic overflows."""

from __future__ import annotations

from datetime import UTC, datetime

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # no feed is older: clocks that were never set say 1970
LAST = 253_402_300_799  # the last second of the year 9999, after 1970
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


def of_seconds(sql: str) -> str:
    """Return the moment of epoch seconds, null outside of the years 1970 to 9999."""
    return f"CASE WHEN {sql} BETWEEN 0 AND {LAST} THEN timestamp_seconds({sql}) END"


def of_millis(sql: str) -> str:
    """Return the moment of epoch milliseconds, null outside of the years 1970 to 9999."""
    return f"CASE WHEN {sql} BETWEEN 0 AND {LAST}999 THEN timestamp_millis({sql}) END"


def of_text(sql: str) -> str:
    """Return the moment of an ISO text, UTC unless it says otherwise; a date or a time alone is none (Spark would fill in today's date)."""
    return f"CASE WHEN {sql} RLIKE '^{DAY}[T ][0-9]' THEN try_to_timestamp({sql}) END"
