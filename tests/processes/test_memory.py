"""Cutting a line, a document or a cell of 2 GB takes no more memory than it has to, plain or packed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a program's peak")]
SIZE = 2 << 30
PACK = 1 << 20  # bytes of one member of the gzip file
BELOW = 450 << 20  # bytes that Python, Arrow and pieces of 8 MiB take together
DOCUMENT = 1_300 << 20  # a document is read at once, up to 512 MiB
CHILD = """
import sys
from pathlib import Path
from jobs.sources.reading import batches
from jobs.sources.source import Form
path, kind, sha256 = sys.argv[1:]
form = Form("*", kind, marks=("id", "title"), names=() if kind in ("lines", "csv", "elements") else ("id", "title"))
rows = [row for batch in batches(path, "x", form, sha256) for row in batch.to_pylist()]
# The peak of this program: getrusage would tell that of the test it was forked from, were it larger.
peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print([(row["position"], row["damage"]) for row in rows], int(peak) * 1024)
"""
START = {"lines": b'{"id": 1}\n', "tsv": b"1\ta\n", "csv": b'id,title\n1,a\n2,"', "elements": b'[{"id": 1, "title": 2}, '}
END = {"lines": b'\n{"id": 2}\n', "tsv": b"\n1\ta\n", "csv": b"\n1,a\n", "elements": b"]"}
FOUND = {kind: [(0, None), (1, "oversized_row"), (2, None)] for kind in START} | {
    "csv": [(1, None), (2, "oversized_row"), (3, None)],
    "elements": [(0, "oversized_document")],
}


def plain(path: Path, kind: str) -> None:
    """Write a file of one long line; its middle is a hole that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(START[kind])
        file.seek(SIZE, os.SEEK_CUR)
        file.write(END[kind])


def packed(path: Path, kind: str) -> None:
    """Write the same as gzip: members that unpack to a little less than what is refused."""
    noise = hashlib.shake_256(b"seed").digest(5_000).hex().encode()
    middle = squeezed(noise + b"x" * (PACK - len(noise)))
    with path.open("wb") as file:
        file.write(squeezed(START[kind]))
        for _ in range(SIZE // PACK):
            file.write(middle)
        file.write(squeezed(END[kind]))


def squeezed(piece: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=31)
    return squeezer.compress(piece) + squeezer.flush()


LINES = pytest.param("lines", plain, marks=pytest.mark.every)


@pytest.mark.parametrize(("kind", "write"), [LINES, ("lines", packed), ("csv", packed), ("tsv", plain), ("elements", plain)])
def test_a_line_of_two_gigabytes_costs_itself_and_no_memory(kind: str, write: Callable[[Path, str], None], tmp_path: Path) -> None:
    path = tmp_path / ("x.gz" if write is packed else "x")
    write(path, kind)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    told = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), kind, sha256], capture_output=True, text=True, check=True, timeout=120
    ).stdout.strip()
    path.unlink()
    rows, _, memory = told.rpartition(" ")
    assert rows == str(FOUND[kind])
    assert int(memory) < (DOCUMENT if kind == "elements" else BELOW)
