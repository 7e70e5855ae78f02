"""The page: every part is there, every number is a table's, nothing is loaded from elsewhere, and no text becomes markup."""

from __future__ import annotations

import html
import itertools
import math
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_lake import DAY, SUMMARY, audience, campaign, filled, one, put, said, who

from jobs.catalogue import TABLES
from jobs.contracts.delivery import APPROVALS, AUDIENCES, BOOKINGS, CLUSTER_PROFILES, CLUSTERS, LINEAGE, SCORES, TRAININGS
from jobs.contracts.derived import EXAMPLES, USER_FEATURES, USER_SEGMENTS
from jobs.contracts.events import PLAYS
from jobs.contracts.operations import QUARANTINE
from jobs.contracts.silver import LISTENS, SESSIONS, SILVER_LISTENERS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema
from targeting.drawing import FULL, SIZE, STRONG, Curve, heat, nice
from targeting.page import REASONS, collect, render
from targeting.wording import Trait, asks, habits, meaning, share, short, traits

if TYPE_CHECKING:
    from pathlib import Path

LOADING = ("src", "data", "poster", "srcset", "action", "formaction", "background", "xlink:href")
VOID = ("meta", "br", "link", "img", "input", "hr")


class Seen(HTMLParser):
    """What a browser would make of a page: tags with attributes, cells of each row, all text; unclosed tags are a mistake."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.words += data
        if {"td", "th"} & set(self.open[-3:]):
            self.rows[-1][-1] += data

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row and row[0].startswith(first))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> ArrowLake:
    found = ArrowLake(Address.parse(str(tmp_path_factory.mktemp("page") / "lake")))
    filled(found)
    return found


@pytest.fixture(scope="module")
def text(lake: ArrowLake) -> str:
    return render(collect(lake, DAY, SUMMARY))


@pytest.fixture(scope="module")
def page(text: str) -> Seen:
    return Seen(text)


def boxes(text: str) -> dict[str, int]:
    found = re.findall(r'class="box"><span>([^<]+)</span><b>([\d,]+)</b>', text)
    return {name: int(rows.replace(",", "")) for name, rows in found}


def bars(text: str) -> dict[str, tuple[float, float]]:
    """Width in percent and number of every bar, by label."""
    fill = r'<div class="track" aria-hidden="true"><div class="fill[^"]*" style="width: ([\d.]+)%"></div></div>'
    found = re.findall(rf"<span>([^<]+)</span>{fill}.*?>([\d.,]+)<", text)
    return {label: (float(width), float(number.replace(",", ""))) for label, width, number in found}


def test_it_loads_nothing_from_anywhere(text: str, page: Seen) -> None:
    loaded = [value for _, given in page.tags for name, value in given.items() if name in LOADING]
    assert loaded == []
    assert {given["href"].split("/")[0] for tag, given in page.tags if "href" in given} == {"checks", "features.html"}, (
        "its only links lead to its neighbours"
    )
    assert {tag for tag, given in page.tags if "href" in given} == {"a"}
    assert not {"script", "link", "iframe", "object", "embed", "img", "base"} & {tag for tag, _ in page.tags}
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text


def test_every_part_is_there(page: Seen) -> None:
    for heading in (
        "The flow",
        "Audiences and their campaigns",
        "Consent",
        "Segments by rule",
        "Clusters",
        "Are the probabilities right?",
        "What drives the model",
        "How good the model is, and who answers for it",
        "What was refused, and why",
        "Tables",
    ):
        assert heading in page.words
    assert "State at the end of 2026-11-09 (UTC)" in page.words


def test_the_most_important_numbers_come_first(text: str) -> None:
    tiles = " ".join(re.sub(r"<[^>]+>", " ", text.split("The flow", maxsplit=1)[0]).split())
    for words in (
        "records taken in 140 from 2 files",
        "refused 6% 9 records in quarantine",
        "listeners who may be reached 35 of 40 who listened",
        "audiences built 1 of 2 asked for",
        "ad-response model, AUC 0.731 95% interval 0.710 to 0.752",
        "checks of batches 3 on 2 tables, 1 failed: those batches were held back",
    ):
        assert words in tiles


def test_the_flow_tells_the_rows_of_each_stage(text: str, lake: ArrowLake) -> None:
    found = boxes(text)
    assert found["feed records"] == 140
    assert found["rows in bronze"] == lake.count(PLAYS) == 120
    assert re.findall(r"<h3>(\w+)</h3>", text) == ["bronze", "silver", "features", "model", "delivery"]
    tables = {
        "listeners": SILVER_LISTENERS,
        "listens": LISTENS,
        "sessions": SESSIONS,
        "listener features": USER_FEATURES,
        "segments": USER_SEGMENTS,
        "examples": EXAMPLES,
        "models": TRAININGS,
        "scores": SCORES,
        "clusters": CLUSTERS,
        "audiences": AUDIENCES,
        "bookings": BOOKINGS,
    }
    assert [name for name in found if name in tables] == list(tables)
    for name, table in tables.items():
        assert found[name] == lake.read(table).num_rows > 0
    assert [found[name] for name in ("tracks", "context features", "fans", "communities")] == [0, 0, 0, 0]


def test_moments_are_told_in_words_the_commonest_first(page: Seen) -> None:
    told = {name: page.row(name) for name in ("lateother", "commute", "sleep")}
    assert told["commute"] == ["commuteon the way to work or home", "25%", "late, x", "0", "0%"]
    assert told["lateother"][:2] == ["lateother sessions, late in the evening", "50%"]
    assert page.rows.index(told["lateother"]) < page.rows.index(told["commute"]) < page.rows.index(told["sleep"])


def test_an_audience_is_told_apart_by_its_moments_or_not_at_all() -> None:
    rows = [{"moment": name, "share": own, "everyone": all_} for name, own, all_ in (("focus", 0.3, 0.1), ("sleep", 0.1, 0.1))]
    assert habits(rows) == "more than others: working or studying (30% of sessions, 3.0 times as often)"
    assert habits(rows[1:]) == "when everybody does"
    assert habits([{"moment": "party", "share": 0.2, "everyone": None}]) == habits([]) == "not known"


def test_audiences_are_told_as_their_table_tells_them(page: Seen) -> None:
    built, small = page.row("morning coffee"), page.row("late games")
    asked = "in active, among the 25% likeliest to click on food, not in impatient"
    assert built[1] == f"{asked}listens more than others: on the way to work or home (40% of sessions, 1.6 times as often)"
    assert built[3:5] == ["30", "10"]
    assert small[1] == "in active, in cluster c8", "when nobody knows who listens, nobody knows when"
    assert small[3:5] == ["-", "-"], "a size below the minimum is told to nobody"
    assert built[5].startswith("built booked")
    assert "scores of model version 3; consent basis: feed" in built[5]
    assert small[5].startswith("too small refused")
    assert "fewer than 1000 listeners can be reached" in small[5]
    widths = [given["style"] for tag, given in page.tags if given.get("class") in ("fill", "mark") and tag == "div"][:4]
    assert widths == ["width: 3.0%", "left: 1.0%", "width: 0.0%", "left: 100.0%"]


def test_consent_narrows_from_all_to_those_who_may_be_reached(text: str) -> None:
    found = bars(text)
    assert found["listened in the last 90 days"] == (100, 40)
    assert found["stated anything about consent"] == (95, 38)
    assert found["agreed to advertising profiles"] == found["agreed, and known to be adult"] == (87.5, 35)


def test_bars_are_as_long_as_their_numbers(text: str) -> None:
    found = bars(text)
    assert (found["night owls"], found["active"]) == ((100, 30), (33.3, 10))
    assert found["missing event ts"] == (100, 7)
    assert found["known after event"] == (28.6, 2)
    assert found["shrunk share of ads clicked, last 28 days"] == (100, 0.412)
    assert found["x new"] == (0, 0)


def test_clusters_are_described(text: str, page: Seen) -> None:
    groups = [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in re.findall(r"<li><b>c\d.*?</li>", text, re.DOTALL)]
    assert groups == ["c1 25 62% ▲ above: hours heard", "c2 15 38% ▼ below: hours heard"]
    assert page.row("hours heard")[1:] == ["+1.2", "-2.1"]
    colours = [given["style"] for tag, given in page.tags if tag == "td" and given.get("class") == "cell"]
    assert colours[0] == "background: rgba(13, 148, 136, 0.49)"
    assert colours[1] == "background: rgba(234, 88, 12, 0.60)"


def test_a_cluster_has_a_name_an_explanation_and_a_history(tmp_path: Path) -> None:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    filled(lake)
    lift = {"mean": 0.4, "lift": 2.14, "lift_low": 2.04, "lift_high": 2.24}
    rows = [
        one(CLUSTER_PROFILES, cluster=f"c{n}", name=name, label="-", listeners=size, feature=feature, z=z, **lift)
        for n, name, size in ((10, "night listeners", 50), (9, "day listeners", 9), (8, "listeners of jazz", 40))
        for feature, z in (("night_share_28d", 1.5 - n / 10), ("share_jazz_28d", n / 10))
    ]
    put(lake, CLUSTER_PROFILES, rows, DAY)
    put(lake, LINEAGE, [one(LINEAGE, cluster="c10", event="split", other="c8", share=0.25), one(LINEAGE, cluster="c9", event="birth")], DAY)
    text = render(collect(lake, DAY, None))
    cards = [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in re.findall(r"<li><b>c\d.*?</li>", text, re.DOTALL)]
    jazz, night = "jazz 2.1 times everybody's (2.0 to 2.2)", "plays in the night 2.1 times everybody's (2.0 to 2.2)"
    assert cards == [
        f"c8 40 40% listeners of jazz - {html.escape(f'{jazz}; {night}').replace('&#x27;', '&#39;')}",
        "c9 under 10 too few to be described",
        f"c10 50 51% night listeners - {html.escape(f'{jazz}; {night}').replace('&#x27;', '&#39;')}",
    ]
    assert "What changed on 2026-11-09: cluster c9 is new; cluster c10 split off from c8 with 25% of its listeners." in Seen(text).words
    assert "in cluster c8 (listeners of jazz)" in text


def test_features_that_tell_clusters_apart_come_first_and_the_others_are_put_away(tmp_path: Path) -> None:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    far = {"hours_28d": (0.1, 0.31), "likes_28d": (-0.29, 0.02), "skip_rate_28d": (2.0, -0.2), "mean_energy_28d": (0.0, -0.04)}
    rows = [(name, cluster, z[n]) for name, z in far.items() for n, cluster in enumerate(("c1", "c2"))]
    put(lake, CLUSTER_PROFILES, [one(CLUSTER_PROFILES, cluster=c, label="-", feature=name, z=z, listeners=50) for name, c, z in rows], DAY)
    shown, _, hidden = render(collect(lake, DAY, None)).partition("<summary>2 features in which no cluster differs much</summary>")
    assert re.findall(r'scope="row"[^>]*>([^<]+)<', shown)[-2:] == ["plays skipped", "hours heard"]
    assert re.findall(r'scope="row"[^>]*>([^<]+)<', hidden) == ["likes, saves and playlist adds", "energy"]
    assert re.findall(r'class="cell" style[^>]+>([^<]*)<', hidden) == ["-0.3", "0", "0", "0"], "what rounds to nothing has no sign"


def test_groups_of_fewer_than_ten_listeners_are_neither_sized_nor_described(tmp_path: Path) -> None:
    """The means of a cluster of one are that listener's own."""
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    for name, size in (("c1", 10), ("c2", 9)):
        rows = [
            one(CLUSTER_PROFILES, cluster=name, label=f"more: hours heard in {name}", feature="hours_28d", mean=7.77, z=2, listeners=size)
        ]
        lake.append(CLUSTER_PROFILES, pa.Table.from_pylist(rows, arrow_schema(CLUSTER_PROFILES)), Note(name))
    put(lake, USER_SEGMENTS, [one(USER_SEGMENTS, listener_id=who(n), segment="active" if n < 10 else "lapsing") for n in range(19)], DAY)
    text = render(collect(lake, DAY, None))
    assert "hours heard in c1" in text
    assert re.findall(r"<li><b>(c\d)</b> <span[^>]+>([^<]+)</span> <small>([^<]*)</small>", text) == [
        ("c1", "10", "53%"),
        ("c2", "under 10", ""),
    ]
    assert "hours heard in c2" not in text
    assert text.count("mean 7.77") == 1
    assert bars(text)["active"] == (100, 10)
    assert "lapsing" not in bars(text)
    assert "Fewer than ten listeners each: lapsing." in text


