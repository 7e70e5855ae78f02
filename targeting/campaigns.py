"""Campaigns as data: a strict reading of the campaign file. What is wrong is named with its campaign, field and valid choices."""

from __future__ import annotations

import json
import re
import reprlib
from collections import Counter
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import yaml

from jobs.segments import SEGMENTS
from targeting.money import CURRENCIES
from validation.contract import did_you_mean
from validation.gates.release import GRAIN
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
CLUSTER = re.compile(r"c[1-9][0-9]{0,5}")
CATEGORIES = ("auto", "beauty", "electronics", "fashion", "food", "gaming", "travel", "finance")
EXPORTS = ("parquet", "csv")
MINIMUM = 1_000  # below it an audience could point at people
FIELDS = (
    *("name", "advertiser", "category", "flight", "budget", "cap_per_day"),
    *("include", "exclude", "clusters", "top_share", "holdout", "minimum", "export"),
)
MOST_A_DAY = 50  # impressions a listener and day that a cap may allow
LARGEST = 1_000_000_000  # a budget, or a number of listeners, above it is a slip of the keyboard
ENDLESS = 10**100  # a whole number beyond it is shown as it is written: Python refuses to spell those of many digits
CENT = 0.01
LONGEST = 100  # letters of an advertiser's name, and of a wrong value that a message shows


@dataclass(frozen=True)
class Campaign:
    """What an advertiser books, and on whom.

    The audience are listeners in any of the segments `include` and in any of the `clusters` (an empty list asks nothing),
    among the `top_share` with the highest score for `category`, without those in any segment of `exclude`.
    `holdout` of them, at random, are never shown anything: they measure what the campaign changes.
    """

    name: str
    advertiser: str
    category: str
    first_day: date
    last_day: date
    budget_micros: int
    currency: str
    cap_per_day: int
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    top_share: float | None = None
    holdout: float = 0.1
    minimum: int = MINIMUM
    export: str = "parquet"

    @property
    def definition(self) -> str:
        """The campaign as JSON, keys sorted: what an audience's fingerprint covers."""
        return json.dumps(asdict(self), sort_keys=True, default=str)


