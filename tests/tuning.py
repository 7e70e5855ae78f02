"""How the tests' Spark is set: one core, small heaps, nothing compiled."""

from __future__ import annotations

import sys

# A process made without copying its parent, and pages of 2 MiB: a heap of small ones costs a tenth more.
LINUX = " -Djdk.lang.Process.launchMechanism=VFORK -XX:+UseTransparentHugePages" if sys.platform == "linux" else ""
TUNED = {
    "spark.master": "local[1]",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "1",
    "spark.ui.retainedExecutions": "1",
    "spark.ui.retainedJobs": "1",
    "spark.ui.retainedStages": "1",
    "spark.shuffle.compress": "false",
    "spark.rdd.compress": "false",
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    # Tests are many small queries: compiling one costs more than running it as it stands. The demo and the clusters' jobs compile.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
    " -Xms2g -Xmn900m -XX:MetaspaceSize=256m" + LINUX,
}

# For tests of many rows, where it is the other way round.
COMPILED = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
