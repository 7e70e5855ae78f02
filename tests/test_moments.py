"""Moments: every record means something, the mixture is Bayes' rule, what is unknown takes no part, too few are not told."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from math import exp
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from acts import frame
from small_lake import who

from jobs import session_moments as job
from jobs.contracts.context import ANY, MOMENT_FEATURES, SESSION_MOMENTS
from jobs.contracts.events import WEATHER
from jobs.contracts.silver import SESSIONS
from jobs.features.rhythm import DAYPARTS
from jobs.mixture import fit
from jobs.moment_features import moment_features
from jobs.moments import MOMENTS
from jobs.moments.moment import VARIABLES, Moment
from validation.contract import IDENTIFIER, ContractError, Purpose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

    from jobs.moments.moment import Variable

pytestmark = pytest.mark.spark
DAY = date(2026, 11, 9)
Row = dict[str, Any]
every_moment = pytest.mark.parametrize("moment", MOMENTS, ids=attrgetter("name"))


def session(n: int, **changes: Any) -> Row:
    """Return a session of eight to ten on a Monday evening in Berlin, on a phone."""
    start = datetime(2026, 11, 9, 19, tzinfo=UTC)
    row = {"session_id": who(n), "listener_id": who(n % 50), "date": DAY, "started_ts": start, "known_ts": start, "place": "DE-BE"}
    row |= {"ended_ts": start + timedelta(hours=2), "local_date": DAY, "local_hour": 20, "device": "mobile"}
    return row | {"plays": 30, "judged": 30, "skips": 3, "episodes": 0} | changes


def drawn(seed: int, n: int = 300) -> list[Row]:
    """Draw sessions of which now this, now that is unknown."""
    rng = random.Random(seed)
    rows = []
    for number in range(n):
        moods = {f"mean_{name}": rng.choice((None, rng.random())) for name in ("energy", "valence", "acousticness")}
        start = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(9 * 1440))
        more = {"started_ts": start, "known_ts": start, "date": start.date(), "local_date": start.date(), "local_hour": start.hour}
        more |= {"ended_ts": start + timedelta(minutes=rng.randrange(200)), "device": rng.choice(("car", "speaker", "unknown", "desktop"))}
        rows.append(session(number, **more, **moods, mean_tempo=rng.choice((None, rng.uniform(60, 180))), skips=rng.randrange(9)))
    return rows


def forecasts(rows: Sequence[Row]) -> list[Row]:
    rng = random.Random(1)
    hours = sorted({row["started_ts"].replace(minute=0) for row in rows})
    known = [{"place": "DE-BE", "event_ts": hour, "known_ts": hour, "date": hour.date(), "temperature_c": 12.0} for hour in hours]
    return [row | {"rain_mm": rng.choice((0.0, 3.0))} for row in known]


def named(
    spark: SparkSession, rows: Sequence[Row], weather: Sequence[Row], variables: Sequence[Variable], parts: int = 1
) -> dict[str, tuple[str, float]]:
    frames = frame(spark, SESSIONS, rows).repartition(parts), frame(spark, WEATHER, weather)
    found = job.inferred(*frames, MOMENTS, variables, dates=(DAY,)).collect()
    return {row["session_id"]: (row["moment"], row["probability"]) for row in found}


# ---- records ---------------------------------------------------------------------------------------------------------


@every_moment
def test_it_has_a_name_of_its_own_and_says_what_it_means(moment: Moment) -> None:
    assert IDENTIFIER.fullmatch(moment.name)
    assert moment.meaning.strip()
    assert [one.name for one in MOMENTS].count(moment.name) == 1
    assert moment.name not in (*DAYPARTS, ANY), "a part of the day is called so already"


def test_there_are_eight_to_ten_and_no_two_expect_the_same() -> None:
    assert 8 <= len(MOMENTS) <= 10
    assert len({str(moment.expects) for moment in MOMENTS}) == len(MOMENTS)


@pytest.mark.parametrize(
    ("expects", "message"),
    [({"hours": "6-9"}, "unknown variable 'hours'; did you mean 'hour'"), ({"device": "phone"}, "device is 'phone', which is none of it")],
)
def test_a_record_that_names_nothing_is_a_mistake(expects: dict[str, str], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Moment("m", "x", expects)


def test_words_name_the_bins_they_say() -> None:
    bins = {name: VARIABLES[name].expected for name in VARIABLES}
    assert bins["hour"]("22-1") == (0, 1, 22, 23)
    assert bins["hour"]("6-7 16-17") == (6, 7, 16, 17)
    assert bins["device"]("car mobile") == (0, 3)
    assert bins["energy"]("0.65-1") == (4, 5)
    assert bins["minutes"]("0-10") == (0,)


# ---- the mixture -----------------------------------------------------------------------------------------------------


def test_probabilities_are_bayes_rule_over_what_is_known(spark: SparkSession) -> None:
    rows, names = drawn(7), tuple(VARIABLES)
    binned = [[bin_of(name, row) for name in names] for row in rows]
    # All sessions of a date are learnt from here, in the order of their hashes: what is learnt depends on no order.
    fitted = fit(np.array(binned), np.ones(len(rows)), tuple(VARIABLES.values()), MOMENTS)
    starts = np.cumsum([0, *(VARIABLES[name].size for name in names)])
    found = named(spark, rows, [], tuple(VARIABLES.values()), parts=3)
    today = {row["session_id"]: bins for row, bins in zip(rows, binned, strict=True) if row["date"] == DAY}
    assert set(found) == set(today)
    for key, bins in today.items():
        likely = [fitted.states[k] + sum(fitted.bins[starts[v] + b, k] for v, b in enumerate(bins) if b >= 0) for k in range(len(MOMENTS))]
        whole = sum(exp(one) for one in likely)
        best = max(range(len(MOMENTS)), key=likely.__getitem__)
        assert found[key][1] == pytest.approx(exp(likely[best]) / whole, abs=1e-3)
        assert found[key][0] == MOMENTS[best].name or sorted(likely)[-1] - sorted(likely)[-2] < 1e-4


def bin_of(name: str, row: Row) -> int:
    """Return a session's bin by hand, below 0 where it is not known."""
    if name in ("hour", "day", "device", "weather"):
        value = {"hour": str(row["local_hour"]), "day": "weekend" if row["local_date"].isoweekday() > 5 else "weekday"}
        value |= {"device": row["device"], "weather": "unknown"}
        return VARIABLES[name].names.index(value[name]) if value[name] in VARIABLES[name].names else -1
    length = (row["ended_ts"] - row["started_ts"]).total_seconds() / 60
    numbers = {"minutes": length, "skips": row["skips"] / row["judged"], "episodes": row["episodes"] / row["plays"]}
    number = numbers.get(name, row.get(f"mean_{name}"))
    return -1 if number is None else sum(number >= cut for cut in VARIABLES[name].cuts)


