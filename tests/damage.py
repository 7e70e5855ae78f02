"""Damage as storage, transport and people do it to files, drawn from a seed; and good files whose records' places are known."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from feeds import ANNA, BERT, EPOCH, HEADER, UTS, at, heard, listen, own, sheet, song, stream, streamed

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

ROWS, FORMS = 8, 15
Says = tuple[tuple[str, datetime | None], ...]
ODD = (
    *(b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xc3", b"\\ud800", b"\\u0000", b"\xe2\x80\xa8", b"\xc2\xa0"),
    *(b'"', b'""', b"'", b"{", b"}", b"[", b"]", b",", b":", b";", b"\\", b"\t", b"\r", b"\r\n", b"\n", b"\n\n", b" "),
    *(b"NaN", b"-Infinity", b"1e999", b"-0", b"null", b"true", b"9" * 400, b"9" * 5000, b'{"a":' * 1200, b"[" * 1200, b"}" * 50),
)
VALUES = (
    *(b"null", b"true", b"[]", b"{}", b"[1, 2]", b'{"a": 1}', b'""', b'" "', b"-1", b"-0", b"1e999", b"-1e999", b"1.5", b"1e-400"),
    *(b"9223372036854775808", b"1" + b"0" * 40, b"NaN", b"Infinity", b'"\\ud800"', b'"\\u0000"', b"[" * 1100 + b"]" * 1100),
    *(b'"2026-11-01"', b'"10:00"', b'"2026-02-30T00:00:00Z"', b'"2026-11-01T25:61:00Z"', b'"+294247-01-10T04:00:54Z"', b'"now"', b"0"),
    *(b'"2026-11-01T10:00:00+99:00"', b'"2026-11-01T10:00:00 Mars/Base"', b"1793606400", b"1793606400000", b"-62135596800001", b"1e300"),
)
VALUE = re.compile(rb'(?<=: )(?:"(?:[^"\\]|\\.)*"|[^,}\s]+)')


@dataclass(frozen=True)
class Whole:
    """A good file: what it is called, its bytes, where each record begins and ends in them, and what it says: title and moment."""

    source: str
    name: str
    content: bytes
    records: tuple[tuple[int, int], ...]
    says: Says = ()

    def untouched(self, start: int, end: int) -> list[int]:
        """Return the records that neither hold nor touch the bytes from start to end."""
        return [n for n, (first, last) in enumerate(self.records) if last < start or first > end]


@dataclass(frozen=True)
class Splice:
    """The bytes of a file from start to end, replaced."""

    start: int
    end: int
    new: bytes

    def of(self, content: bytes) -> bytes:
        """Return the damaged content."""
        return content[: self.start] + self.new + content[self.end :]


def splice(rng: random.Random, content: bytes) -> Splice:
    """Draw one damage of a file."""
    at_ = rng.randrange(len(content))
    return rng.choice((_flip, _cut, _end, _insert, _insert, _value, _value, _join, _repeat, _swap, _double))(rng, content, at_)


def _flip(rng: random.Random, content: bytes, at_: int) -> Splice:
    return Splice(at_, at_ + 1, bytes([content[at_] ^ (1 << rng.randrange(8))]))


def _cut(rng: random.Random, content: bytes, at_: int) -> Splice:
    return Splice(at_, min(len(content), at_ + rng.choice((1, 1, 5, 40, 400))), b"")


def _end(rng: random.Random, content: bytes, at_: int) -> Splice:
    return Splice(at_, len(content), b"")


def _insert(rng: random.Random, content: bytes, at_: int) -> Splice:
    return Splice(at_, at_, rng.choice(ODD) if rng.random() < 0.8 else rng.randbytes(rng.choice((1, 9, 300))))


def _value(rng: random.Random, content: bytes, at_: int) -> Splice:
    found = VALUE.search(content, at_)
    return Splice(*found.span(), rng.choice(VALUES)) if found else _insert(rng, content, at_)


def _join(rng: random.Random, content: bytes, at_: int) -> Splice:
    place = content.find(b"\n", at_)
    return Splice(place, place + 1, rng.choice((b"", b" ", b"\r"))) if place >= 0 else _flip(rng, content, at_)


def _line(content: bytes, at_: int) -> tuple[int, int]:
    end = content.find(b"\n", at_)
    return content.rfind(b"\n", 0, at_) + 1, end + 1 if end >= 0 else len(content)


def _repeat(rng: random.Random, content: bytes, at_: int) -> Splice:
    start, end = _line(content, at_)
    return Splice(end, end, content[start:end])


def _swap(rng: random.Random, content: bytes, at_: int) -> Splice:
    start, middle = _line(content, at_)
    end = _line(content, middle)[1] if middle < len(content) else middle
    return Splice(start, end, content[middle:end] + content[start:middle])


def _double(rng: random.Random, content: bytes, at_: int) -> Splice:
    """Give an object a key that it has already."""
    keys = [found.start() for found in re.finditer(rb'"[A-Za-z_]+": ', content)]
    place = rng.choice(keys) if keys else at_
    return Splice(place, place, content[place : content.find(b": ", place)] + b": " + rng.choice(VALUES) + b", ")


def gunzip(packed: bytes) -> tuple[bytes, str | None]:
    """Unpack byte by byte, as far as it goes; say how it ended. Zeros between members are padding."""
    out, unpacker, inside = b"", zlib.decompressobj(31), False
    for n in range(len(packed)):
        if inside or packed[n]:
            try:
                out, inside = out + unpacker.decompress(packed[n : n + 1]), True
            except zlib.error:
                return out, "broken_gzip"
        if unpacker.eof:
            unpacker, inside = zlib.decompressobj(31), False
    return out, "truncated_file" if inside else None


def wrong_gzip(rng: random.Random, content: bytes) -> bytes:
    """Pack content into a gzip file and damage that."""
    packed = gzip.compress(content, rng.choice((0, 1, 9)), mtime=0)
    place = rng.randrange(len(packed))
    half = len(content) // 2
    return rng.choice(
        (
            packed[:place],
            packed[:place] + rng.randbytes(rng.choice((1, 20))) + packed[place:],
            packed[:place] + bytes([packed[place] ^ (1 << rng.randrange(8))]) + packed[place + 1 :],
            gzip.compress(content[:half], mtime=0) + b"\0" * rng.randrange(99) + gzip.compress(content[half:], mtime=0),
            packed + rng.randbytes(9),
            content,
            b"",
            gzip.compress(packed, mtime=0),
            b"".join(gzip.compress(content[n : n + 1], mtime=0) for n in range(len(content) // 8)),
        )
    )


def moment(number: int) -> datetime:
    """Return the number-th moment of a month."""
    return at(1) if number < 0 else at(1, 8) + timedelta(minutes=7 * number)


def whole_files(first: int = 0, rows: int = ROWS) -> list[Whole]:
    """Return good files of every form; `first` numbers the events, and no two files share one."""
    return [_forms(first + n * rows, rows)[n] for n in range(FORMS)]


def _forms(first: int, rows: int) -> list[Whole]:
    numbers = range(first, first + rows)
    when = {n: moment(n % 2_000) for n in numbers}
    who = {n: ANNA if n % 3 else BERT for n in numbers}
    titles = {n: f"Rez, the {n}\u2028é" for n in numbers}

    def text(row: object) -> bytes:
        return json.dumps(row, ensure_ascii=False).encode()

    streams = [
        text(stream(when[n], 1_000 + n, username=who[n], spotify_track_uri=f"spotify:track:{n}", master_metadata_track_name=titles[n]))
        for n in numbers
    ]
    listens = [text(listen(titles[n], when[n], user_name=who[n])) for n in numbers]
    plays = [text(heard(n, when[n], listener=who[n], title=titles[n], track=f"t{n}")) for n in numbers]
    likes = [text(own("feedback", n, when[n], at=when[n].isoformat(), action="like", track=titles[n], listener=who[n])) for n in numbers]
    songs = [sheet(song(f"t{n}", track_name=titles[n])).rstrip(b"\n") for n in numbers]
    pages = [text(streamed(when[n], who[n], n, song=titles[n])) for n in numbers]
    seconds = {n: int(when[n].timestamp()) for n in numbers}
    history = ["\t".join((who[n], f"{when[n]:%Y-%m-%dT%H:%M:%SZ}", "", "Underworld", "", titles[n])).encode() for n in numbers]
    recent = [sheet((seconds[n], "", "Oasis", "", "", "", titles[n], "")).rstrip(b"\n") for n in numbers]
    semis = [f'"Oasis";"";"";"{titles[n]}";"{EPOCH + n * 1000}"'.encode() for n in numbers]
    bare = [f'Oasis,Heathen,"{titles[n]}","{when[n]:%d %b %Y %H:%M}"'.encode() for n in numbers]
    scrobbles = [text({"track": titles[n], "artist": "Blur", "album": "", "date": seconds[n] * 1000}) for n in numbers]
    told = tuple((titles[n], when[n]) for n in numbers)
    begun = tuple((titles[n], when[n] - timedelta(milliseconds=1_000 + n)) for n in numbers)
    counted = tuple((titles[n], datetime.fromtimestamp(EPOCH // 1000 + n, UTC)) for n in numbers)
    timeless = tuple((titles[n], None) for n in numbers)
    return [
        _made("native", f"plays-{first}.jsonl", plays, end=b"\n", says=told),
        _made("native", f"feedback-{first}.jsonl", likes, says=told),
        _made("native", f"songs-{first}.csv", songs, sheet(HEADER), end=b"\n", says=timeless),
        _made("eventsim", f"log-{first}.json", pages, end=b"\n", says=told),
        _made("eventsim", f"all-{first}.json", pages, b"[", b", ", b"]", says=told),
        _made("listenbrainz", f"import-{first}.json", listens, b'{"listen_type": "import", "payload": [', b",\n", b"]}", says=told),
        _made("listenbrainz", f"export-{first}.jsonl", listens, end=b"\n", says=told),
        _made("listenbrainz", f"objects-{first}.json", listens, says=told),
        _made("lastfm", f"history-{first}.tsv", history, end=b"\n", says=told),
        _made("lastfm", f"recent-{first}.csv", recent, sheet(UTS), end=b"\n", says=told),
        _made("lastfm", f"stats-{first}.csv", semis, b"Artist;Album;AlbumId;Track;Date#x\n", end=b"\n", says=counted),
        _made("lastfm", f"bare-{first}.csv", bare, end=b"\n", says=told),
        _made("lastfm", f"stats-{first}.json", scrobbles, b'{"username": "x", "scrobbles": [', b", ", b"]}", says=told),
        _made("spotify", f"endsong_{first}.json", streams, b"[", b",", b"]", says=begun),
        _made("catalogue", f"list-{first}.csv", songs, sheet(HEADER), end=b"\n", says=timeless),
    ]


def _made(  # noqa: PLR0913
    source: str, name: str, rows: list[bytes], start: bytes = b"", between: bytes = b"\n", end: bytes = b"", *, says: Says
) -> Whole:
    places, at_ = [], len(start)
    for row in rows:
        places.append((at_, at_ + len(row)))
        at_ += len(row) + len(between)
    return Whole(source, name, start + between.join(rows) + end, tuple(places), says)


def real_files(folder: Path) -> Iterator[Whole]:
    """Yield real files, the large ones their beginning: nobody here made them."""
    yield _by_lines("eventsim", "events.jsonl", _head(folder / "eventsim/events.jsonl.gz", 60), 0)
    yield _by_lines("catalogue", "songs.csv", _head(folder / "spotify-songs/spotify_songs.csv.gz", 60), 1)
    yield _by_lines("listenbrainz", "listens.jsonl", (folder / "listenbrainz/listenbrainz_listens.jsonl").read_bytes(), 0)
    yield _by_lines("lastfm", "librefm.csv", (folder / "listenbrainz/librefm.csv").read_bytes(), 4)
    for path in sorted((folder / "listenbrainz").glob("spotify_*.json")):
        yield _by_elements("spotify", path)
    yield _by_elements("listenbrainz", folder / "listenbrainz/timescale_listenstore_test_listens.json")


def _head(path: Path, lines: int) -> bytes:
    with gzip.open(path) as file:
        return b"".join(file.readline() for _ in range(lines))


def _by_lines(source: str, name: str, content: bytes, above: int) -> Whole:
    found = [(one.start(), one.end()) for one in re.finditer(rb"[^\n]+", content)]
    return Whole(source, name, content, tuple(found[above:]))


def _by_elements(source: str, path: Path) -> Whole:
    """Find the objects of the document's array by Python's own JSON."""
    raw = path.read_bytes()
    text, places = raw.decode(), []
    at_ = text.index("[") + 1
    while (at_ := text.find("{", at_)) >= 0:
        end = json.JSONDecoder().raw_decode(text, at_)[1]
        places.append((len(text[:at_].encode()), len(text[:end].encode())))
        at_ = end
    return Whole(source, path.name, raw, tuple(places))
