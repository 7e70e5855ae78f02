"""What a source is, as plain values: which files it takes, how they are laid out, and what their records say for which table.

SQL in these values speaks of the record as `r` (`r.started_at`); parsing, masking, pseudonyms and duplicates are the same
for every source and live elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from validation.contract import Table

FIELD = re.compile(r"\br\.(\w+)")


class Layout(StrEnum):
    """How records lie in a file, and so what a position counts."""

    LINES = "lines"  # one JSON object a line
    ELEMENTS = "elements"  # one JSON array, or an object whose `payload` is one
    CSV = "csv"  # comma-separated with a header, which comments may precede
    TSV = "tsv"  # tab-separated without header or quoting
    PARQUET = "parquet"


@dataclass(frozen=True)
class Moment:
    """A time: `text` is what the feed wrote, `sql` the timestamp it stands for, null where it is none."""

    text: str
    sql: str


@dataclass(frozen=True)
class Refusal:
    """A reason to refuse a record; `when` is an SQL predicate over the record and the table's columns."""

    reason: str
    when: str


@dataclass(frozen=True)
class Feed:
    """What the records of a form say for one table.

    `columns` maps the table's columns to SQL over the record; those it leaves out are null or common to all feeds.
    `key` is the feed's own key of an event; it may name `listener_id`, which stands there for the raw id. `rows` picks the
    records that are meant for the table. Without an `arrival`, a row is known `delay_s` seconds after its event. A feed
    that `foretells` speaks of times to come. `modal` columns take the most frequent value among rows of one key.
    """

    table: Table
    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    listener: str | None = None
    event: Moment | None = None
    arrival: Moment | None = None
    delay_s: int = 0
    rows: str = "true"
    refusals: tuple[Refusal, ...] = ()
    modal: tuple[str, ...] = ()
    foretells: bool = False

    def expressions(self) -> Iterator[str]:
        """Yield all SQL that speaks of the record."""
        yield from (*self.columns.values(), *self.key, self.rows, self.listener or "")
        for moment in (self.event, self.arrival):
            if moment:
                yield from (moment.text, moment.sql)
        yield from (refusal.when for refusal in self.refusals)


@dataclass(frozen=True)
class Form:
    """One kind of file: `named` matches the names it has, `sniff` looks at its first bytes (decompressed).

    `record` maps the fields that are read to their Spark types. `personal` fields are masked wherever a refused record is
    kept. `header` lists, for CSV, the columns that the header has at least. `user_in` names the field that says whose
    listening it is, None where a file never does, "" where every record does or nobody is concerned.
    """

    name: str
    layout: Layout
    record: Mapping[str, str]
    feeds: tuple[Feed, ...]
    named: re.Pattern[str]
    sniff: Callable[[bytes], bool]
    personal: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    user_in: str | None = ""

    def takes(self, name: str, head: bytes) -> bool:
        """Say whether a file of this name and beginning is of this form."""
        return bool(self.named.search(name)) and self.sniff(head)

    def fields(self, expressions: Iterator[str]) -> dict[str, str]:
        """Return the part of the record that these expressions speak of; a field that the record lacks raises `KeyError`."""
        used = {name for text in expressions for name in FIELD.findall(text)}
        return {name: self.record[name] for name in sorted(used)}


@dataclass(frozen=True)
class Source:
    """A source adapter. One that `states_consent` brings listeners' own statements, so that none are made from a basis."""

    name: str
    forms: tuple[Form, ...]
    states_consent: bool = False
    tables: tuple[Table, ...] = field(init=False)

    def __post_init__(self) -> None:
        found = {feed.table.name: feed.table for form in self.forms for feed in form.feeds}
        object.__setattr__(self, "tables", tuple(found.values()))

    def form_of(self, name: str, head: bytes) -> Form | None:
        """Return the form of a file, None where this source does not take it."""
        return next((form for form in self.forms if form.takes(name, head)), None)


def anything(_: bytes) -> bool:
    """Take a file by its name alone."""
    return True


def mentions(*words: bytes) -> Callable[[bytes], bool]:
    """Return a sniffer for files whose beginning holds all these words."""

    def sniff(head: bytes) -> bool:
        return all(word in head for word in words)

    return sniff
