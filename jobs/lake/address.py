"""Where a lake is: one URI, spelt as each engine wants it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT = "./build/lake"
VARIABLE = "OVERTONE_LAKE"
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?=/)")
GIVE = "give a folder or a URI such as s3://bucket/lake"
# What the user may write -> how Spark (Hadoop) and how delta-rs (object_store) spell it.
SCHEMES = {"file": ("file", "file"), "s3": ("s3a", "s3"), "s3a": ("s3a", "s3"), "gs": ("gs", "gs"), "abfss": ("abfss", "abfss")}


@dataclass(frozen=True)
class Address:
    """The root of a lake as an absolute URI without a trailing slash."""

    uri: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read a URI, or a folder of this machine, which becomes a `file://` URI; what can be neither raises `WrongUse`."""
        if not text.strip():
            raise WrongUse(f"the lake's address is empty; {GIVE}")
        found = SCHEME.match(text)
        if found is None:
            return cls(_checked(text, lambda: Path(text).expanduser().resolve()).as_uri())
        scheme, rest = found[1].lower(), text[found.end() :]
        if scheme not in SCHEMES:
            raise WrongUse(f"lake {text!r}: unknown scheme {scheme!r}; choose from {', '.join(SCHEMES)}")
        if scheme == "file":
            return cls(_checked(text, lambda: Path(unquote(rest.removeprefix("//")))).as_uri())
        if not re.match("//[^/]", rest):
            raise WrongUse(f"lake {text!r} names no bucket; {GIVE}")
        return cls(f"{scheme}:{rest.rstrip('/')}")

    @classmethod
    def choose(cls, option: str | None) -> Address:
        """Return the address named by `--lake`, else by OVERTONE_LAKE, else the default folder."""
        return cls.parse(option if option is not None else os.environ.get(VARIABLE) or DEFAULT)

    @property
    def path(self) -> Path | None:
        """The folder on this machine, or None for an object store."""
        parts = urlsplit(self.uri)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    def spark(self, *parts: str) -> str:
        """Return the URI of something under the lake as Spark spells it; Hadoop takes `%20` in a file's name for what it says."""
        whole = self._join(0, parts)
        return unquote(whole) if self.path else whole

    def arrow(self, *parts: str) -> str:
        """Return the URI of something under the lake as delta-rs and pyarrow spell it."""
        return self._join(1, parts)

    def beside(self, suffix: str) -> Path:
        """Return a path next to a lake on this machine, outside of it; a lake in an object store uses the working folder."""
        here = self.path
        return here.with_name(here.name + suffix) if here else Path.cwd() / f"overtone{suffix}"

    def _join(self, spelling: int, parts: tuple[str, ...]) -> str:
        scheme, rest = self.uri.split("://", 1)
        return "/".join((f"{SCHEMES[scheme][spelling]}://{rest}", *parts))


def _checked(text: str, find: Callable[[], Path]) -> Path:
    """Return the folder that `text` names: it is one, or can be made."""
    try:
        path = find()
        if not path.is_absolute() or not path.name:
            raise WrongUse(f"lake {text!r} names no folder of its own; {GIVE}, as a file URI file:///folder/lake")
        there = next(one for one in (path, *path.parents) if one.exists() or one.is_symlink())
    except (OSError, RuntimeError, ValueError) as error:  # nobody's home, links in a circle, a name that no folder can have
        raise WrongUse(f"lake {text!r}: {getattr(error, 'strerror', None) or error}; {GIVE}") from error
    if not there.is_dir():
        raise WrongUse(f"lake {text!r}: {str(there)!r} is {'a file' if there.exists() else 'a link to nowhere'}; {GIVE}")
    return path


def folder(table_name: str) -> str:
    """Return a table's folder below the lake: `bronze.plays` lies in `bronze/plays`."""
    return table_name.replace(".", "/")
