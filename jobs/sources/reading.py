"""Cuts files into records: (position, JSON text, damage), streaming, whatever the form.

Runs on Spark's workers. Text is split in whole chunks; a damaged line costs that line, a truncated file its last one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.sources.chunks import Truncated, blocks, chunks
from jobs.sources.delimited import comma_separated, tab_separated
from jobs.sources.documents import elements
from jobs.sources.records import HEAD, LIMIT, Record, damaged, goes_on, judged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobs.sources.source import Form

SCHEMA = pa.schema([("file", pa.string()), ("position", pa.int64()), ("line", pa.string()), ("damage", pa.string())])
DDL = "file STRING, position BIGINT, line STRING, damage STRING"
BATCH = 10_000  # records a batch


def batches(path: str, name: str, form: Form) -> Iterator[pa.RecordBatch]:
    """Yield a file's records as Arrow batches of `SCHEMA`, the file called `name`."""
    if form.kind == "lines":
        yield from _lines(path, name)
        return
    records = {"elements": elements, "csv": comma_separated, "tsv": tab_separated, "parquet": _parquet}[form.kind](path, form)
    kept: list[Record] = []
    for record in records:
        kept.append(record)
        if len(kept) == BATCH:
            yield _batch(name, kept)
            kept = []
    if kept:
        yield _batch(name, kept)


def head(path: Path) -> str:
    """Return the first 4 KiB of a file as text, as far as it can be read."""
    try:
        return next(chunks(str(path)), b"")[:HEAD].decode("utf-8", "replace")
    except Truncated:
        return ""


def _lines(path: str, name: str) -> Iterator[pa.RecordBatch]:
    position = 0
    for block, damage in blocks(path):
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
    places = pa.array(range(position, position + len(lines)), pa.int64())
    full = pc.greater(pc.binary_length(pc.utf8_trim_whitespace(lines)), 0)
    columns = [pa.array([name] * len(lines)), places, lines, _glued(lines)]
    yield from pa.table(columns, schema=SCHEMA).filter(full).to_batches()


def _line(position: int, raw: bytes) -> Record:
    record = judged(position, raw)
    return damaged(position, raw, "broken_json") if record[2] is None and goes_on(record[1]) else record


def _glued(lines: pa.StringArray) -> pa.Array:
    """Say of each line whether anything follows its object: of two records that lost their line break Spark reads the first alone."""
    damage = np.full(len(lines), None, dtype=object)
    # One brace, at the line's end, is the rule: only the others are worth reading twice.
    usual = pc.and_(pc.equal(pc.count_substring(lines, "}"), 1), pc.ends_with(pc.utf8_rtrim_whitespace(lines), "}"))
    for n in np.flatnonzero(~usual.to_numpy(zero_copy_only=False)):
        damage[n] = "broken_json" if goes_on(lines[n].as_py()) else None
    return pa.array(damage, pa.string())


def _parquet(path: str, form: Form) -> Iterator[Record]:  # noqa: ARG001
    position = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    yield judged(position, json.dumps(row, default=_plain, ensure_ascii=False).encode())
                    position += 1
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        yield position, "", "broken_file"


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _batch(name: str, records: list[Record]) -> pa.RecordBatch:
    columns = list(zip(*records, strict=True)) or [(), (), ()]
    arrays = [
        pa.array([name] * len(records), pa.string()),
        pa.array(columns[0], pa.int64()),
        *(pa.array(c, pa.string()) for c in columns[1:]),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
