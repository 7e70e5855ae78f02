"""A table's schema as pyarrow spells it, and rows made to fit it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from validation.contract import Table

ARROW = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.string()),
    "array<double>": pa.list_(pa.float64()),
    "array<bigint>": pa.list_(pa.int64()),
    "array<date>": pa.list_(pa.date32()),
}


def arrow_schema(table: Table) -> pa.Schema:
    """Return a table's schema as pyarrow spells it; timestamps are microseconds in UTC."""
    return pa.schema([pa.field(c.name, ARROW[c.dtype], nullable=not c.required) for c in table.columns])


def conform(frame: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the frame with exactly the schema's columns, in order and type; columns it lacks are null."""
    columns = [
        frame.column(field.name).cast(field.type) if field.name in frame.schema.names else pa.nulls(frame.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
