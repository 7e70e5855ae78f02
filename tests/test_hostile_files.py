"""Files made to do harm: they cost time in proportion to their size, memory that is bounded, and nobody else's records."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.sources.chunks import CHUNK, FOLD, HARMLESS
from jobs.sources.columnar import ROWS
from jobs.sources.reading import batches
from jobs.sources.records import LIMIT, UNREAD
from jobs.sources.source import Form

LINES = Form("*", "lines")
ARRAY = Form("*", "elements", marks=('"id"',), inside="payload")
CSV = Form("*", "csv", marks=("id", "title"))
TSV = Form("*", "tsv", names=("id", "title", "year"))
PARQUET = Form("*", "parquet")
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


def test_a_parquet_file_of_more_values_than_bytes_is_refused(tmp_path: Path) -> None:
    many = pa.ListArray.from_arrays(pa.array([0, 2 * ROWS], pa.int32()), pa.nulls(2 * ROWS, pa.int64()))
    pq.write_table(pa.table({"listened_at": many}), tmp_path / "x")
    found = cut(tmp_path / "y", PARQUET, (tmp_path / "x").read_bytes())
    assert found == [(0, "", f"{2 * ROWS}_values_of_at_most_one_a_byte")]


LONG, FEW, PARTS = "x" * 340_000, 100, 100  # a value of this length in so many rows of so many row groups: 3.4 GB
MANY = pa.DictionaryArray.from_arrays(pa.array([0] * FEW, pa.int32()), [LONG])
BOMBS = {
    "one value by its number": (pa.table({"title": MANY.take(pa.array([0] * FEW * PARTS))}), 1, {}),
    "one value by its number, anew in every row group": (pa.table({"title": MANY}), PARTS, {}),
    "values told by what they share": (
        pa.table({"title": [LONG] * FEW}),
        PARTS,
        {"use_dictionary": False, "column_encoding": {"title": "DELTA_BYTE_ARRAY"}},
    ),
    "values of a fixed length": (pa.table({"title": pa.array([LONG.encode()] * FEW, pa.binary(len(LONG)))}), PARTS, {}),
    "values within values": (pa.table({"a": [{"titles": [LONG] * FEW}, {"titles": []}]}), PARTS, {}),
    "a good row before the others": (pa.table({"title": pa.chunked_array([pa.array(["Song"]).dictionary_encode(), MANY])}), PARTS, {}),
    "one value that is long": (pa.table({"title": ["y" * (300 << 20)]}), 1, {"use_dictionary": False}),
}
PEAK = """
import sys
from pathlib import Path
from jobs.sources.reading import batches
from jobs.sources.source import Form
for batch in batches(sys.argv[1], "x", Form("*", "parquet"), sys.argv[2]):
    (damage,) = batch.column("damage").to_pylist()
peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(damage, int(peak) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a program's peak")
@pytest.mark.parametrize("what", BOMBS)
def test_a_parquet_file_that_unpacks_beyond_what_any_feed_does_is_refused_before_it_fills_memory(what: str, tmp_path: Path) -> None:
    table, parts, how = BOMBS[what]
    with pq.ParquetWriter(tmp_path / "x", table.schema, compression="zstd", store_schema=False, **how) as writer:
        for _ in range(parts):
            writer.write_table(table)
    content = (tmp_path / "x").read_bytes()
    assert len(content) < 1 << 18
    words = [sys.executable, "-c", PEAK, tmp_path / "x", hashlib.sha256(content).hexdigest()]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    damage, peak = told.stdout.split()
    assert re.fullmatch(rf"unpacks_[0-9]+_fold_of_at_most_{FOLD}", damage)
    assert int(peak) < 450, "MiB, of which Python and Arrow take 150"


@pytest.mark.parametrize("encoding", ["", "PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_however_the_texts_of_a_parquet_file_are_written_they_are_read(encoding: str, tmp_path: Path) -> None:
    how = {"column_encoding": {"title": encoding, "names.list.element": encoding}} if encoding else {"dictionary_pagesize_limit": 1_000}
    rows = [{"title": None if n % 7 == 0 else f"Song {n}", "names": [f"Band {n % 90}"] * (n % 4), "at": {"n": n}} for n in range(3_000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x", row_group_size=700, use_dictionary=not encoding, **how)
    found = cut(tmp_path / "y", PARQUET, (tmp_path / "x").read_bytes())
    assert [(json.loads(line), damage) for _, line, damage in found] == [(row, None) for row in rows]
    assert [position for position, _, _ in found] == list(range(3_000))


def test_rows_of_a_parquet_file_that_are_large_come_a_few_at_a_time_and_one_that_is_too_large_alone(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(3 << 20).hex()
    texts = [noise[:1_000_000], "a", noise[: 2 * LIMIT], noise + noise, "b"]
    pq.write_table(pa.table({"title": texts}), tmp_path / "x", compression="none")
    found = cut(tmp_path / "y", PARQUET, (tmp_path / "x").read_bytes())
    assert [(n, damage) for n, _, damage in found] == [(0, None), (1, None), (2, "oversized_row"), (3, "oversized_row"), (4, None)]
    pq.write_table(pa.table({"title": [noise[:1_000_000]] * 20 + ["a"]}), tmp_path / "x", compression="none")
    content = (tmp_path / "x").read_bytes()
    sizes = [batch.nbytes for batch in batches(str(tmp_path / "x"), "x", PARQUET, hashlib.sha256(content).hexdigest())]
    assert len(sizes) > 1
    assert max(sizes) < CHUNK + 2 * LIMIT


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