def test_the_words_of_a_cluster(text: str) -> None:
    assert traits("more: share of r&b among plays of known genre; less: mean valence of tracks played") == (
        Trait("above", "r&b"),
        Trait("below", "valence"),
    )
    assert traits("close to everybody's average") == (Trait("", "close to everybody's average"),)
    assert [short(meaning(name)) for name in ("episode_share_28d", "evening_share_28d", "session_minutes_28d", "hours_1d")] == [
        "podcast episodes",
        "plays in the evening",
        "minutes of a session",
        "hours heard",
    ]


def test_no_two_clustered_features_are_shortened_to_the_same_words() -> None:
    monthly = [column.meaning for column in USER_FEATURES.columns if column.name.endswith("_28d")]
    assert len({short(words) for words in monthly}) == len(monthly) > 30


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [(0, 0, "-"), (0, 9, "0%"), (9, 9, "100%"), (1, 3, "33%"), (1, 500, "0.20%"), (499, 500, "99.80%"), (1, 10**6, "under 0.01%")],
)
def test_a_share_is_never_rounded_to_nothing_or_all(part: int, whole: int, words: str) -> None:
    assert share(part, whole) == words


def test_drivers_tell_in_which_direction_they_drive(lake: ArrowLake) -> None:
    drivers = [{"feature": name, "effect": 0.1, "direction": rank} for name, rank in (("a", 0.9), ("b", -0.9), ("c", 0.2), ("d", None))]
    text = render(collect(lake, DAY, {**SUMMARY, "drivers": drivers}))
    assert re.findall(r"<span>([a-d])(?: <[^>]+>(.)</span>)?</span>", text) == [("a", "↑"), ("b", "↓"), ("c", ""), ("d", "")]


