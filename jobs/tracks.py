"""silver.tracks: one (feed, native key and names) heard or acted on that date, with the track it stands for.

spark-submit jobs/tracks.py --date 2026-11-01 --lake ./build/lake

A feed's track is looked up in the catalogues by exact id, then ISRC, then MusicBrainz id, then normalised artist and
title; the first that matches wins. What is found nowhere keeps an id of its own and null attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.contracts.events import FEEDBACK, PLAYS, TRACK_KEYS, TRACKS
from jobs.contracts.silver import ATTRIBUTES, LOOKUP, SILVER_TRACKS
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

KEYS = tuple(column.name for column in TRACK_KEYS)
FACTS = ("artist_name", "track_name", *(column.name for column in ATTRIBUTES))
# Letters with accents, and what each is spelt as without; both strings have the same length.
ACCENTED = "áàâãäåāăąçćčďđéèêëēėęěğíìîïīįıłñńňóòôõöøōőŕřśşšșťţțúùûüūůűųýÿžźż"
PLAIN = "aaaaaaaaacccddeeeeeeeegiiiiiiilnnnoooooooorrsssstttuuuuuuuuyyzzz"
KINDS = ("exact", "isrc", "mbid", "name")  # in order of trust


def name_of(column: str) -> str:
    """Return SQL that reduces a name to what two spellings share: case, accents, brackets, guests and punctuation go."""
    plain = f"translate(lower({column}), '{ACCENTED}', '{PLAIN}')"
    short = rf"regexp_replace({plain}, '\\(.*?\\)|\\[.*?\\]|\\s(feat|ft|featuring)\\.?\\s.*|\\s-\\s.*(remaster|version).*', '')"
    letters = rf"regexp_replace({short}, '[^\\p{{L}}\\p{{N}}]+', '')"
    return f"coalesce(nullif({letters}, ''), lower({column}))"


ARTIST, TITLE = name_of("artist_name"), name_of("track_name")
CLUES = {
    # Spotify's own exports spell its ids as URIs.
    "exact": "regexp_extract(native_key, '([^:]+)$', 1)",
    "isrc": "upper(isrc)",
    "mbid": "lower(mbid)",
    "name": f"concat_ws('|', {ARTIST}, {TITLE})",
}
OWN = f"md5(coalesce('name|' || {ARTIST} || '|' || {TITLE}, concat_ws('|', 'key', feed, native_key, artist_name, track_name)))"


def tracks(plays: DataFrame, feedback: DataFrame, catalogue: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Resolve every track heard or acted on; what several dates share is resolved once."""
    keys = ("feed", *KEYS)
    # Empty text says as little as none: spelt alike, both are one key.
    spelt = [F.nullif(F.col(name), F.lit("")).alias(name) for name in KEYS]
    daily = [frame.where(F.col("date").isin(*dates)).select("date", "feed", *spelt).distinct() for frame in (plays, feedback)]
    heard = daily[0].unionByName(daily[1]).distinct()
    found = resolved(heard.select(*keys).distinct(), catalogue)
    return heard.select("date", "feed", F.expr(LOOKUP).alias("lookup")).join(found, ["feed", "lookup"], "inner")


def resolved(keys: DataFrame, catalogue: DataFrame) -> DataFrame:
    """Return the track that each distinct key of a feed stands for."""
    named = keys.select("*", F.expr(LOOKUP).alias("lookup"), F.expr(OWN).alias("own"), F.expr(f"md5({ARTIST})").alias("own_artist"))
    asked = named.select("feed", "lookup", F.explode(F.expr(_clues())).alias("clue"))
    best = (
        asked.join(known(catalogue), "clue", "inner")
        .groupBy("feed", "lookup")
        .agg(F.min_by("track", F.col("clue.rank")).alias("track"), F.min("clue.rank").alias("rank"))
    )
    joined = named.join(best, ["feed", "lookup"], "left")
    # Not element_at: of an array without nulls it takes a null index for the last one (Spark 4.2).
    cases = " ".join(f"WHEN {rank} THEN '{kind}'" for rank, kind in enumerate(KINDS))
    matched = F.expr(f"CASE rank {cases} ELSE 'none' END")
    facts = [F.coalesce(F.col(f"track.{name}"), F.col(name)).alias(name) for name in ("artist_name", "track_name")]
    attributes = [F.col(f"track.{column.name}").alias(column.name) for column in ATTRIBUTES]
    return joined.select(
        "feed",
        "lookup",
        F.coalesce("track.track_id", "own").alias("track_id"),
        F.coalesce("track.artist_id", "own_artist", "own").alias("artist_id"),
        matched.alias("matched_by"),
        *facts,
        *attributes,
    )


def known(catalogue: DataFrame) -> DataFrame:
    """Return one track a clue; where several share a clue, the smallest id decides."""
    track_id = "md5(concat_ws('|', 'track', feed, native_key)) AS track_id"
    facts = catalogue.select(
        F.expr(_clues()).alias("clues"),
        F.struct("feed", "native_key").alias("order"),
        F.struct(F.expr(track_id), F.expr(f"md5({ARTIST}) AS artist_id"), *FACTS).alias("track"),
    )
    each = facts.select(F.explode("clues").alias("clue"), "order", "track")
    return each.groupBy("clue").agg(F.min_by("track", "order").alias("track"))


def _clues() -> str:
    structs = ", ".join(f"named_struct('rank', {rank}, 'value', {CLUES[kind]})" for rank, kind in enumerate(KINDS))
    return f"filter(array({structs}), c -> c.value IS NOT NULL AND c.value <> '')"


JOB = Job((Read(PLAYS), Read(FEEDBACK), Read(TRACKS)), SILVER_TRACKS, tracks)

if __name__ == "__main__":
    main(JOB)
