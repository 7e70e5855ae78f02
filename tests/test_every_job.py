"""Every job on empty typed frames: it is analysed, not executed, and yields exactly the table it says it writes."""

from __future__ import annotations

import runpy
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.catalogue import TABLES
from jobs.fingerprint import code_of, home
from targeting.command.stages import JOBS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.run import Job

DATES = (date(2026, 11, 1), date(2026, 11, 2))


def job(name: str) -> Job:
    return import_module(f"jobs.{name}").JOB  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", JOBS)
def test_it_yields_exactly_the_columns_of_its_table(name: str, spark: SparkSession) -> None:
    one = job(name)
    frames = [spark.createDataFrame([], read.table.ddl) for read in one.reads]
    made = one.build(*frames, dates=DATES)
    types = {field.name: field.dataType.simpleString() for field in made.schema}
    assert types == {column.name: column.dtype for column in one.writes.columns}


@pytest.mark.parametrize("name", JOBS)
def test_it_says_how_to_run_it_and_what_a_row_is(name: str) -> None:
    module = import_module(f"jobs.{name}")
    assert module.__doc__
    assert module.__doc__.startswith(f"{job(name).writes.name}: one ")
    assert f"spark-submit jobs/{name}.py --date" in module.__doc__


@pytest.mark.parametrize("name", JOBS)
def test_a_script_depends_on_the_same_code_as_the_module(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `spark-submit` would publish anew what `overtone day` published, and would not see that the code has changed."""
    run: list[Job] = []
    monkeypatch.setattr("jobs.run.main", run.append)
    runpy.run_path(str(Path(__file__).parent.parent / f"jobs/{name}.py"), run_name="__main__")
    assert run[0].build.__module__ == "__main__"
    assert home(run[0].build) == home(job(name).build) == f"jobs.{name}"
    assert code_of(f"jobs.{name}") != code_of("jobs.no_such_job")


@pytest.mark.parametrize("name", JOBS)
def test_it_reads_tables_of_the_catalogue_and_so_no_truth(name: str) -> None:
    for read in job(name).inputs:
        assert TABLES.get(read.table.name) == read.table
        assert not read.table.name.startswith("truth.")


def test_reads_and_writes_run_left_to_right() -> None:
    order = list(TABLES)
    for name in JOBS:
        one = job(name)
        assert all(order.index(read.table.name) < order.index(one.writes.name) for read in one.reads)


def test_what_is_read_is_written_by_an_earlier_stage_or_by_ingest() -> None:
    written: set[str] = {name for name in TABLES if name.startswith("bronze.")}
    for name in JOBS:
        one = job(name)
        assert {read.table.name for read in one.inputs} <= written
        written.add(one.writes.name)
