"""Cuts files into records: (position, JSON text, damage), streaming, whatever the form.

Runs on Spark's workers. Text is split in whole chunks; a damaged line costs that line, a truncated file its last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.sources.chunks import CHUNK, FOLD, blocks, overblown
from jobs.sources.columnar import parquet
from jobs.sources.delimited import comma_separated, tab_separated
from jobs.sources.documents import elements
from jobs.sources.opening import opened
from jobs.sources.records import LIMIT, UNREAD, Record, alone, damaged, judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.sources.opening import Opened
    from jobs.sources.source import Form

SCHEMA = pa.schema([("file", pa.string()), ("position", pa.int64()), ("line", pa.string()), ("damage", pa.string())])
DDL = "file STRING, position BIGINT, line STRING, damage STRING"
BATCH = 10_000  # records a batch, and as many characters as a chunk has bytes


def batches(path: str, name: str, form: Form, sha256: str) -> Iterator[pa.RecordBatch]:
    """Yield a file's records as Arrow batches of `SCHEMA`, the file called `name`.

    The last record is an `UNREAD` one if the bytes that were read do not have this hash: none of the others may be used then.
    """
    try:
        folds = overblown(path)
        with opened(path) as file:
            if folds:
                yield _batch(name, [(0, "", f"unpacks_{folds}_fold_of_at_most_{FOLD}")])
            else:
                yield from _records(file, name, form)
            whole = file.sha256() == sha256
    except OSError:
        whole = False
    if not whole:
        yield _batch(name, [(0, "", UNREAD)])


def _records(file: Opened, name: str, form: Form) -> Iterator[pa.RecordBatch]:
    if form.kind == "lines":
        yield from _lines(file, name)
        return
    records = {"elements": elements, "csv": comma_separated, "tsv": tab_separated, "parquet": parquet}[form.kind](file, form)
    kept, size = [], 0
    for record in records:
        kept.append(record)
        size += len(record[1])
        if len(kept) == BATCH or size > CHUNK:
            yield _batch(name, kept)
            kept, size = [], 0
    if kept:
        yield _batch(name, kept)


def _lines(file: Opened, name: str) -> Iterator[pa.RecordBatch]:
    position = 0
    for block, damage in blocks(file):
        if damage:
            yield _batch(name, [damaged(position, block, damage)])
        else:
            yield from _cut(block, name, position)
        position += block.count(b"\n") + 1


def _cut(block: bytes, name: str, position: int) -> Iterator[pa.RecordBatch]:
    """Split whole lines at once; where one of them is too long or no UTF-8, one by one."""
    try:
        lines = pc.split_pattern(pa.array([block], pa.binary()).cast(pa.string()), "\n").flatten()
    except pa.ArrowInvalid:
        lines = None
    if lines is None or (pc.max(pc.binary_length(lines)).as_py() or 0) > LIMIT:
        yield _batch(name, [_line(position + n, raw) for n, raw in enumerate(block.split(b"\n")) if raw.strip()])
        return
    full = pc.greater(pc.binary_length(pc.ascii_trim_whitespace(lines)), 0)
    places = pa.array(np.arange(position, position + len(lines))).filter(full)
    lines = lines.filter(full)
    columns = [pa.repeat(name, len(lines)), places, lines, _glued(lines)]
    yield from pa.table(columns, schema=SCHEMA).to_batches()


def _line(position: int, raw: bytes) -> Record:
    record = judged(position, raw)
    return damaged(position, raw, "broken_json") if record[2] is None and not alone(record[1]) else record


def _glued(lines: pa.StringArray) -> pa.Array:
    """Say of each line whether it is something else than one object."""
    damage = np.full(len(lines), None, dtype=object)
    # One brace at each end is the rule: only lines with others are worth reading twice.
    trimmed, braces = pc.utf8_trim_whitespace(lines), pc.count_substring(lines, "}")
    usual = pc.and_(pc.starts_with(trimmed, "{"), pc.and_(pc.equal(braces, 1), pc.ends_with(trimmed, "}")))
    for n in np.flatnonzero(~usual.to_numpy(zero_copy_only=False)):
        damage[n] = None if alone(lines[n].as_py()) else "broken_json"
    return pa.array(damage, pa.string())


def _batch(name: str, records: list[Record]) -> pa.RecordBatch:
    columns = list(zip(*records, strict=True)) or [(), (), ()]
    arrays = [
        pa.array([name] * len(records), pa.string()),
        pa.array(columns[0], pa.int64()),
        *(pa.array(c, pa.string()) for c in columns[1:]),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
