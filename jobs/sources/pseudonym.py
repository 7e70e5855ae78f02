"""The listener's pseudonym: HMAC-SHA256 of feed and raw id, the key outside of the lake and outside of every query plan."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


DIGITS = 32
BLOCK = 64  # bytes of a SHA-256 block


def pseudonym(key: bytes, feed: str, raw: str) -> str:
    """Return the pseudonym of one raw id: the first 32 hex digits of the HMAC."""
    return hmac.new(key, f"{feed}\x1f{raw}".encode(), hashlib.sha256).hexdigest()[:DIGITS]


def with_pseudonym(frame: DataFrame, key: bytes, feed: str) -> DataFrame:
    """Add `listener_id` for the raw id in `listener`, which goes.

    The two key blocks of RFC 2104 are looked up by scalar subqueries: literals would stand in explain output and event logs.
    """
    padded = hashlib.sha256(key).digest() if len(key) > BLOCK else key
    padded = padded.ljust(BLOCK, b"\0")
    blocks = [(bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded))]
    keys = frame.sparkSession.createDataFrame(blocks, "inner_block BINARY, outer_block BINARY")
    inner_block, outer_block = (keys.select(name).scalar() for name in keys.columns)
    message = F.concat(F.lit(f"{feed}\x1f"), "listener").cast("binary")
    inner = F.unhex(F.sha2(F.concat(inner_block, message), 256))
    digest = F.substring(F.sha2(F.concat(outer_block, inner), 256), 1, DIGITS)
    return frame.select(*(name for name in frame.columns if name != "listener"), digest.alias("listener_id"))
