"""Cuts delimited text into rows, each a JSON object named by the header; a damaged line costs that line and no other."""

from __future__ import annotations

import csv
import json
from collections import deque
from typing import TYPE_CHECKING

from jobs.sources.chunks import blocks
from jobs.sources.records import LIMIT, Record, damaged, judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.sources.source import Form

Line = tuple[int, bytes, str | None]
Cells = list[str] | None


def tab_separated(path: str, form: Form) -> Iterator[Record]:
    """Yield the rows of tab-separated text without a header; nothing is quoted in it."""
    for line in lines(path):
        if line[1].strip() or line[2]:
            yield _row(line, _text(line[1]).split("\t"), form.names)


def comma_separated(path: str, form: Form) -> Iterator[Record]:
    """Yield the rows of comma-separated text; remarks above the header, the first line with all of the form's marks, are passed over."""
    names, first = form.names, None
    rows = Rows(path, form.delimiter)
    for line, cells in rows.read():
        first = first or line
        fits = cells is not None and (len(cells) == len(names) if names else form.heads(cells))
        if not fits:
            rows.give_back()
        if line[2] or (names and (cells is None or any(cells))):
            yield _row(line, cells, names)
        elif fits and cells is not None:
            names = names or form.named(cells)
    if first and not (names or first[2]):
        yield damaged(*first[:2], "no_header")


class Rows:
    """A file's rows with the line each begins on; a row that turns out wrong gives back the further lines it took."""

    def __init__(self, path: str, delimiter: str) -> None:
        self._delimiter = delimiter
        self._lines = lines(path)
        self._waiting: deque[Line] = deque()
        self._taken: list[Line] = []

    def read(self) -> Iterator[tuple[Line, Cells]]:
        """Yield each row's first line and its cells, None where quotes are broken."""
        while (line := self._next()) is not None:
            self._taken = []
            yield line, self._cells(line[1])

    def give_back(self) -> None:
        """Let the lines after the last row's first one be read again."""
        self._waiting.extendleft(reversed(self._taken))

    def _next(self) -> Line | None:
        return self._waiting.popleft() if self._waiting else next(self._lines, None)

    def _cells(self, raw: bytes) -> Cells:
        if b'"' not in raw:
            return _text(raw).split(self._delimiter)
        try:
            return next(csv.reader(self._quoted(raw), delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None

    def _quoted(self, raw: bytes) -> Iterator[str]:
        yield _text(raw) + "\n"
        while (line := self._next()) is not None:
            self._taken.append(line)
            if line[2]:
                return
            yield _text(line[1]) + "\n"


def lines(path: str) -> Iterator[Line]:
    """Yield (position, bytes, damage) of each line, its end left out; of a line that is too long, its beginning."""
    position = 0
    for block, damage in blocks(path):
        for raw in block.split(b"\n"):
            yield position, raw.removesuffix(b"\r"), damage
            position += 1


def _text(raw: bytes) -> str:
    # Bytes that are no UTF-8 travel as surrogates, so that the row they stand in can be told.
    return raw.decode("utf-8", "surrogateescape")


def _row(line: Line, cells: Cells, names: tuple[str, ...]) -> Record:
    position, raw, damage = line
    if damage or len(raw) > LIMIT:
        return damaged(position, raw, damage or "oversized_row")
    if cells is None:
        return damaged(position, raw, "broken_csv")
    if len(cells) != len(names):
        # Which cell is which is not known: names would promise what they do not hold, the listener's among them.
        return damaged(position, raw, "wrong_number_of_columns")
    row = json.dumps(dict(zip(names, cells, strict=True)), ensure_ascii=False)
    return judged(position, row.encode("utf-8", "surrogateescape"))