def test_assumed_consent_is_said_at_the_top(text: str, tmp_path: Path) -> None:
    warning = "Consent is assumed here."
    assert warning not in text
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    put(lake, SILVER_LISTENERS, [said(0), said(1, basis="assume")], DAY)
    text = render(collect(lake, DAY, None))
    assert warning in text.split("The flow")[0]
    assert "agreed, or are assumed to" in text
    assert "agreed to advertising profiles" not in text, "nobody agreed to anything"


def test_reasons_beyond_the_most_frequent_are_summed(tmp_path: Path) -> None:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    counts = {f"r{n}": 20 - n for n in range(REASONS + 2)}
    rows = [one(QUARANTINE, target=f"t{n % 2}", reason=reason, position=n) for reason, rows in counts.items() for n in range(rows)]
    put(lake, QUARANTINE, rows)
    found = collect(lake, DAY, None).refused
    assert [(bar.label, bar.value) for bar in found] == [*list(counts.items())[:REASONS], ("2 other reasons", 6 + 5)]
    assert found[1].note == "t0 10, t1 9"
    assert sum(bar.value for bar in found) == len(rows)


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, success criterion 1.4.3: text needs 4.5."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_text_can_be_read_in_light_and_in_dark(text: str) -> None:
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{[^}]+\}", text))
    assert set(light) == set(dark)
    for colours in (light, dark):
        for ink, ground in itertools.product(("ink", "soft", "main", "warm"), ("ground", "card")):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert contrast(colours["on-main"], colours["main"]) >= 4.5
        assert contrast(colours["ink"], colours["warm-ground"]) >= 4.5
        for z in (9, -9):  # the strongest cells of the heat map
            red, green, blue, opacity = (float(part) for part in re.findall(r"[\d.]+", heat(z)))
            card = [int(colours["card"][n : n + 2], 16) for n in (1, 3, 5)]
            mixed = [round(opacity * own + (1 - opacity) * under) for own, under in zip((red, green, blue), card, strict=True)]
            assert contrast(colours["ink"], "#" + "".join(f"{part:02x}" for part in mixed)) >= 4.5


