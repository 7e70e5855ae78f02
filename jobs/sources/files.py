"""Finds the files a source takes: regular files within the given folders, each known by the hash of its bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.sources.reading import head
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jobs.sources.source import Form, Source


@dataclass(frozen=True)
class Taken:
    """A file that the source takes; `name` is all that tables keep of where it lay: no folder, and nobody's name."""

    path: Path
    form: Form
    sha256: str
    name: str


@dataclass(frozen=True)
class Skipped:
    """A file that the source does not take, with the sources that would."""

    name: str
    takers: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Say why in words."""
        return f"{self.name}: skipped{', ' + ' or '.join(self.takers) + ' would take it' if self.takers else ', no source takes it'}"


def find(source: Source, paths: Sequence[str | Path], sources: Mapping[str, Source]) -> tuple[list[Taken], list[Skipped]]:
    """Return the files below `paths` that the source takes, and the others; links within a folder are not followed."""
    taken, skipped = [], []
    for path in _regular(paths):
        start = head(path) if path.suffix.lower() != ".parquet" else ""
        form = source.form(path.name, start)
        if form is not None and any(feed.takes(path.name) for feed in source.feeds):
            digest = _sha256(path)
            taken.append(Taken(path, form, digest, _nameless(path, digest) if source.needs_user else path.name))
        else:
            takers = tuple(name for name, other in sources.items() if other.form(path.name, start) is not None)
            skipped.append(Skipped(path.name, takers))
    if not taken:
        reasons = "; ".join(one.sentence for one in skipped[:5]) or "there is no file"
        raise WrongUse(f"nothing for {source.name} in {', '.join(str(path) for path in paths)}: {reasons}")
    return _apart(taken), skipped


def _apart(taken: list[Taken]) -> list[Taken]:
    """Tell files of one name by their content: exports call a month of every year alike, and folders may be called after listeners."""
    contents: dict[str, set[str]] = {}
    for one in taken:
        contents.setdefault(one.name, set()).add(one.sha256)
    return [replace(one, name=f"{one.name} ({one.sha256[:8]})") if len(contents[one.name]) > 1 else one for one in taken]


def _nameless(path: Path, digest: str) -> str:
    """Name a person's own export by its content: such files are often called after the person."""
    return digest[:12] + "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:])


def _regular(paths: Iterable[str | Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for given in paths:
        path = Path(given)
        if not path.exists():
            raise WrongUse(f"there is no file or folder {str(given)!r}")
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for one in inside:
            hidden = any(part.startswith(".") for part in one.relative_to(path).parts) if path.is_dir() else False
            linked = path.is_dir() and (one.is_symlink() or not one.resolve().is_relative_to(path.resolve()))
            if one.is_file() and not linked and not hidden:
                found[one] = None
    return list(found)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