def load(path: Path) -> tuple[Campaign, ...]:
    """Read a campaign file; anything unknown, missing, doubled or out of range raises `WrongUse`."""
    if not path.is_file():
        raise WrongUse(f"there is no campaign file {str(path)!r}")
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Once)  # noqa: S506  # a SafeLoader that refuses doubled keys
    except OSError as error:
        raise WrongUse(f"the campaign file {str(path)!r} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise WrongUse(f"{path}: not YAML that anybody writes: it is nested too deeply") from error
    except (yaml.YAMLError, ValueError) as error:
        raise WrongUse(f"{path}: not YAML: {str(error)[:LONGEST]}") from error
    if not isinstance(raw, dict) or set(raw) != {"campaigns"} or not isinstance(raw["campaigns"], list) or not raw["campaigns"]:
        raise WrongUse(f"{path}: the file holds one key, campaigns, with a list of campaigns")
    found = tuple(_campaign(one, f"{path}, campaign {number}") for number, one in enumerate(raw["campaigns"], 1))
    for name, times in Counter(one.name for one in found).items():
        if times > 1:
            raise WrongUse(f"{path}: two campaigns are called {name!r}")
    return found


class _Once(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping: YAML would keep the last in silence. A value that is none of its type stays text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        if isinstance(node, yaml.MappingNode):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = [key for key, times in Counter(key for key in keys if isinstance(key, Hashable)).items() if times > 1]
            if twice:
                raise yaml.YAMLError(f"{_shown(twice[0])} stands twice, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
        try:
            found = super().construct_object(node, deep=deep)
            return str(node.value)[:LONGEST] if isinstance(found, int) and abs(found) > ENDLESS else found
        except (ValueError, LookupError, AttributeError):
            # Dates that no calendar has, numbers without end: whoever asks for the field says what it has to be.
            return str(node.value)[:LONGEST]


def _shown(value: object) -> str:
    """Return a value as a message shows it: few words, however many it has, or says that it has by naming itself."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother, short.maxdict = 2, LONGEST, LONGEST, len(FIELDS)
    return short.repr(value)[: 2 * LONGEST]


def _campaign(raw: object, where: str) -> Campaign:
    if not isinstance(raw, dict):
        raise WrongUse(f"{where}: {_shown(raw)} is no campaign; a campaign has {', '.join(FIELDS)}")
    name = raw.get("name", "without a name")
    where = f"{where} ({name if isinstance(name, str) and NAME.fullmatch(name) else _shown(name) if 'name' in raw else name})"
    for field in raw:
        if field not in FIELDS:
            raise WrongUse(f"{where}: unknown field {_shown(field)}{did_you_mean(_shown(field), FIELDS)}")
    flight = _part(raw, "flight", ("from", "to"), where)
    budget = _part(raw, "budget", ("amount", "currency"), where)
    first = _ask(flight, "from", where, _is_date, "a date such as 2026-11-10")
    last = _ask(flight, "to", where, _is_date, "a date such as 2026-11-30")
    if last < first:
        raise WrongUse(f"{where}: flight: to {last} lies before from {first}")
    return Campaign(
        name=_ask(raw, "name", where, lambda v: isinstance(v, str) and bool(NAME.fullmatch(v)), "lower_snake_case of at most 64 letters"),
        advertiser=_ask(raw, "advertiser", where, _is_name, f"a name of at most {LONGEST} letters"),
        category=_choice(raw, "category", CATEGORIES, where),
        first_day=first,
        last_day=last,
        budget_micros=round(_ask(budget, "amount", where, _is_amount, f"a positive number from {CENT} to {LARGEST:,}") * 1_000_000),
        currency=_ask(budget, "currency", where, lambda v: isinstance(v, str) and v in CURRENCIES, "an ISO 4217 code such as EUR"),
        cap_per_day=_ask(
            raw, "cap_per_day", where, lambda v: _is_int(v) and 1 <= v <= MOST_A_DAY, f"a whole number from 1 to {MOST_A_DAY}"
        ),
        **_audience(raw, where),
    )


def _audience(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the optional fields that say whom a campaign wants."""
    names = [segment.name for segment in SEGMENTS]
    found: dict[str, Any] = {
        "include": _list(raw, "include", where, names),
        "exclude": _list(raw, "exclude", where, names),
        "clusters": _list(raw, "clusters", where, None),
    }
    if raw.get("top_share") is not None:
        found["top_share"] = float(_ask(raw, "top_share", where, lambda v: _is_number(v) and 0 < v <= 1, "a share above 0, up to 1"))
    if "holdout" in raw:
        found["holdout"] = float(_ask(raw, "holdout", where, lambda v: _is_number(v) and 0 <= v < 1, "a share from 0 to below 1"))
    if "minimum" in raw:
        found["minimum"] = _ask(raw, "minimum", where, _is_minimum, f"a whole number of listeners from {GRAIN} to {LARGEST:,}")
    if "export" in raw:
        found["export"] = _choice(raw, "export", EXPORTS, where)
    for both in sorted({*found["include"]} & {*found["exclude"]}):
        raise WrongUse(f"{where}: exclude: {both!r} is in include too")
    if not (found["include"] or found["clusters"] or found.get("top_share")):
        raise WrongUse(f"{where}: it asks for everybody; name include, clusters or top_share")
    return found


def _part(raw: Mapping[str, Any], field: str, keys: tuple[str, ...], where: str) -> Mapping[str, Any]:
    part = raw.get(field)
    if not isinstance(part, dict) or set(part) != set(keys):
        raise WrongUse(f"{where}: {field} is {_shown(part)}; it has exactly {' and '.join(keys)}")
    return part


def _ask(raw: Mapping[str, Any], field: str, where: str, valid: Callable[[Any], bool], wanted: str) -> Any:
    if field not in raw:
        raise WrongUse(f"{where}: {field} is missing; it is {wanted}")
    if not valid(raw[field]):
        raise WrongUse(f"{where}: {field} is {_shown(raw[field])}; it has to be {wanted}")
    return raw[field]


def _choice(raw: Mapping[str, Any], field: str, choices: Iterable[str], where: str) -> str:
    value = raw.get(field)
    if value not in list(choices):
        raise WrongUse(f"{where}: {field} is {_shown(value)}{did_you_mean(value if isinstance(value, str) else '', choices)}")
    return str(value)


def _list(raw: Mapping[str, Any], field: str, where: str, choices: list[str] | None) -> tuple[str, ...]:
    value = raw.get(field, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise WrongUse(f"{where}: {field} is {_shown(value)}; it has to be a list of names")
    for one in value:
        if choices is not None and one not in choices:
            raise WrongUse(f"{where}: {field}: unknown segment {_shown(one)}{did_you_mean(one, choices)}")
        if value.count(one) > 1:
            raise WrongUse(f"{where}: {field}: {_shown(one)} stands twice")
        if choices is None and not CLUSTER.fullmatch(one):
            raise WrongUse(f"{where}: {field}: {_shown(one)} is no cluster; clusters are called c1, c2, ...")
    return tuple(value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable() and len(value) <= LONGEST


def _is_date(value: object) -> bool:
    return type(value) is date


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_minimum(value: object) -> bool:
    return isinstance(value, int) and _is_int(value) and GRAIN <= value <= LARGEST


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and _is_number(value) and CENT <= value <= LARGEST
