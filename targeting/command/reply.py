"""What a command answers: data for `--json`, text for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Reply:
    """An answer in both forms; `data` holds plain JSON values (dates become ISO text). The process ends with `exit_code`."""

    data: object
    text: str
    exit_code: int = 0

    def show(self, *, as_json: bool) -> str:
        """Return what is printed."""
        return json.dumps(self.data, indent=2, default=str) if as_json else self.text


def table(rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, empty: str) -> str:
    """Lay rows out as aligned text columns under a heading; numbers to the right, `empty` where there is no row."""
    if not rows:
        return empty
    cells = [[cell(row.get(name)) for name in columns] for row in rows]
    right = [all(isinstance(row.get(name), int | float | None) for row in rows) for name in columns]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(columns)]
    lines = [list(columns), *cells]
    return "\n".join(
        "  ".join(text.rjust(width) if flag else text.ljust(width) for text, width, flag in zip(line, widths, right, strict=True)).rstrip()
        for line in lines
    )


def cell(value: object) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
