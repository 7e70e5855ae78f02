"""The folder of feed files: written by Spark next door, then moved in under the names that the feeds use."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.fs as pafs

from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.lake.address import Address

MAKING = "_making"
MANIFEST = ".world.json"
WRITERS = "spark.sql.maxConcurrentOutputFileWriters"
PART = re.compile(r"feed=(?P<feed>\w+)/day=(?P<day>[\d-]+)/part=(?P<part>\d+)/[^/]+\.gz$")
OWN = re.compile(r"[a-z]+-\d{4}-\d\d-\d\d(-damaged)?-\d+\.(jsonl|csv)\.gz|\.world\.json")
OVERSIZED = 3 * 1024 * 1024


@dataclass(frozen=True)
class Folder:
    """The folder that feed files are delivered to, on this machine or in an object store."""

    address: Address

    def manifest(self) -> dict[str, Any]:
        """Return what the folder says it holds; empty if it holds no world."""
        system, root = self._open()
        name = f"{root}/{MANIFEST}"
        if system.get_file_info(name).type is pafs.FileType.NotFound:
            return {}
        with system.open_input_stream(name) as stream:
            return dict(json.loads(stream.read()))

    def state(self, manifest: dict[str, Any]) -> None:
        """Write down what the folder holds."""
        self._write(MANIFEST, json.dumps(manifest, sort_keys=True).encode())

    def clear(self) -> None:
        """Make the folder ready for a world: an earlier world's files give way, files that are not a world's are refused."""
        system, root = self._open()
        system.create_dir(root, recursive=True)
        names = [info.base_name for info in system.get_file_info(pafs.FileSelector(root)) if info.is_file]
        foreign = [name for name in names if not OWN.fullmatch(name)]
        if foreign or (names and not self.manifest()):
            found = sorted(foreign or names)
            raise WrongUse(f"{self.address.uri} holds {len(found)} files of something else, such as {found[0]}; choose an empty folder")
        for name in names:
            system.delete_file(f"{root}/{name}")
        if system.get_file_info(f"{root}/{MAKING}").type is pafs.FileType.Directory:
            system.delete_dir(f"{root}/{MAKING}")

    def write(self, lines: DataFrame) -> list[str]:
        """Write lines (feed, day, part, lines) to files feed-day-part; return their names."""
        conf = lines.sparkSession.conf
        before = conf.get(WRITERS) or "0"
        # One open file for each feed and day spares Spark a sort of all lines.
        conf.set(WRITERS, "1000")
        try:
            # Level 1 compresses nearly as well here at a third of the cost.
            writer = lines.drop("rows").write.partitionBy("feed", "day", "part")
            writer = writer.option("compression", "gzip").option("zlib.compress.level", "BEST_SPEED")
            writer.text(self.address.spark(MAKING))
        finally:
            conf.set(WRITERS, before)
        return self._move_in()

    def damage(self, day: date, lines: Sequence[str]) -> dict[str, int]:
        """Add two files that cannot be read whole, made of rows delivered before; return what was planted, by kind."""
        whole, cut = [line.encode() + b"\n" for line in lines[:3]], [line.encode() + b"\n" for line in lines[3:6]]
        row = json.loads(lines[0])
        row |= {"play_id": f"{row['play_id']}o", "title": "la " * (OVERSIZED // 3)}
        bad = (
            json.dumps({**json.loads(lines[0]), "play_id": "pu", "title": "@"}, ensure_ascii=False).encode().replace(b"@", b"\xff\xfe\x80")
        )
        self._write(
            f"plays-{day}-damaged-0.jsonl.gz", gzip.compress(b"".join([*whole, json.dumps(row).encode() + b"\n", bad + b"\n"]), 1, mtime=0)
        )
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        start = packer.compress(b"".join(cut)) + packer.flush(zlib.Z_FULL_FLUSH)
        # The line that follows is one long line, so that no reader finds a further complete one before the cut.
        rest = packer.compress(json.dumps({**row, "play_id": "pt"}).encode()) + packer.flush(zlib.Z_FULL_FLUSH)
        self._write(f"plays-{day}-damaged-1.jsonl.gz", start + rest[: len(rest) // 2])
        return {"duplicate": len(whole) + len(cut), "oversized": 1, "invalid_utf8": 1, "truncated": 1}

    def _move_in(self) -> list[str]:
        system, root = self._open()
        names = []
        for info in system.get_file_info(pafs.FileSelector(f"{root}/{MAKING}", recursive=True)):
            if found := PART.search(info.path):
                kind = "csv" if found["feed"] == "tracks" else "jsonl"
                names.append(f"{found['feed']}-{found['day']}-{int(found['part']):03d}.{kind}.gz")
                system.move(info.path, f"{root}/{names[-1]}")
        system.delete_dir(f"{root}/{MAKING}")
        return sorted(names)

    def _write(self, name: str, content: bytes) -> None:
        system, root = self._open()
        with system.open_output_stream(f"{root}/{name}", compression=None) as stream:
            stream.write(content)

    def _open(self) -> tuple[Any, str]:
        system, root = pafs.FileSystem.from_uri(self.address.arrow())
        return system, root
