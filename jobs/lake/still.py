"""A lake whose tables stand still while others publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.lake.arrow import ArrowLake

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from validation.contract import Table


class StillLake(ArrowLake):
    """A lake to read from: each table stays at the version that it had when it was first asked for."""

    def __init__(self, lake: ArrowLake) -> None:
        super().__init__(lake.address)
        self._at: dict[str, int] = {}

    def _open(self, table: Table, version: int | None = None) -> DeltaTable | None:
        opened = super()._open(table, self._at.get(table.name) if version is None else version)
        if opened and version is None:
            self._at[table.name] = opened.version()
        return opened
