"""The campaign file: what is right is read in full, what is wrong is named with its file, campaign, field, value and choices."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.segments import SEGMENTS
from targeting.campaigns import CATEGORIES, EXPORTS, FIELDS, MINIMUM, Campaign, load
from targeting.exports import EXPORTS as WRITERS
from validation.verdict import WrongUse

ROOT = Path(__file__).parent.parent
GOOD: dict[str, Any] = {
    "name": "morning_coffee",
    "advertiser": "Hafen Coffee",
    "category": "food",
    "flight": {"from": date(2026, 11, 10), "to": date(2026, 11, 30)},
    "budget": {"amount": 12000.5, "currency": "EUR"},
    "cap_per_day": 3,
    "include": ["commuters"],
    "exclude": ["impatient"],
    "clusters": ["c1"],
    "top_share": 0.25,
    "holdout": 0.2,
    "minimum": 2000,
    "export": "csv",
}
NEEDED = ("name", "advertiser", "category", "flight", "budget", "cap_per_day")
GONE = object()


def written(folder: Path, *campaigns: dict[str, Any]) -> Path:
    path = folder / "campaigns.yaml"
    path.write_text(yaml.safe_dump({"campaigns": list(campaigns)}), encoding="utf-8")
    return path


def changed(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in (GOOD | fields).items() if value is not GONE}


def test_every_field_is_read(tmp_path: Path) -> None:
    (found,) = load(written(tmp_path, GOOD))
    assert found == Campaign(
        name="morning_coffee",
        advertiser="Hafen Coffee",
        category="food",
        first_day=date(2026, 11, 10),
        last_day=date(2026, 11, 30),
        budget_micros=12_000_500_000,
        currency="EUR",
        cap_per_day=3,
        include=("commuters",),
        exclude=("impatient",),
        clusters=("c1",),
        top_share=0.25,
        holdout=0.2,
        minimum=2000,
        export="csv",
    )
    assert set(GOOD) == set(FIELDS), "a field nobody tests"


def test_what_is_left_out_has_careful_defaults(tmp_path: Path) -> None:
    (found,) = load(written(tmp_path, {name: GOOD[name] for name in (*NEEDED, "include")}))
    assert (found.exclude, found.clusters, found.top_share) == ((), (), None)
    assert (found.holdout, found.minimum, found.export) == (0.1, MINIMUM, "parquet")
    assert MINIMUM == 1_000


def test_a_definition_holds_every_word_and_no_order(tmp_path: Path) -> None:
    (one,) = load(written(tmp_path, GOOD))
    (turned,) = load(written(tmp_path, dict(reversed(GOOD.items()))))
    assert one.definition == turned.definition
    said = json.loads(one.definition)
    assert (said["first_day"], said["include"], said["top_share"]) == ("2026-11-10", ["commuters"], 0.25)
    (other,) = load(written(tmp_path, changed(holdout=0.21)))
    assert other.definition != one.definition


@pytest.mark.parametrize(("file", "campaigns"), [("campaigns.yaml", 6), ("campaigns-small.yaml", 3)])
def test_the_example_files_are_right(file: str, campaigns: int) -> None:
    found = load(ROOT / "infra" / file)
    assert len({one.name for one in found}) == campaigns
    assert {one.export for one in load(ROOT / "infra/campaigns.yaml")} == set(EXPORTS), "the example shows every form of export"


def test_what_a_campaign_may_choose_is_what_there_is() -> None:
    assert set(EXPORTS) == set(WRITERS)


FLIGHT, BUDGET = GOOD["flight"], GOOD["budget"]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"includes": ["commuters"]}, r"unknown field 'includes'; did you mean 'include'\?"),
    ({1: 2}, r"unknown field 1; choose from advertiser, "),
    *(({name: GONE}, rf"{name} is ") for name in NEEDED),
    ({"name": "Morning Coffee"}, r"name is 'Morning Coffee'; it has to be lower_snake_case"),
    ({"name": "../../etc/passwd"}, r"name is '\.\./\.\./etc/passwd'; it has to be lower_snake_case"),
    ({"name": "a" * 65}, r"at most 64 letters"),
    ({"name": "coffee\n"}, r"name is 'coffee\\n'"),
    ({"name": 7}, r"name is 7; it has to be"),
    ({"advertiser": " "}, r"advertiser is ' '; it has to be a name"),
    ({"advertiser": ["Hafen"]}, r"advertiser is \['Hafen'\]"),
    ({"category": "foot"}, r"category is 'foot'; did you mean 'food'\?"),
    ({"category": "zzz"}, rf"category is 'zzz'; choose from {', '.join(sorted(CATEGORIES))}"),
    ({"category": ["food"]}, r"category is \['food'\]"),
    ({"flight": {"from": FLIGHT["from"]}}, r"flight is \{.*\}; it has exactly from and to"),
    ({"flight": "always"}, r"flight is 'always'; it has exactly from and to"),
    ({"flight": {**FLIGHT, "until": 1}}, r"it has exactly from and to"),
    ({"flight": {**FLIGHT, "from": "soon"}}, r"from is 'soon'; it has to be a date such as 2026-11-10"),
    ({"flight": {**FLIGHT, "to": 20261130}}, r"to is 20261130; it has to be a date"),
    ({"flight": {"from": date(2026, 11, 30), "to": date(2026, 11, 10)}}, r"flight: to 2026-11-10 lies before from 2026-11-30"),
    ({"budget": 12000}, r"budget is 12000; it has exactly amount and currency"),
    ({"budget": {**BUDGET, "amount": -1}}, r"amount is -1; it has to be a positive number"),
    ({"budget": {**BUDGET, "amount": 0}}, r"amount is 0; it has to be a positive number"),
    ({"budget": {**BUDGET, "amount": True}}, r"amount is True; it has to be a positive number"),
    ({"budget": {**BUDGET, "amount": "12k"}}, r"amount is '12k'; it has to be a positive number"),
    ({"budget": {**BUDGET, "amount": float("nan")}}, r"amount is nan; it has to be a positive number"),
    ({"budget": {**BUDGET, "amount": float("inf")}}, r"amount is inf; it has to be a positive number"),
    ({"budget": {**BUDGET, "amount": 1e15}}, r"amount is 1000000000000000\.0; it has to be a positive number"),
    ({"budget": {**BUDGET, "currency": "euro"}}, r"currency is 'euro'; it has to be an ISO 4217 code such as EUR"),
    ({"cap_per_day": 0}, r"cap_per_day is 0; it has to be a whole number from 1 to 50"),
    ({"cap_per_day": 51}, r"cap_per_day is 51; it has to be"),
    ({"cap_per_day": 2.5}, r"cap_per_day is 2\.5; it has to be"),
    ({"cap_per_day": True}, r"cap_per_day is True; it has to be"),
    ({"include": ["commutters"]}, r"include: unknown segment 'commutters'; did you mean 'commuters'\?"),
    ({"exclude": ["zzz"]}, rf"exclude: unknown segment 'zzz'; choose from {sorted(s.name for s in SEGMENTS)[0]}, "),
    ({"include": "commuters"}, r"include is 'commuters'; it has to be a list of names"),
    ({"include": [1]}, r"include is \[1\]; it has to be a list of names"),
    ({"include": ["commuters", "commuters"]}, r"include: 'commuters' stands twice"),
    ({"exclude": ["commuters"]}, r"exclude: 'commuters' is in include too"),
    ({"clusters": ["cluster1"]}, r"clusters: 'cluster1' is no cluster; clusters are called c1, c2"),
    ({"clusters": ["c0"]}, r"clusters: 'c0' is no cluster"),
    ({"top_share": 0}, r"top_share is 0; it has to be a share above 0, up to 1"),
    ({"top_share": 1.01}, r"top_share is 1\.01"),
    ({"top_share": "0.5"}, r"top_share is '0\.5'"),
    ({"top_share": float("nan")}, r"top_share is nan"),
    ({"top_share": True}, r"top_share is True"),
    ({"holdout": 1}, r"holdout is 1; it has to be a share from 0 to below 1"),
    ({"holdout": -0.1}, r"holdout is -0\.1"),
    ({"holdout": None}, r"holdout is None"),
    ({"minimum": 0}, r"minimum is 0; it has to be a whole number of listeners"),
    ({"minimum": 9}, r"minimum is 9; it has to be a whole number of listeners from 10 to 1,000,000,000"),
    ({"minimum": 10**9 + 1}, r"minimum is 1000000001; it has to be a whole number of listeners from 10 to 1,000,000,000"),
    ({"budget": {"amount": 1, "currency": "ZZZ"}}, r"currency is 'ZZZ'; it has to be an ISO 4217 code such as EUR"),
    ({"minimum": 1000.0}, r"minimum is 1000\.0; it has to be a whole number of listeners"),
    ({"export": "xml"}, r"export is 'xml'; choose from csv, parquet"),
    ({"export": "parket"}, r"export is 'parket'; did you mean 'parquet'\?"),
    (
        {"include": GONE, "exclude": GONE, "clusters": GONE, "top_share": GONE},
        r"it asks for everybody; name include, clusters or top_share",
    ),
    ({"include": [], "clusters": [], "top_share": None}, r"it asks for everybody"),
]


@pytest.mark.parametrize(("fields", "words"), WRONG, ids=[f"{n}-{words[:24]}" for n, (_, words) in enumerate(WRONG)])
def test_a_wrong_value_is_named_with_its_place(fields: dict[str, Any], words: str, tmp_path: Path) -> None:
    good = GOOD | {"name": "the_other"}
    assert load(written(tmp_path, good, GOOD))
    path = written(tmp_path, good, {name: value for name, value in (GOOD | fields).items() if value is not GONE})
    with pytest.raises(WrongUse, match=words) as caught:
        load(path)
    place = f"{path}, campaign 2 "
    assert str(caught.value).startswith(place)
    if "name" not in fields:
        assert str(caught.value).startswith(f"{place}(morning_coffee): ")


def test_the_smallest_minimum_is_what_sizes_are_rounded_to(tmp_path: Path) -> None:
    (found,) = load(written(tmp_path, changed(minimum=10)))
    assert found.minimum == 10


def test_two_campaigns_of_one_name(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, GOOD)
    with pytest.raises(WrongUse, match=r"campaigns\.yaml: two campaigns are called 'morning_coffee'"):
        load(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("campaigns: [", "not YAML"),
        ("campaigns:\n  - name: a\n    name: b\n", "'name' stands twice, line 2"),
        ("a: &a [*a]\n", "one key, campaigns"),
        ("campaigns:\n  - ? [1, 2]\n    : 3\n", "not YAML"),
        ("", "one key, campaigns, with a list of campaigns"),
        ("campaigns: []\n", "with a list of campaigns"),
        ("campaigns: {name: a}\n", "with a list of campaigns"),
        ("campaigns: [morning]\n", r"campaign 1: 'morning' is no campaign; a campaign has name, advertiser"),
        ("campaign: []\n", "one key, campaigns"),
        ("campaigns: []\nmore: 1\n", "one key, campaigns"),
        ("campaigns: !!python/object/apply:os.system ['touch {mark}']\n", "not YAML: could not determine a constructor"),
        ("campaigns: !!python/name:os.getcwd\n", "not YAML"),
        ("campaigns:\n  - <<: {{name: a}}\n", "not YAML|advertiser is missing|flight is None"),
    ],
)
def test_what_is_no_campaign_file(text: str, words: str, tmp_path: Path) -> None:
    path, mark = tmp_path / "campaigns.yaml", tmp_path / "mark"
    path.write_text(text.replace("{mark}", str(mark)).replace("{{", "{").replace("}}", "}"), encoding="utf-8")
    with pytest.raises(WrongUse, match=words) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert not mark.exists(), "a file of data ran code"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "campaigns.yaml"
    path.write_bytes(b"campaigns: \xff\xfe\n")
    with pytest.raises(WrongUse, match="not YAML"):
        load(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"there is no campaign file '.*/nowhere\.yaml'"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(WrongUse, match="there is no campaign file"):
        load(tmp_path)
