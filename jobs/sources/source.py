"""What an adapter declares: which files it takes, how they are cut into records, and what a record means in our columns.

A record reaches SQL as one JSON text, whatever the file's form was. `Feed.columns` are SQL over the record's fields.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from validation.contract import Table

FORMS = ("lines", "elements", "csv", "tsv", "parquet")


@dataclass(frozen=True)
class Form:
    """Files of one form: a name pattern, what their first 4 KiB must hold, and how they are cut into records.

    `lines` JSON lines; `elements` of a JSON array, or of the array under `inside`; `csv` with a header line that holds all
    `marks`, or without one (`names` gives it), its cells apart by `delimiter`; `tsv` without one; `parquet`. `marks` are words
    that must occur, `looks` a regular expression that must match. `.gz` may follow any pattern. Upper and lower case are alike
    in file names and headers; fields are called in lower case, and what follows a # in a header is a remark.
    """

    pattern: str
    kind: str
    marks: tuple[str, ...] = ()
    looks: str = ""
    names: tuple[str, ...] = ()
    inside: str = ""
    delimiter: str = ","
    renamed: Mapping[str, str] = field(default_factory=dict)

    def takes(self, name: str, head: str) -> bool:
        """Say whether a file of this name, beginning with `head`, has this form."""
        return fnmatch(name.lower().removesuffix(".gz"), self.pattern) and self._begins(head)

    def heads(self, cells: Collection[str]) -> bool:
        """Say whether these cells are the header of this form."""
        return set(self.marks) <= {_plain(cell) for cell in cells}

    def named(self, cells: Sequence[str]) -> tuple[str, ...]:
        """Return the names that a header of these cells gives to the fields."""
        return tuple(self.renamed.get(_plain(cell), _plain(cell)) for cell in cells)

    def _begins(self, head: str) -> bool:
        if self.kind == "csv" and not self.names:
            return any(self.heads(cells) for cells in csv.reader(head.splitlines(), delimiter=self.delimiter))
        return all(mark in head for mark in self.marks) and re.search(self.looks, head) is not None


def _plain(cell: str) -> str:
    return cell.partition("#")[0].strip().lower()


@dataclass(frozen=True)
class Feed:
    """The records of a source that become rows of one table.

    `record` is the record's schema as DDL; `columns` SQL for the table's columns (`event_ts` and `known_ts` among them);
    `key` SQL that tells one event from another (`listener_id` may be used, the raw id may not); `where` picks the records;
    `listener` SQL for the raw id; `checks` further reasons to refuse a row, as (reason, SQL that is true for a bad one);
    `identifying` the fields that quarantine does not show; `majority` columns in which rows of one key vote;
    `unreadable` says that records which cannot be read count here: of feeds that share their files, one has it.
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
    unreadable: bool = True

    def takes(self, name: str) -> bool:
        """Say whether files of this name carry the feed."""
        return any(fnmatch(PurePath(name).name.lower(), pattern) for pattern in self.files)


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
