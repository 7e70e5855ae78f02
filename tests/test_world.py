"""The known-truth world as arrays: draws, people, listening, ads, defects; no Spark."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from operator import itemgetter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.world import (
    ads,
    block,
    catalogue,
    defects,
    draws,
    effects,
    feeds,
    lines,
    listing,
    mentions,
    oracle,
    places,
    sessions,
    stage,
    weather,
)
from jobs.world.people import AGES, CONSENTS, DEVICES, NEVER, raw_ids
from jobs.world.preset import BLOCK, PRESETS, World
from jobs.world.response import NO_SIGNAL
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from jobs.world.block import Block

WORLD = World(listeners=1_000, tracks=2_000, days=30, per_file=500, first=date(2026, 10, 5))
MASK = (1 << 64) - 1


@pytest.fixture(scope="module")
def on() -> stage.Stage:
    return stage.build(WORLD)


@pytest.fixture(scope="module")
def blocks(on: stage.Stage) -> list[Block]:
    return [block.live(on, first) for first in range(0, WORLD.listeners, BLOCK)]


def texts(of: Block) -> list[tuple[str, int, str]]:
    """All rows that the feeds deliver of a block."""
    parts = lines.Parts(of.stage)
    return [
        (rows.feed, day, line)
        for rows in feeds.of_block(of, parts)
        for day, line in zip(rows.day.tolist(), rows.line.to_pylist(), strict=True)
    ]


# ---- draws ----------------------------------------------------------------------------------------------------------


def splitmix_step(state: int) -> int:
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


@given(st.integers(0, MASK), st.integers(0, 2**40))
def test_a_key_is_splitmix64_in_plain_python(parent: int, counter: int) -> None:
    expected = splitmix_step((parent + (counter + 1) * draws.GOLDEN) & MASK)
    assert int(draws.sub(np.array([parent], dtype=np.uint64), counter)[0]) == expected


@given(st.integers(0, 2**32), st.integers(0, 1_000), st.integers(1, 50))
def test_a_draw_depends_on_nothing_but_its_key(seed: int, first: int, size: int) -> None:
    together = draws.uniform(draws.key(seed, "listener", np.arange(first, first + size)), "x")
    alone = [float(draws.uniform(draws.key(seed, "listener", n), "x")[0]) for n in range(first, first + size)]
    assert together.tolist() == alone


def test_draws_follow_their_distributions() -> None:
    keys = draws.key(3, "test", np.arange(200_000))
    uniform, normal = draws.uniform(keys, "u"), draws.normal(keys, "n")
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.003
    assert abs(normal.mean()) < 0.01
    assert abs(normal.std() - 1) < 0.01
    assert abs(np.corrcoef(uniform, draws.uniform(keys, "v"))[0, 1]) < 0.01
    poisson = draws.poisson(keys, "p", np.full(len(keys), 1.7), 20)
    assert abs(poisson.mean() - 1.7) < 0.02
    assert abs(poisson.var() - 1.7) < 0.04
    assert abs(draws.geometric(keys, "g", 2.5).mean() - 2.5) < 0.05
    chosen = np.bincount(draws.choose(keys, "c", np.cumsum([1.0, 2.0, 7.0])), minlength=3) / len(keys)
    assert np.allclose(chosen, [0.1, 0.2, 0.7], atol=0.005)
    rows = np.bincount(draws.choose(keys, "c", np.tile(np.cumsum([1.0, 2.0, 7.0]), (len(keys), 1))), minlength=3) / len(keys)
    assert np.array_equal(rows, chosen)


# ---- the same listeners, whoever else is made ------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(on: stage.Stage, blocks: list[Block]) -> None:
    assert texts(block.live(stage.build(WORLD), BLOCK)) == texts(blocks[1])
    other = stage.build(replace(WORLD, seed=8))
    assert not set(texts(block.live(other, BLOCK))) & set(texts(blocks[1]))


def test_a_shard_equals_the_same_listeners_of_the_whole_world(on: stage.Stage, blocks: list[Block]) -> None:
    shard = replace(WORLD, shard=(300, 420))
    assert list(block.starts(shard, 0)) == [BLOCK]
    made = texts(block.live(stage.build(shard), BLOCK))
    ids = set(raw_ids(WORLD, np.arange(300, 420)))
    whole = Counter(row for row in texts(blocks[1]) if '"listener":"' in row[2] and row[2].split('"listener":"')[1][:17] in ids)
    found = Counter(row for row in made if '"listener":"' in row[2])
    assert found == whole
    assert len(made) > 10_000


def test_a_larger_world_holds_a_smaller_one(blocks: list[Block]) -> None:
    larger = stage.build(replace(WORLD, listeners=10_000_000))
    assert texts(block.live(larger, 0)) == texts(blocks[0])


def test_a_file_is_made_of_whole_blocks_and_every_listener_lies_in_one() -> None:
    world = replace(WORLD, listeners=1_900, per_file=1_000, shard=(100, 1_700))
    assert [list(block.starts(world, file)) for file in (0, 1)] == [[0, 250, 500, 750], [1_000, 1_250, 1_500]]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"listeners": 0}, "listeners is 0"),
        ({"plays_per_day": 100.0}, "between 0.1 and 60"),
        ({"tracks": 10}, "at least 400"),
        ({"per_file": 300}, "multiple of 250"),
        ({"shard": (5, 5)}, "shard 5:5"),
        ({"shard": (0, 5_000)}, "within 0:1000"),
    ],
)
def test_an_impossible_world_is_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(WrongUse, match=word):
        replace(WORLD, **changes)


def test_presets_reach_from_two_thousand_to_ten_million() -> None:
    sizes = {name: world.listeners for name, world in PRESETS.items()}
    assert sizes["small"] == 2_000
    assert sizes["demo"] == 20_000
    assert sizes["huge"] == 10_000_000
    assert PRESETS["demo"].first == date(2026, 10, 1)
    assert PRESETS["demo"].last == date(2026, 11, 9)


# ---- people ----------------------------------------------------------------------------------------------------------


def test_consent_and_age_have_their_shares() -> None:
    from jobs.world import people  # noqa: PLC0415

    crowd = people.build(WORLD, np.arange(50_000))
    consent = np.bincount(crowd.consent, minlength=4) / 50_000
    assert np.allclose(consent, people.CONSENT_SHARES, atol=0.01)
    assert abs((crowd.age == AGES.index("under_18")).mean() - 0.06) < 0.005
    granted = crowd.consent == CONSENTS.index("granted")
    assert abs((crowd.withdraws[granted] < NEVER).mean() - 0.03) < 0.004
    assert not (crowd.withdraws[~granted] < NEVER).any()
    assert len({p.zone for p in places.PLACES}) > 1
    assert np.allclose(crowd.theta.sum(axis=1), 1)
    assert (crowd.theta.max(axis=1) > 0.3).mean() > 0.7  # tastes are pronounced


def test_statements_say_who_withdraws_and_the_silent_say_nothing(blocks: list[Block]) -> None:
    stated = [json.loads(line) for of in blocks for line in feeds.statements(of, lines.Stamps(of.stage)).line.to_pylist()]
    by_listener: dict[str, list[dict[str, str]]] = {}
    for row in stated:
        by_listener.setdefault(row["listener"], []).append(row)
    for of in blocks:
        for who, raw in enumerate(raw_ids(WORLD, of.people.number)):
            said = sorted(by_listener.get(raw, []), key=itemgetter("at"))
            assert len({row["at"] for row in said}) == len(said)
            assert bool(said) == (CONSENTS[of.people.consent[who]] != "silent")
            if of.people.withdraws[who] < WORLD.days:
                assert said[-1]["consent"] == "withdrawn"
    assert len({row["statement_id"] for row in stated}) == len(stated)
    assert {row["consent"] for row in stated} == {"granted", "refused", "unknown", "withdrawn"}


# ---- clocks and sessions ---------------------------------------------------------------------------------------------


@given(st.integers(0, WORLD.days * 24 * 60), st.integers(0, len(places.PLACES) - 1))
def test_clocks_agree_with_the_time_zone_database(minute: int, place: int) -> None:
    clocks = CLOCKS
    moment = WORLD.start_ms + minute * 60_000
    local = datetime.fromtimestamp(moment / 1000, ZoneInfo(places.PLACES[place].zone))
    shown = int(clocks.local(np.array([place]), np.array([moment]))[0])
    assert datetime.fromtimestamp(shown / 1000, UTC).replace(tzinfo=None) == local.replace(tzinfo=None)
    back = clocks.utc(np.array([place]), np.array([shown]), second=np.array([bool(local.fold)]))
    assert int(back[0]) == moment


CLOCKS = places.Clocks(WORLD)


def test_the_hour_shown_twice_is_two_hours() -> None:
    berlin = np.array([0, 0])
    shown = int(datetime(2026, 10, 25, 2, 30, tzinfo=UTC).timestamp() * 1000)
    first, second = CLOCKS.utc(berlin, np.array([shown, shown]), second=np.array([False, True]))
    assert second - first == places.HOUR_MS


def test_sessions_keep_to_the_clock_on_the_wall_across_daylight_saving(blocks: list[Block]) -> None:
    found = blocks[0].sessions
    for place in (0, 6):
        here = np.flatnonzero(found.place == place)
        zone = ZoneInfo(places.PLACES[place].zone)
        local = [datetime.fromtimestamp(ms / 1000, zone) for ms in found.start[here].tolist()]
        assert [m.hour in effects.LATE_HOURS for m in local] == found.circumstances["late"][here].tolist()
        assert len({m.utcoffset() for m in local}) == 2  # both sides of the change


def test_sessions_lie_within_the_dates_and_apart(blocks: list[Block]) -> None:
    for of in blocks:
        begins, ends = of.begins, of.begins + of.plays.heard
        assert begins.min() >= WORLD.start_ms
        assert begins.max() < WORLD.end_ms
        who = of.sessions.who[of.plays.session]
        same = (who[1:] == who[:-1]) & (of.plays.session[1:] == of.plays.session[:-1])
        gap = begins[1:] - ends[:-1]
        assert gap[same].min() >= 0
        assert gap[same].max() < 30 * 60_000
        between = (who[1:] == who[:-1]) & (of.plays.session[1:] != of.plays.session[:-1])
        assert gap[between].min() > 30 * 60_000


def test_about_as_many_plays_as_asked_for(blocks: list[Block]) -> None:
    plays = sum(len(of.plays) for of in blocks)
    assert 0.85 < plays / (WORLD.listeners * WORLD.days * WORLD.plays_per_day) < 1.15


def test_the_circadian_profile_is_what_is_heard(blocks: list[Block]) -> None:
    """Weekday sessions at home, by hour, against the planted shares: a chi-square a degree of freedom near 1."""
    seen, expected = np.zeros(24), np.zeros(24)
    for of in blocks:
        profile = sessions.circadian(of.people)
        weekday = ~of.sessions.circumstances["weekend"]
        hour = of.stage.clocks.local(of.sessions.place, of.sessions.start) // places.HOUR_MS % 24
        seen += np.bincount(hour[weekday], minlength=24)
        expected += (profile[of.sessions.who[weekday]]).sum(axis=0)
    assert ((seen - expected) ** 2 / expected).sum() / 23 < 2.5


# ---- catalogue -------------------------------------------------------------------------------------------------------


def test_genres_overlap_and_the_catalogue_says_one(on: stage.Stage) -> None:
    tracks = on.catalogue
    assert set(tracks.genre.tolist()) == set(range(len(catalogue.GENRES)))
    energy = {g: tracks.descriptors[tracks.genre == catalogue.GENRES.index(g), catalogue.ENERGY] for g in ("pop", "rock")}
    assert (energy["pop"][:, None] > energy["rock"][None, :]).mean() > 0.2
    agrees = (listing.said_genre(tracks) == tracks.genre).mean()
    assert 0.88 < agrees < 0.99


def test_the_catalogue_file_is_csv_that_names_each_listed_track(on: stage.Stage) -> None:
    rows = list(csv.DictReader(listing.csv_lines(on.catalogue, WORLD)))
    listed = on.catalogue.known_by != catalogue.KNOWN_BY.index("none")
    assert {row["track_id"] for row in rows} == {i for i, yes in zip(on.catalogue.ids(), listed, strict=True) if yes}
    assert len({(row["track_artist"], row["track_name"]) for row in rows}) == len({row["track_id"] for row in rows})
    genres: dict[str, Counter[str]] = {}
    for row in rows:
        genres.setdefault(row["track_id"], Counter())[row["playlist_genre"]] += 1
    said = dict(zip(on.catalogue.ids(), listing.said_genre(on.catalogue).tolist(), strict=True))
    assert all(counts.most_common(1)[0][0] == catalogue.GENRES[said[track]] for track, counts in genres.items())


def test_plays_name_tracks_in_four_ways(on: stage.Stage) -> None:
    ids, isrcs = on.catalogue.ids(), on.catalogue.isrcs()
    for number, item in enumerate(listing.items(on.catalogue)[: WORLD.tracks]):
        how = catalogue.KNOWN_BY[on.catalogue.known_by[number]]
        assert (item["track"] == ids[number]) == (how == "exact")
        assert item.get("isrc", "") in ("", isrcs[number])
        if how in ("name", "none"):
            assert "isrc" not in item
    assert abs((on.catalogue.known_by == 0).mean() - 0.9) < 0.03


# ---- circumstances ---------------------------------------------------------------------------------------------------


def test_two_effects_are_null_by_design() -> None:
    assert [e.name for e in effects.EFFECTS if e.size == 0] == ["weekend on energy", "rain on skip"]
    assert len({(e.when, e.on) for e in effects.EFFECTS}) == len(effects.EFFECTS)


def within_listener(blocks: list[Block], outcome: str, when: str, given: tuple[str, ...] = ()) -> tuple[float, float]:
    """Mean difference of an outcome between plays under a circumstance and others, within listener (and further
    circumstances), with its standard error by sessions."""
    total, variance, weight = 0.0, 0.0, 0.0
    for of in blocks:
        session = of.plays.session
        tracks = of.plays.item < len(of.stage.catalogue.keys)
        values = {
            "skip": of.plays.skipped.astype(float),
            "energy": of.stage.catalogue.descriptors[np.where(tracks, of.plays.item, 0), catalogue.ENERGY],
        }[outcome]
        size = np.maximum(np.bincount(session, minlength=len(of.sessions)), 1)
        mean = np.bincount(session, weights=values, minlength=len(of.sessions)) / size
        stratum = of.sessions.who.copy()
        for name in given:
            stratum = stratum * 2 + of.sessions.circumstances[name]
        under = of.sessions.circumstances[when]
        for s in np.unique(stratum):
            a, b = mean[(stratum == s) & under], mean[(stratum == s) & ~under]
            if len(a) > 2 and len(b) > 2:
                w = len(a) * len(b) / (len(a) + len(b))
                total += w * (a.mean() - b.mean())
                variance += w**2 * (a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
                weight += w
    return total / weight, float(np.sqrt(variance)) / weight


@pytest.mark.parametrize(
    ("outcome", "when", "given", "sign"),
    [
        ("skip", "car", (), -1),
        ("skip", "mobile", (), 1),
        ("energy", "late", ("hot", "cold"), -1),
        ("energy", "rain", ("late", "car", "hot", "cold"), -1),
        ("skip", "rain", (), 0),
        ("energy", "weekend", ("late", "car", "hot", "cold", "rain"), 0),
    ],
)
def test_planted_effects_are_there_and_null_ones_are_not(
    blocks: list[Block], outcome: str, when: str, given: tuple[str, ...], sign: int
) -> None:
    difference, error = within_listener(blocks, outcome, when, given)
    if sign:
        assert difference * sign > 4 * error
    else:
        assert abs(difference) < 4 * error


def test_forecasts_are_issued_before_and_the_later_one_is_better(on: stage.Stage) -> None:
    errors = {lead: np.abs(weather.forecast(on.weather, WORLD, lead)[0] - on.weather.temperature).mean() for lead in weather.LEADS}
    assert errors[6] < errors[24]
    rain = on.weather.rain > 0
    share = rain.mean(axis=1)
    assert np.abs(share - [p.wetness for p in places.PLACES]).max() < 0.1


def test_talk_leads_the_plays_of_a_trend(on: stage.Stage) -> None:
    days = np.arange(WORLD.days)
    for trend in on.trends:
        if trend.begins + 6 < WORLD.days and trend.begins > trend.lead:
            assert trend.share(days).argmax() - trend.talk(days).argmax() == trend.lead
    assert any(trend.lead for trend in on.trends)
    rate = mentions.rate(WORLD, on.catalogue, on.trends)
    assert rate[on.trends[0].artist].max() > 10 * np.median(rate)


# ---- ads -------------------------------------------------------------------------------------------------------------


def pooled(blocks: list[Block], part: str, name: str) -> np.ndarray:
    return np.concatenate([getattr(getattr(of, part), name) for of in blocks])


def near(count: int, chances: np.ndarray) -> bool:
    """Whether a count of successes lies within four standard deviations of its planted mean."""
    return abs(count - chances.sum()) < 4 * np.sqrt((chances * (1 - chances)).sum())


def test_what_happened_agrees_with_the_planted_chances(blocks: list[Block]) -> None:
    shown = pooled(blocks, "ads", "shown")
    click = pooled(blocks, "chances", "click")
    assert near(int((pooled(blocks, "outcomes", "clicked") > 0).sum()), click[shown])
    assert near(int((pooled(blocks, "outcomes", "heard") == 1).sum()), pooled(blocks, "chances", "complete")[shown])
    bought = pooled(blocks, "outcomes", "converted") > 0
    assert near(int(bought[shown].sum()), pooled(blocks, "chances", "convert_shown")[shown])
    assert near(int(bought[~shown].sum()), pooled(blocks, "chances", "convert_held")[~shown])
    assert near(int((~shown).sum()), np.full(len(shown), ads.HOLDOUT))
    assert not pooled(blocks, "outcomes", "clicked")[~shown].any()
    assert 0.032 < click.mean() < 0.05
    for low, high in ((0, 0.01), (0.01, 0.03), (0.03, 1)):  # not only on average
        inside = shown & (click >= low) & (click < high)
        assert near(int((pooled(blocks, "outcomes", "clicked") > 0)[inside].sum()), click[inside])


def test_uplift_varies_and_some_are_put_off(blocks: list[Block]) -> None:
    tau = pooled(blocks, "chances", "convert_shown") - pooled(blocks, "chances", "convert_held")
    assert tau.mean() > 0
    assert 0.08 < (tau < 0).mean() < 0.35


def test_the_holdout_is_random(blocks: list[Block]) -> None:
    shown, click = pooled(blocks, "ads", "shown"), pooled(blocks, "chances", "convert_held")
    error = click.std() * np.sqrt(1 / shown.sum() + 1 / (~shown).sum())
    assert abs(click[shown].mean() - click[~shown].mean()) < 4 * error


def test_fatigue_counts_the_ads_of_the_seven_days_before(blocks: list[Block]) -> None:
    rows = blocks[0].ads
    for who in np.unique(rows.who)[:10]:
        own = np.flatnonzero(rows.who == who)
        for i in own.tolist():
            earlier = own[(rows.at[own] < rows.at[i]) & (rows.at[own] >= rows.at[i] - ads.WEEK_MS) & rows.shown[own]]
            assert rows.week[i] == len(earlier)


def test_only_the_free_plan_hears_ads(blocks: list[Block]) -> None:
    for of in blocks:
        assert of.people.free_on(of.ads.who, of.ads.day).all()


def test_features_reach_more_than_half_and_less_than_two_thirds(blocks: list[Block]) -> None:
    found = oracle.ceiling(pooled(blocks, "chances", "click"), pooled(blocks, "chances", "reachable"))
    assert 0.72 < found.auc < 0.85
    assert found.hidden_share >= 1 / 3
    assert (found.reachable_auc - 0.5) / (found.auc - 0.5) > 0.6
    assert "out of their reach" in found.sentence()


def test_a_world_without_signal_differs_in_clicks_alone(blocks: list[Block]) -> None:
    silent = block.live(stage.build(replace(WORLD, signal=False)), 0)
    assert set(np.unique(silent.chances.click)) == {NO_SIGNAL}
    assert np.array_equal(silent.chances.convert_shown, blocks[0].chances.convert_shown)
    plain, signal = texts(silent), texts(blocks[0])

    def others(rows: list[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
        return [row for row in rows if '"kind":"click"' not in row[2]]

    assert others(plain) == others(signal)
    assert plain != signal
    found = oracle.ceiling(silent.chances.click, silent.chances.reachable)
    assert found.auc == pytest.approx(0.5)
    assert found.hidden_share == 0


def test_expected_auc_is_the_share_of_ordered_pairs() -> None:
    score, chance = np.array([0.3, 0.1, 0.3, 0.9]), np.array([0.2, 0.5, 0.6, 0.7])
    won = pairs = 0.0
    for i in range(4):
        for j in range(4):
            weight = chance[i] * (1 - chance[j])
            pairs += weight
            won += weight * (1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0)
    assert oracle.auc(score, chance) == pytest.approx(won / pairs)


def test_quartiles_are_reported_where_asked_for() -> None:
    """One after the other, and each heard by fewer; events that arrive twice count once."""
    rows = [json.loads(line) for feed, _, line in texts(block.live(stage.build(replace(WORLD, quartiles=True)), 0)) if good(feed, line)]
    kinds = Counter(kind for kind, _ in {(row["kind"], row["impression"]) for row in rows if "impression" in row})
    heard = [kinds[kind] for kind in ("impression", *feeds.QUARTILES, "complete")]
    assert heard == sorted(heard, reverse=True)
    assert heard[0] > heard[2] > heard[-1] > 0


def good(feed: str, line: str) -> bool:
    """Whether a line is no cut one and, in the ad feed, has its time."""
    return line.endswith("}") and not (feed == "ads" and '"at":null' in line)


# ---- defects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("feed", "kind"), [(feed, kind) for feed, kinds in defects.BREAKS.items() for kind in kinds])
def test_each_broken_row_is_broken_in_its_one_way(blocks: list[Block], feed: str, kind: str) -> None:
    good = next(line for name, _, line in texts(blocks[0]) if name == feed)
    bad = defects.broken(feed, good, kind)
    if kind == "broken_json":
        with pytest.raises(json.JSONDecodeError):
            json.loads(bad)
        return
    before, after = json.loads(good), json.loads(bad)
    changed = {name for name in after if after[name] != before[name]} - {defects.ID_OF[feed]}
    assert after[defects.ID_OF[feed]] != before[defects.ID_OF[feed]]
    time = defects.TIME_OF[feed]
    assert changed <= {
        "null_time": {time}, "future": {time}, "null_track": {"track", "isrc", "artist", "title"},
        "nan": {"ms_played"}, "wrong_type": {"ms_played"}, "negative_duration": {"ms_played"},
    }[kind]  # fmt: skip
    assert changed
    if kind == "future":
        assert after[time] > after["sent_at"]
    if kind == "negative_duration":
        assert after["ms_played"] < 0
    if kind == "nan":
        assert "NaN" in bad


def test_defects_have_their_shares(blocks: list[Block]) -> None:
    for of in blocks:
        delivery = feeds.plays(of)
        size = len(of.plays)
        for count, share in ((delivery.late.sum(), defects.LATE), (len(delivery.twice), defects.TWICE), (len(delivery.bad), defects.BAD)):
            assert near(int(count), np.full(size, share))
        wait = delivery.sent - of.begins - of.plays.heard
        assert wait.min() >= 0
        assert wait[~delivery.late].max() < places.DAY_MS
        assert wait[delivery.late].min() >= places.DAY_MS
        assert wait.max() < 4 * places.DAY_MS


def test_every_row_is_an_object_with_the_feeds_fields(blocks: list[Block]) -> None:
    wanted = {
        "plays": {"play_id", "listener", "track", "artist", "title", "kind", "started_at", "sent_at", "ms_played", "track_ms", "skipped",
                  "source", "device", "place", "time_zone", "plan"},
        "feedback": {"feedback_id", "listener", "action", "track", "artist", "title", "at", "sent_at"},
        "ads": {"ad_event_id", "impression", "listener", "kind", "campaign", "category", "creative", "slot", "device", "at", "sent_at"},
        "listeners": {"statement_id", "listener", "at", "sent_at", "consent", "age_band", "plan", "place", "time_zone"},
    }  # fmt: skip
    seen: Counter[str] = Counter()
    for feed, _, line in texts(blocks[0]):
        if line.endswith("}"):
            row = json.loads(line)
            assert wanted[feed] <= set(row)
            assert set(row) - wanted[feed] <= {"isrc", "album", "playlist"}
            assert row.get("device", "mobile") in DEVICES
            seen[feed] += 1
    assert all(seen[feed] > 50 for feed in wanted)


def test_a_block_holds_arrays_of_equal_length(blocks: list[Block]) -> None:
    of = blocks[0]
    for record, size in ((of.plays, len(of.begins)), (of.ads, len(of.ads)), (of.chances, len(of.ads)), (of.outcomes, len(of.ads))):
        assert {len(getattr(record, f.name)) for f in fields(record)} == {size}
