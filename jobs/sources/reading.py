"""Cuts files into records: (position, JSON text, damage), streaming, whatever the form.

Runs on Spark's workers. Text is split in whole chunks; a damaged line costs that line, a truncated file its last one.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.sources.chunks import LIMIT, Truncated, blocks, chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.sources.source import Form

SCHEMA = pa.schema([("file", pa.string()), ("position", pa.int64()), ("line", pa.string()), ("damage", pa.string())])
DDL = "file STRING, position BIGINT, line STRING, damage STRING"
BATCH = 10_000  # records a batch
HEAD = 4_096  # characters of an oversized record that are kept
WHOLE = 512 << 20  # bytes of a JSON document that is read at once

Record = tuple[int, str, str | None]


def batches(path: str, form: Form) -> Iterator[pa.RecordBatch]:
    """Yield a file's records as Arrow batches of `SCHEMA`."""
    name = Path(path).name
    if form.kind == "lines":
        yield from _lines(path, name)
        return
    records = {"elements": _elements, "csv": _csv, "tsv": _tsv, "parquet": _parquet}[form.kind](path, form)
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
        try:
            text = pa.array([block], pa.binary()).cast(pa.string())
            lines = pc.split_pattern(text, "\n").flatten()
        except pa.ArrowInvalid:
            yield _batch(name, [_line(position + n, raw) for n, raw in enumerate(block.split(b"\n")) if raw.strip()])
            position += block.count(b"\n") + 1
            continue
        places = pa.array(range(position, position + len(lines)), pa.int64())
        position += len(lines)
        if damage:
            yield _batch(name, [(position - 1, block[:HEAD].decode("utf-8", "replace"), damage)])
            continue
        size = pc.binary_length(lines)
        if (pc.max(size).as_py() or 0) > LIMIT:
            yield _batch(
                name, [_line(place, raw.encode()) for place, raw in zip(places.to_pylist(), lines.to_pylist(), strict=True) if raw.strip()]
            )
            continue
        full = pc.greater(pc.binary_length(pc.utf8_trim_whitespace(lines)), 0)
        columns = [pa.array([name] * len(lines)), places, lines, pa.nulls(len(lines), pa.string())]
        yield from pa.table(columns, schema=SCHEMA).filter(full).to_batches()


def _line(position: int, raw: bytes) -> Record:
    if len(raw) > LIMIT:
        return position, raw[:HEAD].decode("utf-8", "replace"), "oversized_row"
    try:
        return position, raw.decode("utf-8"), None
    except UnicodeDecodeError:
        return position, raw[:HEAD].decode("utf-8", "replace"), "invalid_utf8"


def _elements(path: str, form: Form) -> Iterator[Record]:
    """Walk a JSON array element by element, keeping each element's own text."""
    raw, cut = _whole(path)
    text = raw.decode("utf-8", "replace").lstrip("\ufeff")
    start = _array_start(text, form.inside)
    if len(raw) > WHOLE or start < 0:
        yield 0, text[:HEAD], "oversized_document" if len(raw) > WHOLE else "truncated_file" if cut else "broken_json"
        return
    invalid = "\ufffd" in text and b"\xef\xbf\xbd" not in raw
    decoder = json.JSONDecoder()
    position, at = 0, _skip(text, start + 1)
    while at < len(text) and text[at] != "]":
        try:
            _, end = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            yield position, text[at : at + HEAD], "truncated_file" if cut else "broken_json"
            return
        element = text[at:end]
        yield (position, element[:HEAD], "invalid_utf8") if invalid and "\ufffd" in element else _line(position, element.encode())
        position, at = position + 1, _skip(text, end)
    if cut or at >= len(text):
        yield position, "", "truncated_file"


def _whole(path: str) -> tuple[bytes, bool]:
    """Return a document's bytes, a little over `WHOLE` at most, and whether the file was cut."""
    raw = b""
    try:
        for chunk in chunks(path):
            raw += chunk
            if len(raw) > WHOLE:
                break
    except Truncated:
        return raw, True
    return raw, False


def _array_start(text: str, inside: str) -> int:
    at = _skip(text, 0)
    if text[at : at + 1] == "[":
        return at
    key = text.find(f'"{inside}"') if inside else -1
    return text.find("[", key) if key >= 0 else -1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at


def _csv(path: str, form: Form) -> Iterator[Record]:
    yield from _rows(path, form, delimiter=",")


def _tsv(path: str, form: Form) -> Iterator[Record]:
    yield from _rows(path, form, delimiter="\t")


def _rows(path: str, form: Form, delimiter: str) -> Iterator[Record]:
    """Read delimited text; each row becomes a JSON object named by the header (or `form.names`)."""
    names = list(form.names)
    plain = delimiter == "\t"  # tab-separated text quotes nothing
    reader = csv.reader(_texts(path), delimiter=delimiter, quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL)
    position = -1
    try:
        for cells in reader:
            before, position = position + 1, reader.line_num - 1
            if names:
                if any(cells):
                    yield _row(before, names, cells)
                continue
            # Some exports put remarks above the header: it is the first line that holds every mark of the form.
            if set(form.marks) <= {cell.strip() for cell in cells}:
                names = [form.renamed.get(cell.strip(), cell.strip()) for cell in cells]
    except Truncated:
        yield position + 1, "", "truncated_file"
    except csv.Error as error:
        yield position + 1, "", "oversized_row" if "field larger" in str(error) else "broken_csv"


def _texts(path: str) -> Iterator[str]:
    """Yield a file's lines as text; bytes that are no UTF-8 become replacement characters, which mark the row later."""
    for block, damage in blocks(path):
        if damage == "truncated_file":
            raise Truncated(path)
        for raw in block.split(b"\n"):
            yield raw.decode("utf-8-sig", "replace") + "\n"


def _row(position: int, names: list[str], cells: list[str]) -> Record:
    line = json.dumps(dict(zip(names, cells, strict=False)), ensure_ascii=False)
    if len(cells) != len(names):
        return position, line[:HEAD], "wrong_number_of_columns"
    return position, line, "invalid_utf8" if "\ufffd" in line else None


def _parquet(path: str, form: Form) -> Iterator[Record]:  # noqa: ARG001
    position = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=BATCH):
            for row in batch.to_pylist():
                yield position, json.dumps(row, default=_plain, ensure_ascii=False), None
                position += 1
    except (pa.ArrowInvalid, OSError):
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
