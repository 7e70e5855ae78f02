"""Every measure and every feature: analysed on empty typed frames, named as promised, made of measures that exist."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from operator import attrgetter
from typing import TYPE_CHECKING

import pytest
from batches import batch
from pyspark.errors import AnalysisException
from small_lake import one

from jobs.aggregate import daily, items
from jobs.contracts.derived import USER_DAYS, USER_FEATURES
from jobs.contracts.events import AD_EVENTS, FEEDBACK
from jobs.contracts.silver import LISTENS, SESSIONS
from jobs.features import DISTINCTS, MEASURES, USER
from jobs.features.feature import TERM, WINDOWS, Distinct, Feature, windowed
from jobs.features.rhythm import PACKED
from jobs.windows import windows
from validation.contract import IDENTIFIER, ContractError, Purpose

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from jobs.features.feature import Measure

pytestmark = pytest.mark.spark
TABLES = {"listens": LISTENS, "sessions": SESSIONS, "feedback": FEEDBACK, "ad_events": AD_EVENTS}
COUNTED = [m for m in MEASURES if m.of != "dates"]
BY_NAME = {m.name: m for m in MEASURES}
LISTED = {d.name for d in DISTINCTS}
DATES = (date(2026, 11, 1), date(2026, 11, 2))
every_measure = pytest.mark.parametrize("measure", MEASURES, ids=attrgetter("name"))
every_feature = pytest.mark.parametrize("feature", USER, ids=attrgetter("name"))


@pytest.fixture(scope="module")
def empty(spark: SparkSession) -> dict[str, DataFrame]:
    """An empty typed frame of what measures count, and of the days that features are made of."""
    return {of: spark.createDataFrame([], table.ddl) for of, table in {**TABLES, "days": USER_DAYS}.items()}


@pytest.mark.parametrize("measure", COUNTED, ids=attrgetter("name"))
def test_a_measure_counts_in_whole_numbers(measure: Measure, empty: dict[str, DataFrame]) -> None:
    rows = empty[measure.of]
    counted = daily(rows, measure.of, (measure,))
    assert counted.columns == ["date", "listener_id", "known_date", measure.name]
    assert rows.selectExpr(measure.sql).schema[0].dataType.simpleString() in ("bigint", "int"), "sums of fractions drift"
    assert counted.schema[measure.name].dataType.simpleString() == "bigint"


@pytest.mark.parametrize("of", TABLES)
def test_rows_that_say_no_more_than_they_must_are_counted_without_nulls(of: str, spark: SparkSession) -> None:
    counted = daily(batch(spark, TABLES[of], [one(TABLES[of]), one(TABLES[of])]), of, COUNTED).collect()
    assert len(counted) == 1
    found = counted[0].asDict()
    assert all(isinstance(found[m.name], int) for m in COUNTED)
    assert {name for name, n in found.items() if isinstance(n, int) and n} <= {m.name for m in COUNTED if m.of == of}


@every_measure
def test_a_measure_says_what_it_counts_and_serves_a_feature(measure: Measure) -> None:
    assert measure.meaning.strip()
    assert IDENTIFIER.fullmatch(measure.name)
    assert [f.name for f in USER if measure.name in f.measures], "no feature is made of it"


@pytest.mark.parametrize("distinct", DISTINCTS, ids=attrgetter("name"))
def test_different_items_are_kept_once_each_and_serve_a_feature(distinct: Distinct, spark: SparkSession) -> None:
    played = {column: ["b", "a", "b", "c"] for column in LISTENS.names if column in distinct.sql}
    rows = [one(LISTENS, **{column: values[n] for column, values in played.items()}) for n in range(4)]
    (row,) = items(batch(spark, LISTENS, rows), (distinct,)).collect()
    assert len(set(row[distinct.column])) == len(row[distinct.column]) == 3
    assert row[distinct.column] == sorted(row[distinct.column])
    assert [f.name for f in USER if distinct.name in f.measures], "no feature is made of it"


def test_a_play_without_the_item_has_none(spark: SparkSession) -> None:
    sought = Distinct("sought", "CASE WHEN source = 'search' THEN artist_id END", "different artists searched for")
    rows = [one(LISTENS, source=source, artist_id=name) for source, name in (("search", "a"), ("radio", "b"), (None, "c"))]
    (row,) = items(batch(spark, LISTENS, rows), (sought,)).collect()
    assert len(row["sought_seen"]) == 1


@every_feature
def test_a_feature_compiles_to_its_declared_type(feature: Feature, empty: dict[str, DataFrame]) -> None:
    made = windows(empty["days"], (feature,), dates=DATES)
    assert made.columns == ["date", "listener_id", "known_date", feature.name]
    assert made.schema[feature.name].dataType.simpleString() == feature.dtype == USER_FEATURES.by_name[feature.name].dtype


@every_feature
def test_a_feature_is_made_of_measures_that_exist_over_a_window_that_it_names(feature: Feature) -> None:
    assert feature.measures
    assert set(feature.measures) <= set(BY_NAME) | LISTED
    assert feature.days in WINDOWS
    assert feature.name.endswith(f"_{feature.days}d")
    assert not {name for name, _ in feature.of_all} & LISTED, "different items of everybody are no sum"
    of_all = {f"all_{name}__{days}" for name, days in feature.of_all}
    used = set(re.findall(r"\b\w+__\d+\b", feature.formula))
    assert of_all <= used <= of_all | {f"{name}__{days}" for name, days in feature.counts}


@every_feature
def test_a_feature_says_what_it_means_and_what_it_may_be_used_for(feature: Feature) -> None:
    assert re.search(r"\w.*, last (day|\d+ days)$", feature.meaning)
    about_ads = any(BY_NAME[name].of == "ad_events" for name in feature.measures if name not in LISTED)
    assert feature.purpose is (Purpose.ADS if about_ads else Purpose.CONTENT)


@pytest.mark.parametrize("feature", [f for f in USER if not set(f.measures) & {name for name, *_ in PACKED}], ids=attrgetter("name"))
def test_twice_the_listening_doubles_totals_and_leaves_rates(feature: Feature, spark: SparkSession) -> None:
    def value(times: int) -> float:
        numbers = {term: times * 10**9 * n for n, term in enumerate(dict.fromkeys(map(str, TERM.findall(feature.sql))), 1)}
        return float(spark.sql(f"SELECT {TERM.sub(lambda term: str(numbers[str(term.groups(default=''))]), feature.sql)}").first()[0])

    assert value(2) == pytest.approx(value(1) * (2 if feature.total else 1), rel=1e-6, abs=1e-6)


def test_names_and_meanings_are_unique() -> None:
    for names in (
        [*(m.name for m in MEASURES), *LISTED],
        [f.name for f in USER],
        [f.meaning for f in USER],
        [(f.sql, f.days) for f in USER],
    ):
        assert not [name for name, n in Counter(names).items() if n > 1]


def test_a_feature_of_a_measure_that_does_not_exist_fails_by_name(empty: dict[str, DataFrame]) -> None:
    wrong = Feature("plasy_7d", "bigint", "{plasy}", 7, "plays")
    with pytest.raises(AnalysisException, match=r"plasy.*Did you mean.*plays"):
        windows(empty["days"], (wrong,), dates=DATES)


def test_a_window_that_is_none_is_refused_with_the_choices() -> None:
    with pytest.raises(ContractError, match=r"feature plays_14d: 14 days is no window; choose from \(1, 7, 28, 90\)"):
        windowed("plays", "bigint", "{plays}", (7, 14), "plays")
