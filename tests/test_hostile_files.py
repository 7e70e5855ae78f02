"""Files made to do harm: they cost time in proportion to their size, memory that is bounded, and nobody else's records."""

from __future__ import annotations

import gzip
import hashlib
import time
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.sources.chunks import FOLD, HARMLESS
from jobs.sources.reading import ROWS, batches
from jobs.sources.records import LIMIT, UNREAD
from jobs.sources.source import Form

if TYPE_CHECKING:
    from pathlib import Path

LINES = Form("*", "lines")
ARRAY = Form("*", "elements", marks=('"id"',), inside="payload")
CSV = Form("*", "csv", marks=("id", "title"))
TSV = Form("*", "tsv", names=("id", "title", "year"))
TIME = 20  # seconds of computing: ten times what any of these takes, and a thousandth of what they took by the square
GOOD = b'{"id": 1}'
SLOW = {
    "a row whose every line closes a cell and opens one": (CSV, b"id,title\n" + b'b","c\n' * 60_000),
    "the same before any header": (CSV, b'b","c\n' * 60_000),
    "a quote that never closes": (CSV, b'id,title\n1,"a\n' + b"2,b\n" * 100_000),
    "quotes that never close": (CSV, b"id,title\n" + b'1,"""\n2,b\n' * 50_000),
    "braces that nothing follows": (ARRAY, b"[" + b"{" * 300_000),
    "objects that break off": (ARRAY, b"[" + b'{"a":{' * 100_000),
    "objects within objects": (ARRAY, b"[" + b'{"a":' * 300_000),
    "arrays within arrays": (ARRAY, b"[" + b"[" * 2_000_000),
    "arrays within an object": (ARRAY, b'[{"id":' + b"[" * 2_000_000),
    "objects in strings": (ARRAY, b"[" + b'{"a":"{","b":"{",' * 50_000),
    "brackets that close nothing": (ARRAY, b"[" + b"]" * 2_000_000),
    "escaped quotes behind an object": (LINES, b'{"a": 1}x"' + b'\\"' * 500_000),
    "line breaks": (LINES, b"\n" * 5_000_000),
}


def cut(path: Path, form: Form, content: bytes, sha256: str = "") -> list[tuple[int, str, str | None]]:
    path.write_bytes(content)
    found: list[tuple[int, str, str | None]] = []
    for batch in batches(str(path), "a.file", form, sha256 or hashlib.sha256(content).hexdigest()):
        found += zip(*(batch.column(name).to_pylist() for name in ("position", "line", "damage")), strict=True)
    return found


@pytest.mark.parametrize("what", SLOW)
def test_time_is_in_proportion_to_size(what: str, tmp_path: Path) -> None:
    form, content = SLOW[what]
    began = time.process_time()
    found = cut(tmp_path / "x", form, content)
    assert time.process_time() - began < TIME
    assert all(damage for _, _, damage in found) or form is CSV
    assert found or not content.strip()


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["one line", "a line each"])
def test_a_gzip_of_very_many_members_is_read_in_proportion_to_its_size(end: bytes, tmp_path: Path) -> None:
    member, many = gzip.compress(b"x" + end, mtime=0), 60_000
    began = time.process_time()
    found = cut(tmp_path / "x.gz", LINES, member * many + b"\0" * 10_000_000)
    assert time.process_time() - began < TIME
    assert len(found) == (many if end else 1)
    assert sum(len(line) for _, line, _ in found) == many


def test_a_gzip_that_unpacks_beyond_what_any_feed_does_is_refused_whole_and_says_by_how_much(tmp_path: Path) -> None:
    bomb = gzip.compress(GOOD + b"\n" + b" " * (HARMLESS + LIMIT), mtime=0)
    ((position, line, damage),) = cut(tmp_path / "x.gz", LINES, bomb)
    assert (position, line) == (0, "")
    assert damage is not None
    said, folds = damage.split("_")[0], int(damage.split("_")[1])
    assert (said, damage.removeprefix(f"unpacks_{folds}")) == ("unpacks", f"_fold_of_at_most_{FOLD}")
    assert 0.9 * folds < (HARMLESS + LIMIT) / len(bomb) < 1.1 * folds
    small = gzip.compress(GOOD + b"\n" + b" " * (HARMLESS - LIMIT), mtime=0)
    assert cut(tmp_path / "y.gz", LINES, small)[0][2] is None, "what is small does no harm however it is packed"
    for more in (bomb + bomb, gzip.compress(GOOD) + bomb):
        assert cut(tmp_path / "z.gz", LINES, more)[0][2] is not None
    nested = cut(tmp_path / "z.gz", LINES, gzip.compress(bomb))
    assert 0 < sum(len(line) for _, line, _ in nested) <= len(bomb), "nobody unpacks twice"


def test_a_parquet_file_of_more_rows_than_bytes_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"listened_at": pa.nulls(2 * ROWS, pa.int64())}), tmp_path / "x")
    found = cut(tmp_path / "y", Form("*", "parquet"), (tmp_path / "x").read_bytes())
    assert found == [(0, "", f"{2 * ROWS}_rows_of_at_most_one_a_byte")]


@pytest.mark.parametrize("form", [LINES, ARRAY, CSV, TSV, Form("*", "parquet")], ids=lambda form: form.kind)
def test_bytes_that_are_not_those_that_were_listed_are_told_last(form: Form, tmp_path: Path) -> None:
    found = cut(tmp_path / "x", form, b'[{"id": 1}]\n', sha256="0" * 64)
    assert found[-1] == (0, "", UNREAD)
    assert cut(tmp_path / "x", form, b'[{"id": 1}]\n')[-1] != (0, "", UNREAD)


def test_one_row_of_a_parquet_file_that_nobody_can_read_costs_itself(tmp_path: Path) -> None:
    text = pa.array([b"a", b"\xff", b"c"], pa.binary()).view(pa.string())
    when = pa.array([1, 2, 2**62], pa.timestamp("us"))
    pq.write_table(pa.table({"text": text, "when": when}), tmp_path / "x")
    found = cut(tmp_path / "y", Form("*", "parquet"), (tmp_path / "x").read_bytes())
    assert [(position, damage) for position, _, damage in found] == [(0, None), (1, "invalid_utf8"), (2, "broken_row")]
    zone = pa.array([1, 2], pa.timestamp("us", tz="Mars/Base"))
    pq.write_table(pa.table({"when": zone}), tmp_path / "x")
    found = cut(tmp_path / "y", Form("*", "parquet"), (tmp_path / "x").read_bytes())
    assert [damage for _, _, damage in found] == ["broken_row"] * 2
