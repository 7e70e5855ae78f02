"""Processes that are there at once: forks of one that has imported everything, on a JVM that is running.

A driver that starts from nothing takes ten seconds before its first verb. These take a fifth of one, so that a hundred of them may be
killed in a test. Each is a process of its own with its own delta-rs, MLflow and memory; the JVM is shared and outlives it, so what a
killed driver had asked for goes on for a while, as it does on a cluster.

    with Forks(spark, log) as forks:
        forks.run("test_kills_of_intake:day", lake, feed)       # waits; returns the exit status, -9 if it was killed
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from jobs.console import guarded
from jobs.fingerprint import code_of
from jobs.lake import session
from targeting.command.stages import JOBS

TESTS = Path(__file__).parent.parent
IMPORTED = (
    "great_expectations",
    "deltalake",
    "jobs.ingest",
    "jobs.publish",
    "ray_tune.challenge",
    "targeting.command.demo",
    "targeting.command.stages",
)
IMPORTED = (*IMPORTED, "targeting.audiences", "targeting.clusters", "targeting.communities", "targeting.scoring", "targeting.exports")

MADE_BY = (*(f"jobs.{name}" for name in JOBS), "targeting.audiences", "targeting.clusters", "targeting.communities")
MADE_BY = (*MADE_BY, "targeting.profiles", "targeting.scoring", "ray_tune.run")


class Forks:
    """A server of forks: one child process of the test, which forks again for every call."""

    def __init__(self, spark: SparkSession, log: Path) -> None:
        gateway = spark.sparkContext._gateway.gateway_parameters  # noqa: SLF001
        env = {"PYSPARK_GATEWAY_PORT": str(gateway.port), "PYSPARK_GATEWAY_SECRET": gateway.auth_token}
        self.log = log
        self._ended: dict[int, int] = {}
        with log.open("ab") as errors:
            self._server = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=TESTS.parent,
                env=os.environ | env,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stdin.close()
        self._server.wait(60)
        self._server.stdout.close()

    def start(self, call: str, *args: object) -> int:
        """Start a function, `module:name`, in a process of its own; return its id."""
        json.dump([call, [str(one) for one in args]], self._server.stdin)
        self._server.stdin.write("\n")
        self._server.stdin.flush()
        return int(self._told("started")["started"])

    def wait(self, pid: int) -> int:
        """Return the exit status of a process that was started: negative for the signal that ended it."""
        while pid not in self._ended:
            one = self._told("ended")
            self._ended[one["ended"]] = one["status"]
        return self._ended.pop(pid)

    def run(self, call: str, *args: object) -> int:
        """Run a function in a process of its own; return its exit status."""
        return self.wait(self.start(call, *args))

    def _told(self, what: str) -> dict[str, int]:
        while True:
            line = self._server.stdout.readline()
            if not line:
                raise RuntimeError(f"the forks' server ended: {self.log.read_text()[-3000:]}")
            one = json.loads(line)
            if what in one:
                return one
            self._ended[one["ended"]] = one["status"]


def serve() -> None:
    """Fork for every line of standard input; tell on standard output which began and how each ended."""
    for name in IMPORTED:
        import_module(name)
    for name in MADE_BY:
        code_of(name)  # read once here, not by every fork
    output, lock = os.fdopen(os.dup(1), "w"), threading.Lock()
    os.dup2(2, 1)

    def tell(**what: int) -> None:
        with lock:
            output.write(json.dumps(what) + "\n")
            output.flush()

    def reap(pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        tell(ended=pid, status=os.waitstatus_to_exitcode(status))

    for line in sys.stdin:
        call, args = json.loads(line)
        pid = os.fork()
        if not pid:
            _be(call, args)
        tell(started=pid)
        threading.Thread(target=reap, args=(pid,), daemon=True).start()
    os._exit(0)


def _be(call: str, args: list[str]) -> None:
    """Run a function and end this process with its exit code: what it returns where that is a number, 1 where it raises."""
    code = 1
    try:
        _attach()
        module, name = call.split(":")
        found: list[Any] = []
        code = guarded(lambda: found.append(getattr(import_module(module), name)(*args)))
        code = found[0] if found and isinstance(found[0], int) else code
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001 - whatever it was is the test's to see
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _attach() -> None:
    """Make the JVM's running Spark the session of this process."""
    gateway = launch_gateway()  # finds the one that runs, by the environment
    java = gateway.jvm.org.apache.spark.api.java.JavaSparkContext
    context = java.fromSparkContext(gateway.jvm.org.apache.spark.SparkContext.getOrCreate())
    conf = SparkConf(_jconf=context.getConf(), _jvm=gateway.jvm)
    attached = SparkSession(SparkContext(gateway=gateway, jsc=context, conf=conf))
    attached.conf.set("spark.sql.session.timeZone", "UTC")
    session.start = lambda *_: attached


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS), str(TESTS / "processes")]
    serve()
