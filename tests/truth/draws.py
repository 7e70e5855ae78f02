"""Rows of small worlds drawn on the spot, and the intervals of what is measured on them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from results import Measured

from jobs.lake.schema import arrow_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame, SparkSession

    from validation.contract import Table

DAY = date(2026, 11, 9)


def frame(spark: SparkSession, table: Table, columns: dict[str, NDArray[np.generic]]) -> DataFrame:
    """Return rows of these columns; of others a plain value where one is required, else null."""
    schema, rows = arrow_schema(table), len(columns["listener_id"])
    plain = {
        "string": "x",
        "bigint": 0,
        "int": 0,
        "double": 0.5,
        "date": DAY,
        "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "boolean": False,
    }
    given = {name: pa.array(one).cast(schema.field(name).type) for name, one in columns.items()}
    others = {c.name: pa.repeat(pa.scalar(plain[c.dtype] if c.required else None, schema.field(c.name).type), rows) for c in table.columns}
    return spark.createDataFrame(pa.table([(others | given)[name] for name in schema.names], schema=schema))


def ids(letter: str, numbers: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return names by numbers."""
    return np.char.add(letter, numbers.astype(str))


def rate(hits: int, of: int) -> Measured:
    """Return a share with Wilson's interval."""
    z2 = 1.96**2
    share = hits / of
    middle, half = (share + z2 / (2 * of)) / (1 + z2 / of), sqrt(z2 * (share * (1 - share) / of + z2 / (4 * of * of))) / (1 + z2 / of)
    return Measured(share, max(middle - half, 0.0), min(middle + half, 1.0))


def apart(differences: NDArray[np.float64]) -> Measured:
    """Return how far a mean difference lies from none, with its interval."""
    middle, half = float(differences.mean()), 1.96 * float(differences.std(ddof=1)) / sqrt(len(differences))
    ends = sorted((abs(middle - half), abs(middle + half)))
    return Measured(abs(middle), 0.0 if abs(middle) < half else ends[0], ends[1])
