"""What an adapter declares: which files it takes, how they are cut into records, and what a record means in our columns.

A record reaches SQL as one JSON text, whatever the file's form was. `Feed.columns` are SQL over the record's fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from validation.contract import Table

FORMS = ("lines", "elements", "csv", "tsv", "parquet")


@dataclass(frozen=True)
class Form:
    """Files of one form: a name pattern, words their first 4 KiB must hold, and how they are cut into records.

    `lines` JSON lines; `elements` of a JSON array, or of the array under `inside`; `csv` with a header line; `tsv`
    without one (`names` gives it); `parquet`. `.gz` may follow any pattern. `skip` header lines stand before a csv's own.
    """

    pattern: str
    kind: str
    marks: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    inside: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)

    def takes(self, name: str, head: str) -> bool:
        """Say whether a file of this name, beginning with `head`, has this form."""
        bare = name[:-3] if name.endswith(".gz") else name
        return fnmatch(bare, self.pattern) and all(mark in head for mark in self.marks)


@dataclass(frozen=True)
class Feed:
    """The records of a source that become rows of one table.

    `record` is the record's schema as DDL; `columns` SQL for the table's columns (`event_ts` and `known_ts` among them);
    `key` SQL that tells one event from another (`listener_id` may be used, the raw id may not); `where` picks the records;
    `listener` SQL for the raw id; `checks` further reasons to refuse a row, as (reason, SQL that is true for a bad one);
    `identifying` the fields whose values are masked in quarantine; `majority` columns in which rows of one key vote.
    """

    table: Table
    record: str
    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    where: str = "true"
    listener: str = ""
    files: tuple[str, ...] = ("*",)
    checks: tuple[tuple[str, str], ...] = ()
    identifying: tuple[str, ...] = ()
    majority: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Say whether files of this name carry the feed."""
        return any(fnmatch(PurePath(name).name, pattern) for pattern in self.files)


@dataclass(frozen=True)
class Source:
    """An adapter: the forms of file it takes and the feeds they carry."""

    name: str
    meaning: str
    forms: tuple[Form, ...]
    feeds: tuple[Feed, ...]
    needs_user: bool = False  # the files do not say whose listening it is
    states_consent: bool = False  # the feed brings listeners' own statements

    def form(self, name: str, head: str) -> Form | None:
        """Return the form of a file, or None if the adapter does not take it."""
        return next((form for form in self.forms if form.takes(name, head)), None)
