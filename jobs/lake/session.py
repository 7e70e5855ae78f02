"""The Spark session: started once, when first needed, and quietly.

Settings live in Spark's own spark-defaults.conf (infra/spark/), so that spark-submit, plain python and a cluster read the
same ones; only what must be known to this process stands here.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import SparkSession

from validation.verdict import OvertoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def start(settings: Mapping[str, str] | None = None) -> SparkSession:
    """Return the session of this process, starting it if need be; the master is Spark's own setting, else local[*]."""
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    # Workers would otherwise run whichever python3 comes first on the PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    # Spark without this dials whatever address the machine's name resolves to.
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.builder.appName("overtone")
    for key, value in (settings or {}).items():
        builder = builder.config(key, value)
    with _quiet_start() as log:
        try:
            session = builder.getOrCreate()
        except Exception as error:
            raise OvertoneError(f"Spark did not start: {error}\n{_tail(log)}") from error
    if not session.conf.get("spark.sql.extensions", ""):
        session.stop()
        raise OvertoneError("Spark started without Delta: its spark-defaults.conf is missing; run infra/setup.sh, or set SPARK_CONF_DIR")
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


@contextmanager
def _quiet_start() -> Iterator[Path]:
    """Keep the JVM's start-up chatter off the terminal: it and its Python workers write to a log file from birth."""
    # Its own and nobody else's to read: another user's file of an equal name would end the run, and Spark may quote rows there.
    handle, name = tempfile.mkstemp(prefix=f"overtone-spark-{os.getpid()}-", suffix=".log")
    log = Path(name)
    sys.stderr.flush()
    kept = os.dup(2)
    with os.fdopen(handle, "ab") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield log
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