def test_pictures_have_words_for_those_who_do_not_see_them(page: Seen) -> None:
    for tag, attributes in page.tags:
        if attributes.get("role") == "img" or tag == "svg":
            assert attributes.get("aria-label")
        if attributes.get("class") == "track":
            assert attributes.get("aria-hidden") == "true", "its number stands beside it"
    assert {attributes["id"] for _, attributes in page.tags if "id" in attributes} == {
        attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes
    }


def test_the_models_numbers_have_their_intervals(page: Seen) -> None:
    assert page.row("AUC")[:3] == ["AUC", "0.731", "0.710 to 0.752"]
    assert page.row("clicks over")[:3] == ["clicks over expected clicks", "1.020", "- to -"], "an end nobody measured is none"
    assert all(row[3] for row in page.rows if len(row) == 4 and row[0] in ("AUC", "clicks over expected clicks"))
    assert "predicted 9.00%, clicked 8.10% (6.00% to 10.00%) of 1,499" in page.words, "the curve is there in numbers too"
    assert "Trained on 12,000 impressions of 2026-10-01 to 2026-10-21, tested on 4,499 later ones of 2026-10-30 to 2026-11-06" in page.words
    assert "5 gates passed" in page.words
    assert "Version 3 serves, approved by Grace; trained by Ada" in page.words


