"""Any value in any field of a campaign file, any text as one: right, or refused with file, campaign, field and value, at once."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from test_campaigns import GOOD

from targeting.campaigns import FIELDS, Campaign, load
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from pathlib import Path

PLACES = [(name,) for name in FIELDS if name not in ("flight", "budget")] + [
    *(("flight",), ("flight", "from"), ("flight", "to"), ("budget",), ("budget", "amount"), ("budget", "currency"))
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.dates()
    | st.datetimes()
    | TEXTS
    | st.binary(max_size=5)
    | st.sampled_from(["10**9", "1_000", "0x10", "1e3", ".nan", "~", "c1\n", "Straße", "food ", "EUR\n", "\u202eabc", "a" * 5_000])
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=4)


def placed(value: Any, place: tuple[str, ...]) -> dict[str, Any]:
    changed = {name: dict(old) if isinstance(old, dict) else old for name, old in GOOD.items()}
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return changed


@settings(max_examples=settings.default.max_examples * 8)
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_any_value_in_any_field_is_right_or_named(place: tuple[str, ...], value: Any, tmp_path: Path) -> None:
    path = tmp_path / "campaigns.yaml"
    path.write_text(yaml.safe_dump({"campaigns": [placed(value, place)]}, allow_unicode=True), encoding="utf-8")
    try:
        (campaign,) = load(path)
    except WrongUse as refused:
        said = str(refused)
        assert said.startswith((f"{path}, campaign 1 (", f"{path}: not YAML"))
        assert place[-1] in said or "not YAML" in said
        assert "\n" not in said.removeprefix(str(path)) or "not YAML" in said, "one line"
        assert len(said) < 1_000 + len(str(path))
    else:
        assert plausible(campaign)
        json.loads(campaign.definition)


def plausible(one: Campaign) -> bool:
    """Say what a campaign promises, in other words than the reader's."""
    numbers = [one.holdout, *([one.top_share] if one.top_share is not None else [])]
    return (
        all(math.isfinite(number) and 0 <= number <= 1 for number in numbers)
        and date.min < one.first_day <= one.last_day
        and not isinstance(one.first_day, datetime)
        and 0 < one.budget_micros <= 10**15
        and 0 < one.cap_per_day <= 50
        and 10 <= one.minimum <= 10**9
        and one.advertiser.isprintable()
        and all(isinstance(getattr(one, field.name), tuple | str | int | float | date | None) for field in dataclasses.fields(one))
    )


@settings(max_examples=settings.default.max_examples * 8)
@given(data=st.data())
def test_a_damaged_campaign_file_is_right_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    content = yaml.safe_dump({"campaigns": [GOOD, GOOD | {"name": "other"}]}).encode()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 30)))
    odd = [b"", b"\t", b"\xff", b"\x00", b"&a ", b"*a", b"!!python/name:os.system ", b"'", b"[", b"{", b"- ", b": "]
    new = data.draw(st.sampled_from(odd) | st.binary(max_size=6))
    path = tmp_path / "campaigns.yaml"
    path.write_bytes(content[:start] + new + content[end:])
    try:
        found = load(path)
    except WrongUse as refused:
        said = str(refused)
    else:
        said = str(path) if all(plausible(one) for one in found) else ""
    assert said.startswith(str(path))


BOMB = "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))])
ALIASED = "campaigns:\n  - name: a\n    include: &l [" + ", ".join(["x"] * 9) + "]\n    exclude: *l\n"


@pytest.mark.parametrize(
    "text",
    [
        BOMB + "\ncampaigns: *a11\n",
        "campaigns:\n- [&a0 [x, x], " + ", ".join(f"&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)) + "]\n",
        "campaigns:\n- {name: [&a0 [x, x], " + ", ".join(f"&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)) + "]}\n",
        "campaigns: [" + BOMB.replace("\n", ", ").replace("a0: ", "").replace(": &", " &") + "]\n",
        "campaigns:\n- name: a\n  include: " + "[" * 5_000 + "]" * 5_000,
        "[" * 100_000,
        "{" * 100_000,
        "- " * 50_000,
        "campaigns:\n- name: &n [*n]\n",
        "campaigns:\n- &c {name: a, include: [*c]}\n",
        "campaigns:\n- {name: a, minimum: " + "9" * 10_000 + "}\n",
        "campaigns:\n- {name: a, minimum: 1" + ":59" * 3_000 + "}\n",
        "campaigns:\n- {minimum: 0x" + "F" * 5_000 + "}\n",
        "campaigns:\n- {name: 0x" + "F" * 5_000 + "}\n",
        "campaigns:\n- {0x" + "F" * 5_000 + ": 1}\n",
        "campaigns:\n- {flight: {from: 2026-13-45, to: 2026-11-30}}\n",
        "campaigns:\n- {flight: {from: 2026-11-10T25:00:00Z, to: 2026-11-30}}\n",
        "campaigns:\n- {flight: {from: 0000-01-01, to: 2026-11-30}}\n",
        "campaigns:\n- {? {a: b} : c}\n",
        "campaigns:\n- {? [a] : c}\n",
        "campaigns: !!set {a, b}\n",
        "campaigns: !!binary x\n",
        "campaigns:\n- !!timestamp x\n",
        "campaigns:\n- !!int x\n",
        "campaigns:\n- !!float x\n",
        "campaigns:\n- !!bool x\n",
        "campaigns:\n- !!map x\n",
        "campaigns:\n- !!omap x\n",
        "%YAML 9.9\n---\ncampaigns: []\n",
        "campaigns: []\n---\ncampaigns: []\n",
        "campaigns:\n- {<<: x}\n",
        "campaigns:\n- {<<: [x]}\n",
        ALIASED,
        "campaigns:\n\t- name: a\n",
        "campaigns:\n" + "".join(f"- {{k{n}: 1}}\n" for n in range(20_000)),
        "campaigns:\n- {" + ", ".join(f"k{n}: 1" for n in range(20_000)) + "}\n",
        "".join(f"k{n}: 1\n" for n in range(20_000)),
    ],
    ids=lambda text: text[:20],
)
def test_a_file_made_to_do_harm_is_refused_at_once_and_in_few_words(text: str, tmp_path: Path) -> None:
    path = tmp_path / "campaigns.yaml"
    path.write_text(text, encoding="utf-8")
    began = time.process_time()
    with pytest.raises(WrongUse) as refused:
        load(path)
    assert time.process_time() - began < 20
    assert str(refused.value).startswith(str(path))
    assert len(str(refused.value)) < 1_000 + len(str(path))
