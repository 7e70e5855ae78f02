"""Reads bytes in bounded pieces: whole lines at a time, gzip unpacked, damage told instead of raised."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

from jobs.sources.records import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 8 << 20
GZIP = 16 + zlib.MAX_WBITS
MARK = b"\xef\xbb\xbf"  # with which some programs begin a text file


class Truncated(Exception):
    """A gzip file ends, or breaks, before its end; all that could be read was read."""


def blocks(path: str) -> Iterator[tuple[bytes, str | None]]:
    """Yield runs of complete lines without the last newline; an endless line's head and a cut file's last line, with the damage."""
    carry, over = b"", False
    try:
        for chunk in chunks(path):
            block, newline, rest = (carry + chunk).rpartition(b"\n")
            if over and newline:
                # The end of a line of which only the head was kept.
                first, more, block = block.partition(b"\n")
                yield first[: LIMIT + 1], "oversized_row"
                over = False
                if more:
                    yield block, None
            elif newline:
                yield block, None
            carry = rest
            if len(carry) > CHUNK:
                carry, over = carry[: LIMIT + 1], True
    except Truncated:
        yield carry, "truncated_file"
        return
    if carry.strip():
        yield carry, "oversized_row" if over else None


def chunks(path: str) -> Iterator[bytes]:
    """Yield a file's content in bounded pieces, unpacked if it is gzip; a cut or broken one raises `Truncated` at its end."""
    pieces = _pieces(path)
    yield next(pieces, b"").removeprefix(MARK)
    yield from pieces


def _pieces(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        if path.lower().endswith(".gz"):
            yield from _unpacked(file, path)
            return
        while piece := file.read(CHUNK):
            yield piece


def _unpacked(file: IO[bytes], path: str) -> Iterator[bytes]:
    unpacker, inside = zlib.decompressobj(GZIP), False
    while packed := file.read(CHUNK // 8):
        while packed:
            try:
                piece = unpacker.decompress(packed, CHUNK)
            except zlib.error as error:
                raise Truncated(path) from error
            yield piece
            packed, inside = unpacker.unconsumed_tail, True
            if unpacker.eof:
                packed, unpacker, inside = unpacker.unused_data.lstrip(b"\0"), zlib.decompressobj(GZIP), False
    if inside:
        raise Truncated(path)
