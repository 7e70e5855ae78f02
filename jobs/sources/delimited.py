"""Cuts delimited text into rows, each a JSON object named by the header; a damaged line costs that line and no other."""

from __future__ import annotations

import csv
import json
from collections import deque
from typing import TYPE_CHECKING

from jobs.sources.chunks import blocks
from jobs.sources.records import LIMIT, Record, damaged, judged

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from jobs.sources.chunks import Opened
    from jobs.sources.source import Form

Line = tuple[int, bytes, str | None]
Cells = list[str] | None


def tab_separated(file: Opened, form: Form) -> Iterator[Record]:
    """Yield the rows of tab-separated text without a header; nothing is quoted in it."""
    for line in lines(file):
        if line[1].strip() or line[2]:
            yield _row(line, _text(line[1]).split("\t"), form.names)


def comma_separated(file: Opened, form: Form) -> Iterator[Record]:
    """Yield the rows of comma-separated text below its header, the first line with all of the form's marks."""
    rows = Rows(file, form.delimiter)
    names = form.names or (yield from _header(rows, form))
    rows.width = len(names)
    for line, cells in rows.read():
        if cells is None or len(cells) != len(names):
            rows.give_back()
        if line[2] or cells is None or any(cells):
            yield _row(line, cells, names)


def _header(rows: Rows, form: Form) -> Generator[Record, None, tuple[str, ...]]:
    """Return the names that the header gives, passing over remarks above it; rows that stand above it, or without any, are told."""
    first, told = None, False
    for line, cells in rows.read():
        if cells is not None and form.heads(cells) and not line[2]:
            return form.named(cells)
        rows.give_back()
        first = first or line
        if line[2] or cells is None or sum(map(bool, cells)) >= len(form.marks):
            told = True
            yield damaged(*line[:2], line[2] or "no_header")
    if first and not told:
        yield damaged(*first[:2], "no_header")
    return ()


class Rows:
    """A file's rows with the line each begins on; a row that turns out wrong gives back the further lines it took.

    A row takes no line more once it has more than `width` cells or `LIMIT` bytes: each line is looked at a few times at most,
    however its quotes stand.
    """

    def __init__(self, file: Opened, delimiter: str) -> None:
        self.width = 0  # until the header says how many, a row is one line
        self._delimiter = delimiter
        self._lines = lines(file)
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
        size, closed, between = len(raw), 0, b'"' + self._delimiter.encode()
        while size <= LIMIT and closed < self.width and (line := self._next()) is not None:
            self._taken.append(line)
            if line[2]:
                return
            # A doubled quote is text, any other ends a cell.
            size, closed = size + len(line[1]), closed + line[1].replace(b'""', b"").count(between)
            yield _text(line[1]) + "\n"


def lines(file: Opened) -> Iterator[Line]:
    """Yield (position, bytes, damage) of each line, its end left out; of a line that is too long, its beginning."""
    position = 0
    for block, damage in blocks(file):
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
