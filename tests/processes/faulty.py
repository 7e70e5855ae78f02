"""A staged batch whose tasks fail, die and are copied; sent to a cluster by test_cluster_spark. Prints what came of it as JSON.

Each fault strikes the first attempt of one task, after its first rows were written.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext

from jobs.catalogue import TABLES
from jobs.lake.address import Address, folder
from jobs.lake.spark import SparkLake

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = next(table for table in TABLES.values() if not table.partition)
EACH, TASKS = 1000, 4
RAISES, DIES, LINGERS = 1, 2, 3  # tasks


def executor() -> psutil.Process:
    """The JVM that this Python process works for."""
    return next(one for one in psutil.Process().parents() if "java" in one.name())


def fault(task: int, marks: Path) -> None:
    (marks / str(task)).touch()
    if task == RAISES:
        raise RuntimeError("planted")
    if task == DIES:
        os.kill(executor().pid, signal.SIGKILL)
    if task == LINGERS:
        time.sleep(15)


def frame(lake: SparkLake, marks: Path) -> Any:
    def rows(parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        for number, part in enumerate(parts):
            if number == 1 and task.attemptNumber() == 0 and task.partitionId() in (RAISES, DIES, LINGERS):
                fault(task.partitionId(), marks)
            yield pa.RecordBatch.from_arrays([part.column(0), pa.array(["ok"] * len(part))], ["id", "lane"])

    lake.spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "100")
    return lake.spark.range(0, EACH * TASKS, 1, TASKS).mapInArrow(rows, "id BIGINT, lane STRING")


def main(uri: str, marks: Path) -> None:
    lake, early = SparkLake(Address.parse(uri)), []

    def look() -> None:
        while not (marks / str(LINGERS)).exists():
            time.sleep(0.1)
        time.sleep(1)
        early.extend(lake.arrow.staged_files(TABLE, "run-x"))

    watcher = Thread(target=look, daemon=True)
    watcher.start()
    lake.stage(TABLE, frame(lake, marks), "run-x", by=("lane",))
    watcher.join()
    root = lake.address.path / folder(TABLE.name)
    files = lake.arrow.staged_files(TABLE, "run-x")
    ids = sorted(number for path in files for number in pq.read_table(root / path, columns=["id"], partitioning=None)["id"].to_pylist())
    sys.stdout.write(json.dumps({"files": len(files), "exact": ids == list(range(EACH * TASKS)), "early": len(early)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
