"""How the page puts features, clusters and campaigns into words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.contracts.derived import EXAMPLES, USER_FEATURES
from jobs.moments import MOMENTS
from targeting.naming import NOTABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MEANING = {column.name: column.meaning for table in (EXAMPLES, USER_FEATURES) for column in table.columns}
WINDOW = re.compile(r", last (\d+ days|day)$")
# What a cluster's trait is called beside seven others: "share of rock among plays of known genre" is "rock".
SHORTER = (
    (re.compile(r"^share of (.+) among plays of known genre$"), r"\1"),
    (re.compile(r"^share of plays that are (.+)$"), r"\1"),
    (re.compile(r"^share of plays "), "plays "),
    (re.compile(r"^mean (.+) of tracks played$"), r"\1"),
    (re.compile(r"^mean "), ""),
)
LEAST = 0.01  # percent
MOMENT = {moment.name: moment.meaning for moment in MOMENTS}
PART = {
    "night": "at night",
    "late": "late in the evening",
    **{name: f"in the {name}" for name in ("morning", "evening")},
    "midday": "at midday",
}
OFTENER = 1.1  # times as often as everybody, from which a moment is worth a word
MOMENTS_TOLD = 3  # of an audience
REASONS = 3  # features that explain a cluster
LIFTED = 1.05  # times everybody's mean, at least, that are told: below it a number would read 1.0
SIGNS = {"more": "above", "less": "below"}


@dataclass(frozen=True)
class Trait:
    """One thing in which a cluster stands out: `side` is above or below everybody's mean, or empty where nothing does."""

    side: str
    words: str


def meaning(feature: str) -> str:
    """Return what a model's input is, in words; one that no table declares goes by its name."""
    return MEANING.get(feature, feature.replace("_", " "))


def short(words: str) -> str:
    """Return a feature's meaning in as few words as tell it from the others."""
    plain = WINDOW.sub("", words)
    for pattern, shorter in SHORTER:
        plain = pattern.sub(shorter, plain)
    return plain


def traits(label: str) -> tuple[Trait, ...]:
    """Split a cluster's published label (`more: hours heard; less: ...`) into what stands out."""
    found = []
    for part in label.split("; "):
        sign, colon, words = part.partition(": ")
        known = bool(colon) and sign in SIGNS
        found.append(Trait(SIGNS[sign], short(words)) if known else Trait("", part))
    return tuple(found)


def explained(profile: Iterable[Mapping[str, Any]]) -> str:
    """Return in what a cluster is above everybody beyond doubt, by its published rows: the ratio with its 95 % interval."""
    sure = [row for row in profile if row["z"] >= NOTABLE and (row["lift_low"] or 0) >= LIFTED]
    most = sorted(sure, key=lambda row: (-row["z"], row["feature"]))[:REASONS]
    return "; ".join(
        f"{short(meaning(row['feature']))} {row['lift']:.1f} times everybody's ({row['lift_low']:.1f} to {row['lift_high']:.1f})"
        for row in most
    )


def asks(definition: Mapping[str, Any], names: Mapping[str, str] | None = None) -> str:
    """Say in words whom a campaign asks for; `names` are what its date's clusters are called."""
    called = {name: f"{name} ({words})" for name, words in (names or {}).items()}
    parts = []
    if definition["include"]:
        parts.append("in " + " or ".join(definition["include"]))
    if definition["clusters"]:
        parts.append("in cluster " + " or ".join(called.get(name, name) for name in definition["clusters"]))
    if definition["top_share"]:
        parts.append(f"among the {definition['top_share']:.0%} likeliest to click on {definition['category']}")
    if definition["exclude"]:
        parts.append("not in " + " nor ".join(definition["exclude"]))
    return ", ".join(parts).replace("_", " ")


def moment(name: str) -> str:
    """Return what a moment is, in words; what stands for moments of too few listeners is a part of the day."""
    return MOMENT.get(name, "other sessions" if name == "any" else f"other sessions, {PART.get(name, name)}")


def habits(moments: Iterable[Mapping[str, Any]]) -> str:
    """Say when an audience listens oftener than everybody: `share` of its sessions beside `everyone`'s, by moment."""
    known = [(row["share"] / row["everyone"], row) for row in moments if row["everyone"]]
    above = sorted((one for one in known if one[0] >= OFTENER), key=lambda one: (-one[0], one[1]["moment"]))
    said = [
        f"{moment(row['moment'])} ({share(row['share'], 1)} of sessions, {times:.1f} times as often)" for times, row in above[:MOMENTS_TOLD]
    ]
    if said:
        return f"more than others: {'; '.join(said)}"
    return "when everybody does" if known else "not known"


def share(part: float, whole: float) -> str:
    """Return a part of a whole in percent; what is little is never rounded to nothing."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if 0 < percent < LEAST:
        return f"under {LEAST}%"
    return f"{percent:.2f}%" if 0 < min(percent, 100 - percent) < 1 else f"{percent:.0f}%"


def counted(n: int, what: str) -> str:
    """Return a number with what it counts."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"
