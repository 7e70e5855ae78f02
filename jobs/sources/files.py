"""Finds the files a source takes: regular files within the given folders, each known by the hash of its bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.sources.chunks import head
from jobs.sources.opening import opened_below
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jobs.sources.source import Form, Source

TASK = 4 << 20  # bytes of small files that one task reads: a task a file would cost more than reading it


@dataclass(frozen=True)
class Taken:
    """A file that the source takes; `name` is all that tables keep of where it lay: no folder, and nobody's name."""

    path: Path
    form: Form
    sha256: str
    name: str
    size: int


@dataclass(frozen=True)
class Skipped:
    """A file that the source does not take, with the sources that would, or why none can."""

    name: str
    takers: tuple[str, ...] = ()
    why: str = ""

    @property
    def sentence(self) -> str:
        """Say why in words."""
        return f"{self.name}: skipped, {self.why or (' or '.join(self.takers) + ' would take it' if self.takers else 'no source takes it')}"


@dataclass(frozen=True)
class Found:
    """Something that lies at, or below, a given path; `why` says why it is no file to be read."""

    root: Path
    path: Path
    name: str
    why: str = ""


def find(source: Source, paths: Sequence[str | Path], sources: Mapping[str, Source]) -> tuple[list[Taken], list[Skipped]]:
    """Return the files below `paths` that the source takes, and the others; links within a folder are not followed."""
    found = dict.fromkeys(one for given in paths for one in _found(given))
    judged = [Skipped(_written(one.name), why=one.why) if one.why else _judged(one, source, sources) for one in found]
    taken, skipped = [one for one in judged if isinstance(one, Taken)], [one for one in judged if isinstance(one, Skipped)]
    if not taken:
        reasons = "; ".join(one.sentence for one in skipped[:5]) or "there is no file"
        raise WrongUse(f"nothing for {source.name} in {', '.join(str(path) for path in paths)}: {reasons}")
    return _apart(taken), skipped


def _judged(one: Found, source: Source, sources: Mapping[str, Source]) -> Taken | Skipped:
    name = _written(one.name)
    try:
        with opened_below(one.root, one.path) as file:
            start = head(file) if one.path.suffix.lower() != ".parquet" else ""
            form = source.form(one.name, start)
            if form is not None and any(feed.takes(one.name) for feed in source.feeds):
                digest = file.sha256()
                return Taken(one.path, form, digest, _nameless(one.name, digest) if source.needs_user else name, file.seen)
            broken = file.packed and file.size and not start
    except OSError as error:
        raise WrongUse(f"{str(one.path)!r} cannot be read: {error.strerror}; nothing was taken in") from error
    takers = tuple(name for name, other in sources.items() if other.form(one.name, start) is not None)
    return Skipped(name, takers, "it is called .gz, but holds no gzip" if broken else "")


def _apart(taken: list[Taken]) -> list[Taken]:
    """Tell files of one name by their content: exports call a month of every year alike, and folders may be called after listeners."""
    contents: dict[str, set[str]] = {}
    for one in taken:
        contents.setdefault(one.name, set()).add(one.sha256)
    return [replace(one, name=f"{one.name} ({one.sha256[:8]})") if len(contents[one.name]) > 1 else one for one in taken]


def _nameless(name: str, digest: str) -> str:
    """Name a person's own export by its content: such files are often called after the person."""
    suffixes = Path(name).suffixes
    return digest[:12] + "".join(suffixes[-2:] if name.lower().endswith(".gz") else suffixes[-1:])


def _written(name: str) -> str:
    """Return a file's name as it can be written anywhere: what is no text, or would break a line, by its number."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _found(given: str | Path) -> Iterator[Found]:
    """Yield the file, or what lies in the folder, in order; what is named may be a link, what lies below it may not."""
    try:
        root = Path(given).resolve(strict=True)
    except FileNotFoundError as error:
        raise WrongUse(f"there is no file or folder {str(given)!r}") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise WrongUse(f"{str(given)!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if root.is_dir():
        yield from _inside(root, root)
    else:
        yield Found(root.parent, root, Path(given).name, "" if root.is_file() else "it is no regular file")


def _inside(root: Path, folder: Path) -> Iterator[Found]:
    try:
        with os.scandir(folder) as entries:
            listed: Iterable[os.DirEntry[str]] = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise WrongUse(f"folder {str(folder)!r} cannot be listed: {error.strerror}; nothing was taken in") from error
    for entry in listed:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _inside(root, path)
        elif entry.is_symlink():
            yield Found(root, path, entry.name, "links within a folder are not followed")
        else:
            yield Found(root, path, entry.name, "" if entry.is_file(follow_symlinks=False) else "it is no regular file")


def packed(files: Sequence[Taken]) -> list[list[Taken]]:
    """Put neighbours by name together up to `TASK` bytes; the largest parts, which take longest, come first."""
    parts: list[tuple[int, list[Taken]]] = []
    for one in sorted(files, key=lambda one: one.name):
        if parts and parts[-1][0] + one.size <= TASK:
            parts[-1] = (parts[-1][0] + one.size, [*parts[-1][1], one])
        else:
            parts.append((one.size, [one]))
    return [part for _, part in sorted(parts, key=lambda part: -part[0])]
