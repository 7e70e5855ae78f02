"""Tables that are not ours: a CSV, a Parquet file or folder, or a Delta table, wherever it lies on this machine, as text and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from validation.verdict import WrongUse

if TYPE_CHECKING:
    from pathlib import Path

CSV = (".csv", ".csv.gz", ".csv.bz2", ".tsv", ".tsv.gz")
FORMS = "give a CSV (.csv, .csv.gz, .tsv), a Parquet file or folder, or the folder of a Delta table"


def read_foreign(path: Path) -> pa.Table:
    """Return a table of anyone's; a CSV's values are text as they stand, so that 007 is not 7. What is none raises `WrongUse`."""
    if not path.exists():
        raise WrongUse(f"there is no file or folder {str(path)!r}; {FORMS}")
    try:
        return _read(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, DeltaError, OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{str(path)!r} cannot be read: {str(error).splitlines()[0]}; {FORMS}") from error


def _read(path: Path) -> pa.Table:
    if (path / "_delta_log").is_dir():
        # Through delta-rs' own file system Arrow's threads call Python, and one that still does while Python ends aborts the process.
        where = pafs.SubTreeFileSystem(str(path.resolve()), pafs.LocalFileSystem())
        return DeltaTable(str(path)).to_pyarrow_dataset(filesystem=where).to_table()
    if path.is_dir():
        return ds.dataset(path, format="parquet", partitioning="hive").to_table()
    if path.name.endswith(CSV):
        parse = pcsv.ParseOptions(delimiter="\t" if ".tsv" in path.name else ",")
        with pcsv.open_csv(path, parse_options=parse) as opened:
            names = opened.schema.names
        return pcsv.read_csv(path, parse_options=parse, convert_options=pcsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())))
    return pq.read_table(path)