def test_what_came_in_is_accounted_for(page: Seen) -> None:
    assert "140 records came in: 120 kept, 9 in quarantine, 11 known already" in page.words


def test_bookings_tell_flight_and_budget(page: Seen) -> None:
    booked = page.row("morning coffee")[0]
    for words in ("Hafen Coffee", "2026-11-10 to 2026-11-30", "12,000 EUR, at most 3 a day"):
        assert words in booked


def test_every_published_table_is_listed(page: Seen, lake: ArrowLake) -> None:
    assert page.row("targeting.audiences") == ["targeting.audiences", TABLES["targeting.audiences"].row, "2", str(lake.version(AUDIENCES))]
    assert "bronze.weather" not in page.words


def test_the_curve_is_well_formed_and_to_scale(text: str) -> None:
    (drawing,) = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    found = ET.fromstring(drawing)  # noqa: S314  # our own page
    dots = [(float(one.get("cx", "")), float(one.get("cy", ""))) for one in found.iter("circle")]
    top = 0.1
    wanted = [(one["score"] / top * SIZE, SIZE - one["rate"] / top * SIZE) for one in SUMMARY["calibration"]]
    assert dots == [pytest.approx(pair, abs=0.06) for pair in wanted]
    titles = [one.text for one in found.iter("title")]
    assert titles[0] == "predicted 1.00%, clicked 0.80% (0.20% to 2.00%) of 1,500"
    lines = [one for one in found.iter("line") if one.get("class") == "ideal"]
    assert [(one.get("x1"), one.get("y2")) for one in lines] == [("0", "0")]
    for path in found.iter("path"):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d", ""))]
        assert numbers
        assert all(-0.1 <= number <= SIZE + 0.1 for number in numbers)


@pytest.mark.parametrize("summary", [None, SUMMARY])
def test_an_empty_lake_has_a_page_of_plain_sentences(summary: dict[str, Any] | None, tmp_path: Path) -> None:
    nothing = None if summary is None else {**SUMMARY, "calibration": [], "drivers": [], "metrics": {}}
    text = render(collect(ArrowLake(Address.parse(str(tmp_path / "lake"))), DAY, nothing))
    words = Seen(text).words
    for sentence in (
        "No audience was built.",
        "No consenting listener is in any segment.",
        "Too few consenting listeners to cluster.",
        "Nothing was refused.",
        "on 0 tables, none failed",
    ):
        assert sentence in words
    assert ("no ad-response model was trained" in words) == (summary is None)
    assert ("Nobody has approved a version" in words) == (summary is not None)
    assert set(boxes(text).values()) == {0}
    for word in ("None", "nan", "Undefined"):
        assert word not in words


def test_a_feed_without_ads_shows_no_stage_it_never_had(tmp_path: Path) -> None:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    filled(lake, trained=False)
    text = render(collect(lake, DAY, None))
    assert not {"examples", "models", "scores"} & set(boxes(text))
    assert "This feed has no ad log, so no ad-response model was trained" in text
    put(lake, EXAMPLES, [one(EXAMPLES, listener_id=who(1), impression_id=who(1))], DAY)
    assert "No model was trained yet." in render(collect(lake, DAY, None))


HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;"


