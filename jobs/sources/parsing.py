"""From records to rows: one SQL expression tree per feed, with the reason where a row has to be refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from jobs.sources.moments import DAY, EARLIEST
from jobs.sources.pseudonym import pseudonym, with_pseudonym

if TYPE_CHECKING:
    from datetime import datetime

    from pyspark.sql import Column, DataFrame

    from jobs.sources.source import Feed

PAYLOAD = 2_000


@dataclass(frozen=True)
class Taking:
    """What reading a feed depends on besides its files: source, key of pseudonyms, clock, and whose it is if it does not say."""

    source: str
    key: bytes
    clock: datetime
    user: str | None = None


OPTIONS = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "corrupt", "allowNonNumericNumbers": "false"}
# Of a time without its day Spark makes a moment of today.
NO_MOMENT = rf'"{{}}"\s*:\s*"(?!{DAY.replace("{", "{{").replace("}", "}}")}[T ][0-9])'
NAN = r"[:\[,]\s*-?(NaN|Infinity)"

FORECAST, FAST = timedelta(days=366), timedelta(days=1)


def parse(records: DataFrame, feed: Feed, taking: Taking) -> DataFrame:
    """Return a row a record of the feed: the table's columns, `reason` (null for a good row) and `payload` (of bad ones)."""
    struct = F.from_json("line", f"{feed.record}, corrupt STRING", OPTIONS).alias("r")
    read = records.select("file", "position", "line", "damage", struct)
    mine = read.select("file", "position", "line", "damage", "r.*").where(_mine(feed))
    fields = {name: F.expr(sql).alias(name) for name, sql in feed.columns.items()}
    raw = [_listener(feed).alias("listener")] if feed.listener else []
    bad = _reason(feed, named=taking.user is not None).alias("reason")
    parts = [F.expr(sql).alias(f"key{n}") for n, sql in enumerate(_own(feed))]
    named = mine.select("file", "position", "line", *raw, *fields.values(), bad, *parts)
    known = _identified(named, taking) if feed.listener else named
    stamped = known.select("*", *_stamps(feed, taking))
    return stamped.withColumn("reason", F.coalesce("reason", _late_reason(feed, taking.clock))).select(
        *feed.table.names,
        "reason",
        F.when(F.col("reason").isNotNull(), _payload(feed)).alias("payload"),
    )


def keys(records: DataFrame, feed: Feed, taking: Taking) -> DataFrame:
    """Return the key of every record that has one, and its date; reads only the fields that these need."""
    wanted = [name for name in feed.table.key if name in feed.columns]
    times = ["event_ts"] if "event_ts" in feed.columns else []
    used = " ".join((*feed.key, feed.listener if "listener_id" in feed.key else "", *(feed.columns[name] for name in (*wanted, *times))))
    fields = [one for one in _fields(feed) if re.search(rf"\b{one.name}\b", used)]
    struct = F.from_json("line", StructType(fields), {"allowNonNumericNumbers": "false"}).alias("r")
    read = records.where("damage IS NULL").select(struct).select("r.*")
    raw = [_listener(feed).alias("listener")] if "listener_id" in feed.key else []
    parts = [F.expr(sql).alias(f"key{n}") for n, sql in enumerate(_own(feed))]
    own = [F.expr(feed.columns[name]).alias(name) for name in dict.fromkeys((*wanted, *times))]
    named = read.select(*raw, *parts, *own)
    known = _identified(named, taking) if raw else named
    stamps = {"date": F.to_date("event_ts") if times else F.lit(None).cast("date")} | _ids(feed, taking.source)
    return known.select("*", *(column.alias(name) for name, column in stamps.items())).select("date", *feed.table.key)


def tells_date(feed: Feed) -> bool:
    """Say whether the moment of an event is made of its key alone: then none comes again with another date."""
    if "event_ts" in feed.table.key:
        return True
    rest = feed.columns["event_ts"]
    for part in sorted(feed.key, key=len, reverse=True):
        rest = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", "", rest)
    return not any(re.search(rf"\b{one.name}\b", rest) for one in _fields(feed))


def _identified(frame: DataFrame, taking: Taking) -> DataFrame:
    """Replace the raw id by its pseudonym; rows that name nobody are the given user's."""
    known = with_pseudonym(frame, taking.key, taking.source)
    if taking.user is None:
        return known
    owner = F.lit(pseudonym(taking.key, taking.source, taking.user))
    return known.withColumn("listener_id", F.coalesce("listener_id", owner))


def _mine(feed: Feed) -> str:
    if not feed.unreadable:
        return f"damage IS NULL AND ({feed.where})"
    # Where the record does not say whose it is, it is told here, not passed over.
    return f"damage IS NOT NULL OR coalesce({feed.where}, true)"


