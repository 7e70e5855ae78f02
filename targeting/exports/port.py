"""The port of audience files: a writer turns one table of members into bytes of one form, the same rows into the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = pa.schema(
    [
        ("audience_id", pa.string()),
        ("member_id", pa.string()),
        ("id_type", pa.string()),
        ("added_at", pa.date32()),
        ("expires_at", pa.date32()),
        ("op", pa.string()),
    ]
)


class Writer(Protocol):
    """Writes members (columns of `SCHEMA`, sorted by member) into a new file."""

    suffix: str

    def write(self, members: pa.Table, path: Path) -> None:
        """Write the file."""
