"""python -m validation: exit codes and what is printed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from batches import DAY, batch, good_rows

from jobs.catalogue import TABLES
from jobs.contracts.operations import VERDICTS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema
from validation.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.lake.spark import SparkLake

WEATHER = TABLES["bronze.weather"]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(words)
    output = capsys.readouterr()
    return int(ended.value.code or 0), output.out, output.err


@pytest.mark.spark
def test_a_published_table_in_order_and_one_that_is_not(lake: SparkLake, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--lake", lake.address.uri)
    rows = good_rows(WEATHER, 5)
    lake.overwrite(WEATHER, batch(lake.spark, WEATHER, rows), [DAY], Note())
    code, out, err = run(capsys, "table", WEATHER.name, "--date", "2026-11-01", *where)
    assert (code, err) == (0, "")
    assert "ok      key_unique" in out
    assert out.endswith("bronze.weather: 16 of 16 checks passed on 5 rows\n")
    assert "rejected_share" not in out
    wet = [row | {"place": "wet", "rain_mm": 9_999.0} for row in rows[:1]]
    lake.overwrite(WEATHER, batch(lake.spark, WEATHER, [*rows, *wet]), [DAY], Note())
    code, out, err = run(capsys, "table", WEATHER.name, "--from", "2026-10-31", "--to", "2026-11-01", *where)
    assert code == 3
    assert "BROKEN  rain_possible" in out
    assert "rows place=wet" in out
    assert err.startswith("overtone: bronze.weather: held back, 1 of 17 checks failed: rain_possible")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("bronze.wether", "--date", "2026-11-01"), "did you mean 'bronze.weather'"),
        (("bronze.weather",), "name the dates"),
        (("bronze.weather", "--date", "2026-11-01"), "bronze.weather was never published in file://"),
        (("bronze.tracks", "--date", "2026-11-01"), "bronze.tracks is not partitioned by date"),
    ],
)
def test_wrong_use_is_exit_2_and_starts_nothing(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "table", *words, "--lake", str(tmp_path / "lake"))
    assert (code, out) == (2, "")
    assert message in err


def test_docs_render_the_verdicts_of_a_lake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    row = {
        "target": "bronze.weather",
        "run": "r",
        "dates": "all",
        "rule": "rows",
        "success": False,
        "observed": "0",
        "expected": "at least 1",
    }
    row |= {"failed_rows": 0, "rows": 0, "rejected": 0, "audited_at": datetime(2026, 11, 2, tzinfo=UTC)}
    lake.append(VERDICTS, pa.Table.from_pylist([row], arrow_schema(VERDICTS)), Note())
    code, out, _ = run(capsys, "docs", "--lake", str(tmp_path / "lake"), "--out", str(tmp_path / "docs"))
    assert code == 0
    assert out.strip() == str(tmp_path / "docs" / "index.html")
    assert "bronze.weather</a> was held back" in (tmp_path / "docs" / "index.html").read_text()


def test_an_unknown_command_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "tabel")
    assert code == 2
    assert "invalid choice: 'tabel'" in err
