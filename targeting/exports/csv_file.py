"""Members as CSV, UTF-8 with a header line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.csv as pacsv

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


class Csv:
    """One CSV file."""

    suffix = "csv"

    def write(self, members: pa.Table, path: Path) -> None:
        """Write the file."""
        pacsv.write_csv(members, path)
