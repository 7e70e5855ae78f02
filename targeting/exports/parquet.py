"""Members as Parquet, zstd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


class Parquet:
    """One Parquet file."""

    suffix = "parquet"

    def write(self, members: pa.Table, path: Path) -> None:
        """Write the file."""
        pq.write_table(members, path, compression="zstd")
