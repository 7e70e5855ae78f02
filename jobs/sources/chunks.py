"""Reads bytes in bounded pieces: whole lines at a time, gzip unpacked, damage told instead of raised."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from jobs.sources.opening import opened
from jobs.sources.records import HEAD, LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jobs.sources.opening import Opened

CHUNK = 8 << 20
PACKED = 64 << 10  # bytes of gzip at a time: what follows a member is copied for every member
GZIP = 16 + zlib.MAX_WBITS
MARK = b"\xef\xbb\xbf"  # with which some programs begin a text file
# Real feeds unpack to 2 to 12 times their size, one song over and over to 80, one line over and over, its time included, to 230.
FOLD = 250
HARMLESS = 64 << 20  # unpacked bytes up to which the fold does not matter
DEFLATE = 1_032  # the most that deflate reaches


class Truncated(Exception):
    """A gzip file ends, or breaks, before its end; all that could be read was read. `damage` says which."""

    def __init__(self, damage: str) -> None:
        super().__init__(damage)
        self.damage = damage


def head(file: Opened) -> str:
    """Return the first 4 KiB of a file as text, as far as it can be read."""
    start = b""
    try:
        for piece in _pieces(file):
            start += piece[:HEAD]
            if len(start) >= HEAD:
                break
    except Truncated:
        pass
    return start.removeprefix(MARK)[:HEAD].decode("utf-8", "replace")


def blocks(file: Opened) -> Iterator[tuple[bytes, str | None]]:
    """Yield runs of complete lines without the last newline; an endless line's head and a cut file's last line, with the damage."""
    carry, over = b"", False
    try:
        for chunk in chunks(file):
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
    except Truncated as cut:
        yield carry, cut.damage
        return
    if carry.strip():
        yield carry, "oversized_row" if over else None


def chunks(file: Opened) -> Iterator[bytes]:
    """Yield a file's content in bounded pieces, unpacked if it is gzip; a cut or broken one raises `Truncated` at its end."""
    gathered = _gathered(_pieces(file))
    yield next(gathered, b"").removeprefix(MARK)
    yield from gathered


def overblown(path: str) -> int | None:
    """Return how many times its size a gzip file unpacks to if that is more than any feed does, as files made to fill memory do."""
    unpacked = 0
    with opened(path) as file:
        if not file.packed or file.size * DEFLATE <= HARMLESS:
            return None
        try:
            for piece in _unpacked(file):
                unpacked += len(piece)
                if unpacked > max(HARMLESS, FOLD * file.seen):
                    return unpacked // file.seen
        except Truncated:
            return None
    return None


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Put small pieces together: a gzip file's members may hold a byte each, and every chunk costs what is carried over to it."""
    kept = bytearray()
    try:
        for piece in pieces:
            kept += piece
            if len(kept) >= CHUNK:
                yield bytes(kept)
                kept.clear()
    except Truncated:
        yield bytes(kept)
        raise
    yield bytes(kept)


def _pieces(file: Opened) -> Iterator[bytes]:
    if file.packed:
        yield from _unpacked(file)
        return
    while piece := file.read(CHUNK):
        yield piece


def _unpacked(file: Opened) -> Iterator[bytes]:
    unpacker, inside = zlib.decompressobj(GZIP), False
    while packed := file.read(PACKED):
        # Zeros between members are padding.
        while packed := packed if inside else packed.lstrip(b"\0"):
            before = unpacker.copy() if inside else zlib.decompressobj(GZIP)
            try:
                piece = unpacker.decompress(packed, CHUNK // 8)
            except zlib.error as error:
                yield from _readable(before, packed)
                raise Truncated("broken_gzip") from error
            yield piece
            packed, inside = unpacker.unconsumed_tail, True
            if unpacker.eof:
                packed, unpacker, inside = unpacker.unused_data, zlib.decompressobj(GZIP), False
    if inside:
        raise Truncated("truncated_file")


def _readable(unpacker: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    """Unpack byte by byte what precedes the damage: zlib keeps to itself what it unpacked in the call that failed."""
    for n in range(len(packed)):
        try:
            yield unpacker.decompress(packed[n : n + 1])
        except zlib.error:
            return