def test_no_text_becomes_markup(tmp_path: Path) -> None:
    """Names come from advertisers, feeds and people; each is shown as it was written."""
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    filled(lake)
    booked = campaign(HOSTILE, advertiser=HOSTILE, include=(HOSTILE,), category=HOSTILE, top_share=0.5)
    put(lake, AUDIENCES, [audience(booked, 30, reason=HOSTILE, basis=HOSTILE)], DAY)
    put(lake, CLUSTER_PROFILES, [one(CLUSTER_PROFILES, cluster=HOSTILE, label=HOSTILE, feature=HOSTILE)], DAY)
    put(lake, USER_SEGMENTS, [one(USER_SEGMENTS, segment=HOSTILE)], DAY)
    put(lake, QUARANTINE, [one(QUARANTINE, reason=HOSTILE, target=HOSTILE, payload=HOSTILE)])
    put(lake, APPROVALS, [one(APPROVALS, model="response", by=HOSTILE, author=HOSTILE, version=HOSTILE)])
    drivers = [{"feature": HOSTILE, "effect": 1.0}]
    page = Seen(render(collect(lake, DAY, {**SUMMARY, "drivers": drivers, "gate": {"reason": HOSTILE}})))
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert not [name for _, given in page.tags for name in given if name.startswith("on")]
    assert page.words.count(HOSTILE) >= 12
    assert page.words.count(HOSTILE) == page.words.count("alert('x')")


def test_no_listener_is_on_it(text: str) -> None:
    assert not re.search(r"[0-9a-f]{32}", text)


def test_what_a_campaign_asks_for_in_words() -> None:
    plain = {"include": [], "exclude": [], "clusters": [], "top_share": None, "category": "food"}
    assert asks({**plain, "include": ["night_owls", "active"]}) == "in night owls or active"
    assert asks({**plain, "clusters": ["c1", "c2"], "exclude": ["active", "lapsing"]}) == "in cluster c1 or c2, not in active nor lapsing"
    assert asks({**plain, "top_share": 0.25}) == "among the 25% likeliest to click on food"


def test_consent_counts_only_those_who_listened(tmp_path: Path) -> None:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    put(lake, USER_FEATURES, [one(USER_FEATURES, listener_id=who(n)) for n in range(4)], DAY)
    put(lake, SILVER_LISTENERS, [said(0), said(1, age="unknown"), said(2, consent="withdrawn"), said(77)], DAY)
    assert [bar.value for bar in collect(lake, DAY, None).consent] == [4, 3, 2, 1]


RATES = st.floats(1e-6, 1.0)


@given(st.lists(st.tuples(RATES, RATES, RATES, RATES), min_size=1, max_size=20))
def test_a_curve_keeps_proportions_and_stays_inside(numbers: list[tuple[float, ...]]) -> None:
    bins = []
    for score, *rest in numbers:
        low, rate, high = sorted(rest)
        bins.append({"score": score, "rate": rate, "low": low, "high": high, "rows": 10})
    curve = Curve.of(bins)
    scale = curve.points[0].x / bins[0]["score"]
    for found, asked in zip(curve.points, bins, strict=True):
        assert found.x == pytest.approx(asked["score"] * scale)
        assert SIZE - found.y == pytest.approx(asked["rate"] * scale, abs=1e-9)
        assert 0 <= found.x <= SIZE * (1 + 1e-9)
        assert -1e-6 <= found.high <= found.y + 1e-9
        assert found.y <= found.low + 1e-9 <= SIZE + 1e-6
    places = [place for place, _ in curve.ticks]
    assert places[0] == 0
    assert places[-1] == pytest.approx(SIZE)
    assert places == sorted(places)
    assert len(places) <= 7
    for place, words in curve.ticks:
        assert float(words.removesuffix("%")) / 100 * scale == pytest.approx(place, rel=0.01)


@given(st.floats(1e-9, 1e9))
def test_a_nice_step_is_the_next_round_number(step: float) -> None:
    found = nice(step)
    assert found >= step * 0.999
    assert found <= step * 2.5 * 1.001
    mantissa = found / 10 ** math.floor(math.log10(found * 1.0001))
    assert any(mantissa == pytest.approx(one) for one in (1, 2, 2.5, 5))


def test_a_curve_without_points_draws_nothing() -> None:
    curve = Curve.of([])
    assert (curve.points, curve.line, curve.band) == ((), "", "")
    assert [place for place, _ in curve.ticks] == [0, SIZE]


def test_heat_grows_with_distance_and_turns_with_its_sign() -> None:
    strengths = [float(heat(z).split(", ")[-1][:-1]) for z in (0, 0.3, 0.9, STRONG, 9)]
    assert strengths == [0, 0.12, 0.36, FULL, FULL]
    assert heat(-0.3).split(", ")[:3] != heat(0.3).split(", ")[:3]
    assert heat(-0.3).split(", ")[3] == heat(0.3).split(", ")[3]
