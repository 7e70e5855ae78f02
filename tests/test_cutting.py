"""Cutting files into records: whatever the bytes, nothing crashes and no record is lost without a word."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.sources import SOURCES
from jobs.sources.chunks import CHUNK, head
from jobs.sources.opening import opened
from jobs.sources.reading import SCHEMA, batches
from jobs.sources.records import HEAD, LIMIT
from jobs.sources.source import Form

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jobs.sources.records import Record

LINES = Form("*", "lines")
ARRAY = Form("*", "elements", marks=('"id"',), inside="payload")
CSV = Form("*", "csv", marks=("id", "title"))
TSV = Form("*", "tsv", names=("id", "title", "year"))
FORMS = (LINES, ARRAY, CSV, TSV, Form("*", "csv", names=("id", "title")), Form("*", "parquet"))
FAST = settings(
    max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
# Text as feeds hold it, with all that gets in the way: quotes, commas, brackets, line ends of every kind, signs of four bytes.
WORDS = st.text(st.sampled_from('abc ,;"\\{}[]\t\r\n:é\u2028\ufffd\U0001f3b5'), max_size=12)
RECORDS = st.lists(st.fixed_dictionaries({"id": st.integers(0, 9), "title": WORDS}), min_size=1, max_size=6)


def cut(path: Path, form: Form, content: bytes | str) -> list[Record]:
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(raw)
    found: list[Record] = []
    for batch in batches(str(path), "a.file", form, hashlib.sha256(raw).hexdigest()):
        assert batch.schema == SCHEMA
        assert set(batch.column("file").to_pylist()) <= {"a.file"}
        found += zip(*(batch.column(name).to_pylist() for name in ("position", "line", "damage")), strict=True)
    return found


def lines_of(rows: Iterable[Any]) -> list[str]:
    return [json.dumps(row) for row in rows]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


@FAST
@given(st.one_of(st.binary(max_size=400), WORDS.map(str.encode)), st.sampled_from(FORMS))
def test_any_bytes_are_cut_without_a_crash(tmp_path: Path, content: bytes, form: Form) -> None:
    for name in ("x", "x.gz"):
        found = cut(tmp_path / name, form, content)
        assert [position for position, _, _ in found] == sorted({position for position, _, _ in found})
        assert all(damage is not None or form.kind == "lines" or json.loads(line) is not None for _, line, damage in found)
        with opened(str(tmp_path / name)) as file:
            head(file)
    if form is not LINES and content.strip(b" \t\r\n,\"'"):
        assert cut(tmp_path / "x", form, content) or content.strip().startswith((b"[]", b"[ ", b"[,", b"[\n"))


@FAST
@given(st.lists(st.binary(max_size=30).filter(lambda raw: b"\n" not in raw), max_size=8))
def test_every_line_is_a_record_at_its_number_or_blank(tmp_path: Path, content: list[bytes]) -> None:
    found = cut(tmp_path / "x", LINES, b"\n".join(content))
    told = {position: (line, damage) for position, line, damage in found}
    content = [b"".join(content[:1]).removeprefix(b"\xef\xbb\xbf"), *content[1:]]
    for number, raw in enumerate(content):
        try:
            if raw.decode().strip():
                assert told.pop(number) == (raw.decode(), None if raw.decode().strip().startswith("{") else "broken_json")
        except UnicodeDecodeError:
            assert told.pop(number) == (raw.decode("utf-8", "replace"), "invalid_utf8")
    assert all(not line.strip() for line, _ in told.values())


@FAST
@given(RECORDS, st.booleans())
def test_an_array_gives_its_elements_however_it_is_written(tmp_path: Path, rows: list[dict[str, Any]], wide: bool) -> None:
    indent = 2 if wide else None
    texts = [
        json.dumps(rows, indent=indent),
        json.dumps({"kind": "x", "payload": rows, "more": {}}, indent=indent),
        "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
    ]
    for text in texts:
        found = cut(tmp_path / "x", ARRAY, text)
        assert [(position, json.loads(line), damage) for position, line, damage in found] == [(n, row, None) for n, row in enumerate(rows)]


@FAST
@given(RECORDS, st.data())
def test_a_broken_element_costs_itself_and_no_other(tmp_path: Path, rows: list[dict[str, Any]], data: st.DataObject) -> None:
    texts = lines_of(rows)
    broken = data.draw(st.integers(0, len(rows) - 1))
    texts[broken] = data.draw(st.sampled_from(['{"id": 1, "title": ', '{"id": NULL}', '{"id": 1, {"x": 2}, "title": "a"}', '"a', "{{{"]))
    found = cut(tmp_path / "x", ARRAY, f"[{', '.join(texts)}]")
    kept = [json.loads(line) for _, line, damage in found if damage is None]
    others = [row for n, row in enumerate(rows) if n != broken]
    assert kept == others
    assert [damage for _, _, damage in found if damage] in (["broken_json"], ["broken_json", "truncated_file"])


@FAST
@given(RECORDS, st.data())
def test_a_cut_array_gives_what_is_whole_and_says_that_it_was_cut(tmp_path: Path, rows: list[dict[str, Any]], data: st.DataObject) -> None:
    text = json.dumps(rows)
    found = cut(tmp_path / "x", ARRAY, text[: data.draw(st.integers(1, len(text) - 1))])
    whole = [json.loads(line) for _, line, damage in found if damage is None]
    assert whole == rows[: len(whole)]
    assert found[-1][2] in ("truncated_file", "broken_json")
    assert len(found) >= len(whole) + 1


def test_a_cut_gzip_is_told_once_wherever_it_was_cut(tmp_path: Path) -> None:
    text = b'[{"id": 1}, {"id": 2}]'
    packed = gzip.compress(text, 0, mtime=0)
    for end in range(12, len(packed)):
        found = cut(tmp_path / "x.gz", ARRAY, packed[:end])
        assert [damage for _, _, damage in found][-1] == "truncated_file"
        assert [damage for _, _, damage in found].count("truncated_file") == 1
    assert [line for _, line, _ in found] == ['{"id": 1}', '{"id": 2}', ""]


def test_what_stands_behind_an_array_is_told(file: Path) -> None:
    assert cut(file, ARRAY, '[{"id": 1}]{"x": 2}') == [(0, '{"id": 1}', None), (1, ']{"x": 2}', "broken_json")]
    twice = [(0, '{"id": 1}', None), (1, '][{"id": 2}]', "broken_json"), (2, '{"id": 2}', None)]
    assert cut(file, ARRAY, '[{"id": 1}][{"id": 2}]') == twice
    assert cut(file, ARRAY, '{"payload": [{"id": 1}], "kind": "x"}') == [(0, '{"id": 1}', None)]


@FAST
@given(RECORDS, st.sampled_from(["\n", "\r\n"]))
def test_what_a_csv_writer_writes_is_read_back(tmp_path: Path, rows: list[dict[str, Any]], end: str) -> None:
    written = io.StringIO(newline="")
    rows = [row | {"title": row["title"].replace("\r", "")} for row in rows]  # writers leave it unquoted, readers take it for a line end
    csv.writer(written, lineterminator=end).writerows([["a remark"], ["id", "title"], *([row["id"], row["title"]] for row in rows)])
    found = cut(tmp_path / "x", CSV, written.getvalue())
    same = [{"id": str(row["id"]), "title": row["title"]} for row in rows]
    assert [(json.loads(line), damage) for _, line, damage in found] == [(row, None) for row in same]
    starts = [position for position, _, _ in found]
    assert starts[0] == 2
    assert [b - a for a, b in pairwise(starts)] == [1 + row["title"].count("\n") for row in same[:-1]]


@FAST
@given(st.lists(st.integers(0, 99), min_size=3, max_size=8), st.data())
def test_a_broken_csv_line_costs_itself_and_no_other(tmp_path: Path, rows: list[int], data: st.DataObject) -> None:
    texts = [f"{n},title {n}" for n in rows]
    broken = data.draw(st.integers(0, len(rows) - 1))
    bad, reason = data.draw(
        st.sampled_from(
            [
                (b'7,"never closed', "broken_csv"),
                (b'7,"closed" and on', "broken_csv"),
                (b"7,8,9", "wrong_number_of_columns"),
                (b"7", "wrong_number_of_columns"),
                (b"7,caf\xe9", "invalid_utf8"),
                (b'"7,8\n', "broken_csv"),
            ]
        )
    )
    content = [text.encode() for text in texts]
    content[broken] = bad.removesuffix(b"\n")
    found = cut(tmp_path / "x", CSV, b"id,title\n" + b"\n".join(content))
    expected = [None if n != broken else reason for n in range(len(rows))]
    assert [(position, damage) for position, _, damage in found] == [(n + 1, damage) for n, damage in enumerate(expected)]
    assert [json.loads(line)["title"] for _, line, damage in found if damage is None] == [
        f"title {n}" for i, n in enumerate(rows) if i != broken
    ]


def test_a_replacement_character_that_the_feed_wrote_is_no_damage(file: Path) -> None:
    for form, text in ((CSV, "id,title\n1,a\ufffdb\n"), (ARRAY, '[{"id": 1, "title": "a\ufffdb"}]'), (LINES, '{"title": "a\ufffdb"}\n')):
        ((_, line, damage),) = cut(file, form, text)
        assert (json.loads(line)["title"], damage) == ("a\ufffdb", None)
    mixed = '[{"id": 1, "title": "\ufffd"}, {"id": 2, "title": "'.encode() + b'\xe9"}]'
    assert [damage for _, _, damage in cut(file, ARRAY, mixed)] == [None, "invalid_utf8"]


def test_a_file_without_its_header_says_so(file: Path) -> None:
    assert cut(file, CSV, "1,a\n2,b\n") == [(0, "1,a", "no_header"), (1, "2,b", "no_header")]
    assert cut(file, CSV, "a remark\n") == [(0, "a remark", "no_header")]
    assert cut(file, CSV, "") == []
    found = cut(file, CSV, "a remark,\n1,a\nid,title\n2,b\n")
    assert found == [(1, "1,a", "no_header"), (3, '{"id": "2", "title": "b"}', None)], "the rows of a file that lost its own header"


def test_a_tab_separated_line_is_taken_as_it_stands(file: Path) -> None:
    found = cut(file, TSV, '1\tthe "best\t2001\r\n\n2\tof\r1\t\n3\tall\n')
    assert [(position, damage) for position, _, damage in found] == [(0, None), (2, None), (3, "wrong_number_of_columns")]
    assert json.loads(found[0][1]) == {"id": "1", "title": 'the "best', "year": "2001"}
    assert json.loads(found[1][1]) == {"id": "2", "title": "of\r1", "year": ""}
    assert found[2][1] == "3\tall"


@pytest.mark.parametrize(("form", "start"), [(LINES, b""), (CSV, b"id,title\n"), (TSV, b"")], ids=lambda value: getattr(value, "kind", ""))
def test_the_mark_some_programs_write_first_is_no_part_of_the_text(file: Path, form: Form, start: bytes) -> None:
    row = {"lines": b'{"id": "1"}', "csv": b"1,a", "tsv": b"1\ta\t2001"}[form.kind]
    ((position, line, damage),) = cut(file, form, b"\xef\xbb\xbf" + start + row)
    assert (position, json.loads(line)["id"], damage) == (start.count(b"\n"), "1", None)


@FAST
@given(st.fixed_dictionaries({"title": WORDS, "more": st.lists(st.dictionaries(WORDS, WORDS, max_size=2), max_size=2)}), st.booleans())
def test_a_line_whose_object_something_follows_is_damaged_and_no_other(tmp_path: Path, row: dict[str, Any], beside_a_bad_one: bool) -> None:
    """Spark reads the first of two records that lost their line break, and says nothing; braces within the object are no end."""
    whole = json.dumps(row)
    after = [whole + blank + rest for blank in ("", " ", "\t", "  ") for rest in (whole, "x}", "x", '"x": 1}', "[1]")]
    bad = [b"\xff"] if beside_a_bad_one else []  # then the block is cut line by line
    found = cut(tmp_path / "f", LINES, b"\n".join([*bad, *(line.encode() for line in (whole, *after))]))
    assert [damage for _, line, damage in found if line in (whole, *after)] == [None] + ["broken_json"] * len(after)


@pytest.mark.parametrize("size", [LIMIT + 1, CHUNK + 5, 2 * CHUNK + LIMIT])
def test_a_line_that_is_too_long_costs_itself_and_shows_its_beginning(file: Path, size: int) -> None:
    found = cut(file, LINES, b'{"id": 0}\n' + b"x" * size + b'\n\n{"id": 3}')
    assert found == [(0, '{"id": 0}', None), (1, "x" * HEAD, "oversized_row"), (3, '{"id": 3}', None)]
    found = cut(file, TSV, b"0\ta\t1\n" + b"x" * size + b"\n\n3\tb\t1")
    assert [(position, damage) for position, _, damage in found] == [(0, None), (1, "oversized_row"), (3, None)]
    found = cut(file, LINES, b'{"id": 0}\n' + b"x" * size)
    assert found == [(0, '{"id": 0}', None), (1, "x" * HEAD, "oversized_row")]


@FAST
@given(st.data())
def test_a_cut_gzip_gives_its_complete_lines_and_one_damaged(tmp_path: Path, data: st.DataObject) -> None:
    content = "".join(f'{{"id": {n}, "title": "é{n * n}"}}\n' for n in range(200)).encode()
    packed = gzip.compress(content, mtime=0)
    end = data.draw(st.integers(11, len(packed) - 1))
    readable = zlib.decompressobj(31).decompress(packed[:end])
    found = cut(tmp_path / "x.gz", LINES, packed[:end])
    *whole, rest = readable.split(b"\n")
    assert [line.encode() for _, line, damage in found if damage is None] == whole
    assert found[-1] == (len(whole), rest.decode("utf-8", "replace"), "truncated_file")
    assert cut(tmp_path / "x.gz", LINES, packed) == [(n, line.decode(), None) for n, line in enumerate(content.split(b"\n")[:-1])]


def test_gzip_files_put_together_are_one_file(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"id": 1}\n') + gzip.compress(b'{"id": 2}\n') + b"\0" * 100
    assert [line for _, line, _ in cut(tmp_path / "x.GZ", LINES, packed)] == ['{"id": 1}', '{"id": 2}']


def test_a_broken_parquet_file_is_told(file: Path) -> None:
    pq.write_table(pa.table({"id": list(range(20_000))}), file)
    whole = file.read_bytes()
    assert len(cut(file, Form("*", "parquet"), whole)) == 20_000
    damaged = whole[:100] + b"\0" * 5_000 + whole[5_100:]
    for content in (whole[:-10], damaged, b"PAR1"):
        found = cut(file, Form("*", "parquet"), content)
        assert found[-1][2] == "broken_file"


@FAST
@given(
    st.binary(max_size=200), st.sampled_from(sorted(SOURCES)), st.sampled_from(["a.json", "a.csv", "a.tsv", "plays-1.jsonl", "a.parquet"])
)
def test_any_beginning_is_judged_without_a_crash(content: bytes, source: str, name: str) -> None:
    form = SOURCES[source].form(name, content.decode("utf-8", "replace"))
    assert form is None or form in SOURCES[source].forms
