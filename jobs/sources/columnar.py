"""Cuts Parquet files into records; a value that is written once and meant a million times is held once."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.sources.chunks import CHUNK, FOLD, HARMLESS
from jobs.sources.records import judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.sources.opening import Opened
    from jobs.sources.records import Record
    from jobs.sources.source import Form

BATCH = 10_000  # rows read at a time at most
# Dates that no calendar has, zones that nobody knows, text that is none, values within values without end.
BAD = (pa.ArrowException, ValueError, ArithmeticError, LookupError, RecursionError)
TEXT = "BYTE_ARRAY"
BY_NUMBER = {"PLAIN", "RLE", "BIT_PACKED", "PLAIN_DICTIONARY", "RLE_DICTIONARY"}  # how texts are written that are read as dictionaries
SHARED = {"PLAIN_DICTIONARY", "RLE_DICTIONARY", "DELTA_BYTE_ARRAY"}  # how few bytes may stand for much text
ROWS = 1_000_000  # of a file, or values of a column, up to which their number does not matter; above it each takes a byte at least


def parquet(file: Opened, form: Form) -> Iterator[Record]:  # noqa: ARG001
    """Yield the rows of a Parquet file; one that unpacks to more than any feed does is refused whole, before anything is unpacked."""
    position = 0
    try:
        with pq.ParquetFile(file.file) as whole:
            why, texts = _overblown(whole.metadata, file.size), _texts(whole.metadata)
        # Texts come as the dictionaries that they are written as: what they unpack to is known before it is.
        with pq.ParquetFile(file.file, read_dictionary=texts) as whole:
            if why := why or _folded(_size_of(whole, file.size), file.size):
                yield 0, "", why
                return
            for batch in _read(whole):
                yield from _rows(batch, position)
                position += batch.num_rows
    except (pa.ArrowException, OSError, ValueError):
        yield position, "", "broken_file"
    finally:
        file.file.seek(0)  # Parquet is read from its end: what was read is hashed once more


def _read(whole: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Read row group by row group: dictionaries within values are not put together."""
    rows = _at_once(whole.metadata)
    for group in range(whole.num_row_groups):
        yield from whole.iter_batches(batch_size=rows, row_groups=[group])


def _size_of(whole: pq.ParquetFile, size: int) -> int:
    """Return the bytes that a file of this size unpacks to, as far as it can be read and until they are too many."""
    unpacked = 0
    with suppress(pa.ArrowException, OSError, ValueError):  # said where it is read for its rows
        for batch in _read(whole):
            unpacked += _size(batch)
            if _folded(unpacked, size):
                break
    return unpacked


def _overblown(told: pq.FileMetaData, size: int) -> str | None:
    """Say by its own word why a file is none that a feed would bring."""
    if told.num_rows > max(ROWS, size):
        return f"{told.num_rows}_rows_of_at_most_one_a_byte"
    parts = [_columns(told, group) for group in range(told.num_row_groups)]
    values = max((sum(one.num_values for one in column) for column in zip(*parts, strict=True)), default=0)
    if values > max(ROWS, size):
        return f"{values}_values_of_at_most_one_a_byte"
    return _folded(sum(one.total_uncompressed_size for part in parts for one in part), size)


def _columns(told: pq.FileMetaData, group: int) -> list[pq.ColumnChunkMetaData]:
    return [told.row_group(group).column(number) for number in range(told.num_columns)]


def _folded(unpacked: int, size: int) -> str | None:
    """Say how many times its size a file unpacks to if that is more than any feed does."""
    return f"unpacks_{unpacked // size}_fold_of_at_most_{FOLD}" if unpacked > max(HARMLESS, FOLD * size) else None


def _texts(told: pq.FileMetaData) -> list[str]:
    """Return the columns of texts that can be read as the dictionaries that they are written as."""
    return [one.path for one, how, _ in _written(told) if one.physical_type == TEXT and how <= BY_NUMBER]


def _at_once(told: pq.FileMetaData) -> int:
    """Return how many rows may be read at a time where values have to be unpacked to be read.

    Of texts that are told by what they share with others nothing is known but that none is longer than all that is written.
    """
    shared = sum(size for one, how, size in _written(told) if one.physical_type == TEXT and not how <= BY_NUMBER and how & SHARED)
    fixed = sum(one.length for one, _, _ in _written(told) if one.physical_type == "FIXED_LEN_BYTE_ARRAY")
    return max(1, min(BATCH, HARMLESS // max(1, int(shared + fixed))))


def _written(told: pq.FileMetaData) -> list[tuple[pq.ColumnSchema, set[str], int]]:
    """Return each column with how its values are written, and the most bytes that a row group has of it."""
    groups = [_columns(told, group) for group in range(told.num_row_groups)]
    found = []
    for number in range(told.num_columns):
        parts = [group[number] for group in groups]
        how = {name for part in parts for name in part.encodings}
        found.append((told.schema.column(number), how, max((part.total_uncompressed_size for part in parts), default=0)))
    return found


def _size(values: pa.Array | pa.RecordBatch) -> int:
    """Return the bytes of values once each has its own."""
    if isinstance(values, pa.RecordBatch):
        return sum(_size(column) for column in values.columns)
    kind = values.type
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(values.dictionary) if _is_text(kind.value_type) else None
        return values.nbytes if lengths is None else len(values) + (pc.sum(lengths.take(values.indices)).as_py() or 0)
    if pa.types.is_struct(kind):
        return sum(_size(field) for field in values.flatten())
    if pa.types.is_nested(kind):
        return len(values) + _size(values.flatten())
    return int(values.nbytes)


def _is_text(kind: pa.DataType) -> bool:
    return any(told(kind) for told in (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string, pa.types.is_large_binary))


def _rows(batch: pa.RecordBatch, position: int) -> Iterator[Record]:
    """Yield the rows of a batch, as many at a time as memory holds; where one is no row that Python can hold, one by one."""
    large = _size(batch) > CHUNK
    if large and batch.num_rows == 1:
        yield position, "", "oversized_row"
        return
    if large:
        half = batch.num_rows // 2
        yield from _rows(batch.slice(0, half), position)
        yield from _rows(batch.slice(half), position + half)
        return
    try:
        yield from [_row(position + n, row) for n, row in enumerate(_unpacked(batch).to_pylist())]
    except BAD as error:
        if batch.num_rows == 1:
            yield position, "", "invalid_utf8" if isinstance(error, UnicodeDecodeError) else "broken_row"
            return
        for n in range(batch.num_rows):
            yield from _rows(batch.slice(n, 1), position + n)


def _unpacked(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [one.dictionary_decode() if pa.types.is_dictionary(one.type) else one for one in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _row(position: int, row: dict[str, Any]) -> Record:
    return judged(position, json.dumps(row, default=_plain, ensure_ascii=False).encode())


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