def _listener(feed: Feed) -> Column:
    return F.expr(f"nullif(trim(CAST({feed.listener} AS STRING)), '')")


def _fields(feed: Feed) -> list[StructField]:
    schema = StructType.fromDDL(feed.record)
    return schema.fields if isinstance(schema, StructType) else []


def _own(feed: Feed) -> list[str]:
    """Return key parts that need the record; the pseudonym is added to them later."""
    return [part for part in feed.key if part != "listener_id"]


def _stamps(feed: Feed, taking: Taking) -> list[Column]:
    """Return the columns that every row gets: feed, date, event id, ingest time."""
    names = feed.table.names
    day = F.to_date("event_ts") if "event_ts" in feed.columns else F.lit(None).cast("date")
    made = {"feed": F.lit(taking.source), "date": day, "ingested_at": F.lit(taking.clock), **_ids(feed, taking.source)}
    return [column.alias(name) for name, column in made.items() if name in names and name not in feed.columns]


def _ids(feed: Feed, source: str) -> dict[str, Column]:
    """Return the event id, where the table has one: a hash of source, table and the feed's key, the raw listener id not among it."""
    if "event_id" not in feed.table.names:
        return {"feed": F.lit(source)}
    parts = [F.coalesce(F.col(f"key{n}").cast("string"), F.lit("")) for n in range(len(_own(feed)))]
    if "listener_id" in feed.key:
        parts.append(F.coalesce("listener_id", F.lit("")))
    whole = F.concat_ws("\x1f", F.lit(source), F.lit(feed.table.name), *parts)
    return {"event_id": F.substring(F.sha2(whole, 256), 1, 32)}


def _reason(feed: Feed, *, named: bool) -> Column:
    """Say why a record cannot become a row; judged on the record itself."""
    broken = F.when(F.col("line").rlike(NAN), "nan").otherwise(F.coalesce(_wrong_type(feed), F.lit("broken_json")))
    reason = F.when(F.col("damage").isNotNull(), F.col("damage")).when(F.col("corrupt").isNotNull(), broken)
    for one in _fields(feed):
        if isinstance(one.dataType, TimestampType):
            reason = reason.when(F.col("line").rlike(NO_MOMENT.format(one.name)), f"wrong_type_{one.name}")
    if feed.listener and not named:
        reason = reason.when(_listener(feed).isNull(), "null_listener")
    for name, condition in feed.checks:
        reason = reason.when(F.expr(condition), name)
    return reason


def _late_reason(feed: Feed, clock: datetime) -> Column:
    """Say what is wrong with a row's times and zone; judged on the columns made of the record."""
    reason = F.when(F.lit(False), "")  # noqa: FBT003
    if "event_ts" in feed.columns:
        event, known = F.col("event_ts"), F.col("known_ts")
        # What happened lies behind, a forecast's hour may lie ahead; a sender's clock may be fast, but not by days.
        happened = "event_id" in feed.table.names
        future = (event > F.lit(clock if happened else clock + FORECAST)) | (known > F.lit(clock + FAST))
        reason = reason.when(event.isNull(), "null_time").when(F.least(event, known) < F.lit(EARLIEST), "past_time")
        reason = reason.when(future | (event > known) if happened else future, "future_time")
    if "time_zone" in feed.columns:
        zones = ", ".join(repr(zone) for zone in sorted(available_timezones()))
        reason = reason.when(F.expr(f"time_zone NOT IN ({zones})"), "unknown_time_zone")
    return reason


def _wrong_type(feed: Feed) -> Column:
    """Name the first field that holds something, but not of its type; null if the text is no JSON object at all."""
    texts = F.from_json("line", "MAP<STRING, STRING>", {"allowNonNumericNumbers": "false"})
    found = F.lit(None).cast("string")
    for one in reversed([one for one in _fields(feed) if not isinstance(one.dataType, StringType)]):
        wrong = F.col(one.name).isNull() & texts[one.name].isNotNull()
        found = F.when(wrong, f"wrong_type_{one.name}").otherwise(found)
    return found


def _payload(feed: Feed) -> Column:
    """Return what a bad record says in the feed's own fields but the identifying ones; unreadable text is told by length and hash."""
    if not feed.identifying:
        return F.substring("line", 1, PAYLOAD)
    # What is named otherwise is left out: a misspelt field may hold the listener.
    shown = ", ".join(repr(one.name) for one in _fields(feed) if one.name not in feed.identifying)
    said = F.expr(f"to_json(map_filter(from_json(line, 'MAP<STRING, STRING>'), (name, value) -> name IN ({shown})))")
    digest = F.concat(F.length("line").cast("string"), F.lit(" characters, sha256 "), F.sha2("line", 256))
    return F.coalesce(F.substring(said, 1, PAYLOAD), digest)
