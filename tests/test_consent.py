"""What an operator says of listeners whose feed brings no statements: read to the letter, or refused with the line that is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from feeds import ANNA, BERT, CLOCK, EXAMPLES, at, pseudonym_of, put
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.contracts.events import AGE_BANDS, CONSENTS, LISTENERS
from jobs.contracts.operations import VERDICTS
from jobs.ingest import ingest
from jobs.lake.key import load_key
from jobs.sources.consent import Statement, basis_of, statements
from jobs.sources.parsing import Taking
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.lake.spark import SparkLake

KEY = bytes(range(32))
TAKING = Taking("eventsim", KEY, datetime(2026, 11, 20, tzinfo=UTC))
HEADER = "user,consent,age_band,from,time_zone"


def test_a_basis_is_one_of_three_words(tmp_path: Path) -> None:
    assert basis_of("none") == ("none", None)
    assert basis_of("assume") == ("assume", None)
    kind, path = basis_of("file:a/b:c.csv")
    assert (kind, str(path)) == ("file", "a/b:c.csv")
    for wrong in ("", "all", "file", "file:", "none:x", "assume:x"):
        with pytest.raises(WrongUse, match=r"choose none, assume or file:consent\.csv"):
            basis_of(wrong)


def test_a_consent_file_is_read_to_the_letter(tmp_path: Path) -> None:
    path = tmp_path / "consent.csv"
    path.write_bytes(
        f"\ufeff{HEADER}\r\n {ANNA} ,granted,25_34,2026-11-01,Europe/Rome\r\n\r\n{BERT},refused,unknown,2026-11-02,\r\n".encode()
    )
    first, second = (pseudonym_of(KEY, "eventsim", raw) for raw in (ANNA, BERT))
    assert statements(path, TAKING) == [
        Statement(first, "granted", "25_34", date(2026, 11, 1), "Europe/Rome", 1),
        Statement(second, "refused", "unknown", date(2026, 11, 2), None, 3),
    ]
    assert statements(path, TAKING)[0].moment == datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("user,consent,from\n", "the header lacks age_band; needed: user, consent, age_band, from"),
        (f"{HEADER}\n,granted,25_34,2026-11-01,\n", "line 2: user is empty"),
        (
            f"{HEADER}\na,granted,25_34,2026-11-01,\n\nb,grnted,25_34,2026-11-01,\n",
            "line 4: unknown consent 'grnted'; did you mean 'granted'?",
        ),
        (f"{HEADER}\na,granted,25-34,2026-11-01,\n", "line 2: unknown age_band '25-34'; did you mean '25_34'?"),
        (f"{HEADER}\na,granted\n", "line 2: unknown age_band None"),
        (f"{HEADER}\na,granted,25_34,01.11.2026,\n", "line 2: from is '01.11.2026', no date of the form 2026-11-01"),
        (
            f"{HEADER}\na,granted,25_34,2026-11-21,\n",
            "line 2: from is 2026-11-21, which lies ahead; the latest",
        ),
        (f"{HEADER}\na,granted,25_34,2026-11-01,Europe/Rom\n", "line 2: unknown time_zone 'Europe/Rom'; did you mean 'Europe/Rome'?"),
        (f"{HEADER}\ncaf\udce9,granted,25_34,2026-11-01,\n", "byte 40 is no UTF-8"),
    ],
)
def test_a_wrong_line_is_named(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "consent.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(WrongUse) as refused:
        statements(path, TAKING)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'{HEADER}\na,granted,25_34,2026-11-01,\n"{"x" * 200_000}",granted,25_34,2026-11-01,\n', "line 3: field larger than field limit"),
        (f"{HEADER}\na,granted,25_34,0001-01-01,\n", "line 2: from is 0001-01-01; the earliest that can hold is 2000-01-01"),
        (f"{HEADER}\na,{'granted' * 99},25_34,2026-11-01,\n", "line 2: unknown consent 'grantedgranted"),
        (f"{HEADER}\na,granted,25_34,{'9' * 9999},\n", "line 2: from is '9999"),
        ("", "the header lacks user, consent, age_band, from"),
        ("\n\n", "the header lacks user"),
    ],
    ids=lambda text: text[-20:],
)
def test_a_line_made_to_do_harm_is_named_in_few_words(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "consent.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WrongUse) as refused:
        statements(path, TAKING)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 1_000 + len(str(path))


@settings(max_examples=settings.default.max_examples * 8)
@given(st.data())
def test_a_damaged_consent_file_is_read_or_refused_by_name(tmp_path: Path, data: st.DataObject) -> None:
    good = f"{HEADER}\n{ANNA},granted,25_34,2026-11-01,Europe/Rome\n{BERT},refused,unknown,2026-11-02,\n".encode()
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 40)))
    new = data.draw(
        st.sampled_from([b"", b'"', b"\0", b"\r", b"\n", b",", b"\xff", b"0001-01-01", b"\xef\xbb\xbf", b"9" * 300]) | st.binary(max_size=8)
    )
    path = tmp_path / "consent.csv"
    path.write_bytes(good[:start] + new + good[end:])
    try:
        found = statements(path, TAKING)
    except WrongUse as refused:
        said = str(refused)
    else:
        said = str(path)
        assert all(one.consent in CONSENTS and one.age_band in AGE_BANDS for one in found)
        assert all(date(2000, 1, 1) <= one.since <= TAKING.clock.date() for one in found)
    assert said.startswith(str(path))


def test_a_consent_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"there is no file '.*nowhere\.csv'"):
        statements(tmp_path / "nowhere.csv", TAKING)


def test_said_by_file_or_assumed_each_is_marked_and_added_once(lake: SparkLake, tmp_path: Path) -> None:
    folder = put(tmp_path / "feed", EXAMPLES["lastfm"].late)
    consent = put(tmp_path, {"consent.csv": f"{HEADER}\n{ANNA},granted,25_34,2026-11-01,\n".encode()}) / "consent.csv"
    stated = [ingest(lake, "lastfm", [folder], clock=CLOCK, basis=basis).stated for basis in (f"file:{consent}", "assume", "assume")]
    assert stated == [1, 1, 0]
    assert {row["success"] for row in lake.arrow.read(VERDICTS).to_pylist() if row["target"] == LISTENERS.name} == {True}
    assert ingest(lake, "lastfm", [folder], clock=CLOCK, basis=f"file:{consent}").stated == 0
    key = load_key(lake.address)
    names = ("listener_id", "basis", "consent", "age_band", "event_ts", "known_ts", "file", "position")
    found = [tuple(row[name] for name in names) for row in lake.arrow.read(LISTENERS).to_pylist()]
    first_play = at(2, 13, 54, 10)
    assert sorted(found, key=str) == sorted(
        [
            (pseudonym_of(key, "lastfm", ANNA), "file", "granted", "25_34", at(1, 0), at(1, 0), "consent.csv", 1),
            (pseudonym_of(key, "lastfm", BERT), "assume", "granted", "unknown", first_play, at(2, 13, 55, 10), "--basis", 0),
        ],
        key=str,
    )
    with pytest.raises(WrongUse, match="the native feed brings listeners' own statements; leave --basis out"):
        ingest(lake, "native", [folder], clock=CLOCK, basis="assume")
