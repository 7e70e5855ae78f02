"""Cutting damaged files, made and real: nothing crashes, every record is accounted for, and damage costs only what it touches.

`python -m pytest tests/test_damaged_bytes.py --hypothesis-profile=campaign` draws a hundred times as much, anew each time.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
from typing import TYPE_CHECKING

import pytest
from damage import Whole, gunzip, real_files, splice, whole_files, wrong_gzip
from hypothesis import given
from hypothesis import strategies as st

from jobs.sources import SOURCES
from jobs.sources.reading import batches

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.records import Record
    from jobs.sources.source import Form

SEEDS = st.integers(0, 2**48)
FILES = {one.name: one for one in whole_files()}
NAMES = pytest.mark.parametrize("name", FILES)


def cut(path: Path, form: Form, content: bytes) -> list[Record]:
    path.write_bytes(content)
    found: list[Record] = []
    for batch in batches(str(path), "a.file", form, hashlib.sha256(content).hexdigest()):
        found += zip(*(batch.column(name).to_pylist() for name in ("position", "line", "damage")), strict=True)
    return found


def form_of(whole: Whole) -> Form:
    form = SOURCES[whole.source].form(whole.name, whole.content[:4096].decode("utf-8", "replace"))
    assert form is not None
    return form


@NAMES
@given(seed=SEEDS)
def test_damage_costs_only_what_it_touches_and_is_told(name: str, seed: int, tmp_path: Path) -> None:
    check(FILES[name], seed, tmp_path)


@given(seed=SEEDS)
def test_damage_to_real_files_costs_only_what_it_touches_and_is_told(seed: int, tmp_path: Path, real_data: Path) -> None:
    for whole in real_files(real_data):
        check(whole, seed, tmp_path)


def check(whole: Whole, seed: int, folder: Path) -> None:
    form = form_of(whole)
    good = [line for _, line, damage in cut(folder / "good", form, whole.content) if damage is None]
    assert len(good) == len(whole.records), "the file is good"
    one = splice(random.Random(seed), whole.content)
    content = one.of(whole.content)
    found = cut(folder / "damaged", form, content)
    positions = [position for position, _, _ in found]
    assert positions == sorted(set(positions))
    # Of what stands around the elements under a key nothing but the place where they begin is read.
    if not form.inside or (one.end >= whole.records[0][0] and one.start <= whole.records[-1][1]):
        ACCOUNTED[form.kind](content, found, form, len(good))
    quoted = form.kind == "csv" and (b'"' in one.new or b'"' in whole.content[one.start : one.end])
    headless = (form.inside or (form.kind == "csv" and not form.names)) and one.start < whole.records[0][0]
    if not (quoted or headless):  # then cells may go on behind the line, or what the records are is lost with their heading
        kept = iter([line for _, line, damage in found if damage is None])
        assert all(line in kept for line in [good[n] for n in whole.untouched(one.start, one.end)])


def every_line(content: bytes, found: list[Record], form: Form, good: int) -> None:
    """Every line that is not blank is a record at its number."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert [position for position, _, _ in found] == [n for n, line in enumerate(lines) if line.strip()]
    if form.kind == "lines":
        assert all(damage or (line.encode() == lines[n] and not two_in(line)) for n, line, damage in found)


def two_in(line: str) -> bool:
    """Say whether a line holds more than one value: of two records the second would be lost."""
    try:
        return bool(line[json.JSONDecoder().raw_decode(line)[1] :].strip(" \t\r,]"))
    except (ValueError, RecursionError):
        return False


def every_cell(content: bytes, found: list[Record], form: Form, good: int) -> None:
    """Every line below the header is part of a row, or of a damaged one; cells that hold line breaks take several."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    covered = {n for position, line, damage in found for n in range(position, position + 1 + breaks(line, damage))}
    loose = [n for n, line in enumerate(lines) if n not in covered and line.strip(b' \t\r,;"')]
    # What is left is the header and single words above it.
    assert len(loose) <= (0 if form.names else 1) or all(len(list(filter(None, cells(lines[n], form)))) < 3 for n in loose[:-1])
    assert form.names or not loose or loose[-1] <= min((p for p, _, damage in found if damage is None), default=len(lines))


def breaks(line: str, damage: str | None) -> int:
    """Count the line breaks within a row's cells; of a damaged row its beginning alone is kept."""
    try:
        return "".join(json.loads(line).values()).count("\n") if damage in (None, "invalid_utf8") else 0
    except ValueError:
        return 0


def cells(line: bytes, form: Form) -> list[str]:
    return next(csv.reader([line.decode("utf-8", "replace").replace("\r", " ")], delimiter=form.delimiter), [])


def every_element(content: bytes, found: list[Record], form: Form, good: int) -> None:
    """Of a document that is still JSON every element is a record; of one that is not, something is told unless all are there still."""
    try:
        document = json.loads(content.removeprefix(b"\xef\xbb\xbf").decode())
    except (ValueError, RecursionError):
        assert any(damage for _, _, damage in found) or len(found) >= good or b"\n{" in content
        return
    inside = document.get(form.inside) if isinstance(document, dict) else document
    if isinstance(inside, list) and all(isinstance(one, dict) for one in inside):
        assert [json.loads(line) for _, line, damage in found if not damage] == inside


ACCOUNTED = {"lines": every_line, "tsv": every_line, "csv": every_cell, "elements": every_element}


@NAMES
@given(seed=SEEDS)
def test_a_damaged_gzip_gives_all_that_can_be_unpacked(name: str, seed: int, tmp_path: Path) -> None:
    whole = FILES[name]
    form = form_of(whole)
    packed = wrong_gzip(random.Random(seed), whole.content)
    readable, how = gunzip(packed)
    found = cut(tmp_path / "x.gz", form, packed)
    if form.kind in ("lines", "tsv"):
        *lines, rest = readable.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        expected = [n for n, line in enumerate(lines) if line.strip()] + ([len(lines)] if how or rest.strip() else [])
        assert [position for position, _, _ in found] == expected
    if how:
        assert [damage for _, _, damage in found].count(how) == 1
    else:
        assert found == cut(tmp_path / "x", form, readable)