def test_where_weather_device_or_music_is_unknown_it_is_the_model_without_it(spark: SparkSession) -> None:
    rows = drawn(8, 120)
    silent = [row | {"device": "unknown"} | {name: None for name in row if name.startswith("mean_")} for row in rows]
    music = ("energy", "valence", "acousticness", "tempo")
    for mine, left_out in ((rows, ("weather",)), (silent, ("weather", "device", *music))):
        without = [one for name, one in VARIABLES.items() if name not in left_out]
        assert named(spark, mine, [], tuple(VARIABLES.values())) == named(spark, mine, [], without)
    assert named(spark, rows, forecasts(rows), tuple(VARIABLES.values())) != named(spark, rows, [], tuple(VARIABLES.values()))


def test_what_is_known_later_teaches_nothing_earlier(spark: SparkSession) -> None:
    rows = drawn(9, 150)
    late = [row | {"session_id": who(5_000 + n), "known_ts": datetime(2026, 11, 10, tzinfo=UTC)} for n, row in enumerate(drawn(10, 150))]
    both = named(spark, [*rows, *late], [], tuple(VARIABLES.values()))
    assert {key: value for key, value in both.items() if int(key, 16) < 5_000} == named(spark, rows, [], tuple(VARIABLES.values()))


@every_moment
def test_sessions_that_are_all_that_is_expected_are_that_moment(moment: Moment) -> None:
    variables = tuple(VARIABLES.values())
    rng = np.random.default_rng(2)
    sizes = [v.size for v in variables]
    crowd = np.array([[rng.choice(m.bins(v.name) or range(v.size)) for v in variables] for m in MOMENTS for _ in range(60)])
    fitted = fit(crowd, np.ones(len(crowd)), variables, MOMENTS)
    starts = np.cumsum([0, *sizes[:-1]])
    mine = crowd[60 * MOMENTS.index(moment) : 60 * (MOMENTS.index(moment) + 1)]
    best = (fitted.states + fitted.bins[starts + mine].sum(axis=1)).argmax(axis=1)
    assert (best == MOMENTS.index(moment)).mean() > (0.7 if moment.expects else 0.4)


# ---- what is told of moments -----------------------------------------------------------------------------------------


def told(spark: SparkSession, counts: dict[tuple[str, str], int]) -> dict[str, Row]:
    rows, n = [], 0
    for (moment, daypart), listeners in counts.items():
        for _ in range(listeners):
            plain = {"moment": moment, "daypart": daypart, "device": "car", "day_type": "weekend", "weather": "rain", "minutes": 30.0}
            rows += [{"session_id": who(2 * n + twice), "listener_id": who(n), "date": DAY} | plain for twice in (0, 1)]
            n += 1
    found = moment_features(frame(spark, SESSION_MOMENTS, rows), dates=(DAY,)).collect()
    return {row["moment"]: row.asDict() for row in found}


def test_a_moment_of_too_few_is_told_under_its_part_of_the_day(spark: SparkSession) -> None:
    found = told(
        spark, {("party", "late"): 10, ("sleep", "late"): 9, ("focus", "late"): 3, ("commute", "morning"): 9, ("focus", "night"): 2}
    )
    assert {name: row["listeners"] for name, row in found.items()} == {"party": 10, "late": 10, ANY: 10}
    assert {name: row["sessions"] for name, row in found.items()} == {"party": 20, "late": 20, ANY: 20}
    assert sum(row["share"] for row in found.values()) == pytest.approx(1, abs=0.002)
    assert (found["late"]["usual_daypart"], found["late"]["usual_device"], found["late"]["mean_minutes"]) == ("late", "car", 30.0)


def test_nothing_is_told_of_nine_listeners(spark: SparkSession) -> None:
    assert told(spark, {("party", "late"): 9}) == {}


def test_a_session_belongs_to_its_listener_and_what_is_told_of_all_to_nobody() -> None:
    assert SESSION_MOMENTS.purpose is Purpose.CONTENT
    assert SESSION_MOMENTS.by_name["session_id"].identifies
    assert not [column.name for column in MOMENT_FEATURES.columns if column.identifies]
