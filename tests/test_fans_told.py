"""What the commands and the page say of fans and communities."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from small_lake import DAY, filled, one, put

from jobs.contracts.fans import ARTIST_FANS, FAN_TRANSITIONS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from targeting.__main__ import main
from targeting.fans import fans
from targeting.page import collect, render

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> ArrowLake:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    filled(lake, trained=False)
    return lake


def answered(lake: ArrowLake, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main([*words, "--lake", lake.address.uri])
    return capsys.readouterr().out


def test_fans_are_told_in_words(place: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    said = answered(place, capsys, "fans", "list")
    assert "The top 2% of an artist's listeners hold 18% [15%, 22%] of its streams (Spotify says of its own: 18%)." in said
    moves = "Within a week 25.0% [20.0%, 31.0%] of light listeners became moderate"
    by_time = "30.0% [20.0%, 31.0%] of those who had come there that week, 25.0% [20.0%, 31.0%] of the others"
    assert f"{moves}: {by_time}." in said
    assert "Of 30 pairs of a listener and an artist in 28 days it is known how the listener came to the artist." in said
    row = json.loads(answered(place, capsys, "fans", "show", "Ada", "--json"))[0]
    assert (row["artist"], row["listeners"], row["light"], row["top 2% hold"]) == ("Ada", 30, 10, "-")
    assert json.loads(answered(place, capsys, "fans", "list", "--json", "--date", str(DAY)))["rungs"]
    assert "no fans of 2026-01-01 are known; there are some of 2026-11-09" in answered(
        place, capsys, "fans", "list", "--date", "2026-01-01"
    )


def test_communities_are_told_in_words(place: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    assert "jazz: Ada" in answered(place, capsys, "communities", "list")
    said = answered(place, capsys, "communities", "show", "m1")
    assert "m1: about 30 listeners who agreed to advertising; they stand out by jazz: Ada" in said
    assert said.splitlines()[-1].split() == ["Ada", "60%", "30%", "2.0"]
    assert "no communities of 2026-01-01 were found" in answered(place, capsys, "communities", "list", "--date", "2026-01-01")


def test_what_a_feed_does_not_say_is_called_unknown(place: ArrowLake) -> None:
    whole: dict[str, Any] = {"artist_id": "all", "listeners": 90, "unknown": 90, "plays": 500}
    put(place, ARTIST_FANS, [one(ARTIST_FANS, **whole)], DAY)
    put(place, FAN_TRANSITIONS, [], DAY)
    told = fans(place, DAY)
    assert told.rungs == (("unknown: the feed does not say how they came to it", 90),)
    assert told.sentences == (
        "Of 100% of 90 pairs of a listener and an artist in 28 days nobody knows how they came about: the feed does not say.",
        "Artists have too few listeners for the share of their top 2% to be told.",
        "So nobody knows who comes closer.",
    )
    put(place, ARTIST_FANS, [one(ARTIST_FANS, **whole | {"unknown": 40, "light": 50})], DAY)
    assert fans(place, DAY).sentences[-1] == "How listeners come closer is known once a week lies behind."
    assert fans(place, DAY).sentences[0].startswith("Of 44% of 90 pairs")


def test_the_page_tells_of_fans_and_communities(place: ArrowLake) -> None:
    page = render(collect(place, DAY, None))
    assert "light: sought it out on one day" in page
    assert "<b>Ada</b>: 30 listeners, 10 super" in page
    assert "<b>m1</b>" in page
    assert "jazz: Ada" in page
