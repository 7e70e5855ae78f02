"""What a file is cut into: (position, JSON text, damage); a damaged record keeps its beginning, never more."""

from __future__ import annotations

import re

Record = tuple[int, str, str | None]
LIMIT = 1 << 20  # bytes a record may have
HEAD = 4_096  # characters of a damaged record that are kept
UNREAD = "unread_file"  # what was read is not what was listed: it was changed, replaced or removed in between
# Possessive, and with an end that may be missing: what was tried once is not tried again from every quote within.
TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
BRACKET = re.compile(r"[{}\[\]]")


def alone(line: str) -> bool:
    """Say whether a line is an object and nothing else: Spark reads the first of several and says nothing of the others."""
    bare = TEXT.sub('""', line).strip()
    if not bare.startswith("{"):
        return False
    depth = 0
    for found in BRACKET.finditer(bare):
        depth += 1 if found[0] in "{[" else -1
        if depth == 0:
            return not bare[found.end() :].strip(" \t\r,]")  # some write their lines as the elements of an array
    return True  # it breaks off, which its reader says


def judged(position: int, raw: bytes) -> Record:
    """Return the record of some bytes, with the damage that bytes alone can show."""
    if len(raw) > LIMIT:
        return damaged(position, raw, "oversized_row")
    try:
        return position, raw.decode("utf-8"), None
    except UnicodeDecodeError:
        return damaged(position, raw, "invalid_utf8")


def damaged(position: int, raw: bytes, reason: str) -> Record:
    """Return the record of bytes that cannot be used, and why."""
    return position, raw[:HEAD].decode("utf-8", "replace"), reason
