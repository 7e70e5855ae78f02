"""The server of forks that a module's tests share, with a key that all its lakes use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from forks import Forks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def forks(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    folder = tmp_path_factory.mktemp("forks")
    (folder / "key").write_bytes(bytes(range(32)))
    os.environ["OVERTONE_KEY_FILE"] = str(folder / "key")
    with Forks(spark, folder / "log") as server:
        yield server
    del os.environ["OVERTONE_KEY_FILE"]
