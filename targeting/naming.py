"""What clusters are made of, and what to call them: one line a feature, with the words for having more of it or less than everybody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTABLE = 0.35  # standard deviations from everybody's mean that are worth a word
AVERAGE = "listeners close to the average"
FEW, MANY = 2, 4  # words of a name: so many, and more where two clusters would be called the same

# What begins with "of" stands behind "listeners", the rest before it. Nothing is said of moods that could tell how somebody feels.
WORDS: dict[str, tuple[str, str]] = {
    "hours_28d": ("heavy", "light"),
    "active_days_28d": ("daily", "occasional"),
    "skip_rate_28d": ("skipping", "patient"),
    "session_minutes_28d": ("long-session", "short-session"),
    "episode_share_28d": ("podcast", ""),
    "intent_share_28d": ("searching", ""),
    "likes_28d": ("collecting", ""),
    "share_pop_28d": ("of pop", ""),
    "share_rock_28d": ("of rock", ""),
    "share_rap_28d": ("of rap", ""),
    "share_rnb_28d": ("of r&b", ""),
    "share_latin_28d": ("of Latin music", ""),
    "share_edm_28d": ("of electronic music", ""),
    "share_jazz_28d": ("of jazz", ""),
    "share_classical_28d": ("of classical music", ""),
    "mean_energy_28d": ("of energetic music", "of calm music"),
    "mean_valence_28d": ("of cheerful music", ""),
    "mean_acousticness_28d": ("of acoustic music", ""),
    "night_share_28d": ("night", ""),
    "morning_share_28d": ("morning", ""),
    "midday_share_28d": ("midday", ""),
    "evening_share_28d": ("evening", ""),
    "late_share_28d": ("late-evening", ""),
    "weekend_share_28d": ("weekend", "weekday"),
    "mobile_share_28d": ("mobile", ""),
    "desktop_share_28d": ("desktop", ""),
    "speaker_share_28d": ("smart-speaker", ""),
    "car_share_28d": ("in-car", ""),
}
FEATURES = tuple(WORDS)


@dataclass(frozen=True)
class Compared:
    """One feature of a cluster against everybody: distance of the means in standard deviations, their ratio and its 95 % interval."""

    feature: str
    z: float
    lift: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def certain(self) -> bool:
        """Whether the interval leaves no doubt on which side of everybody's mean it lies."""
        return self.low is not None and self.high is not None and (self.low > 1 or self.high < 1)


def names(clusters: Mapping[str, Sequence[Compared]]) -> dict[str, str]:
    """Return what to call each cluster of a date, by its id; the same values give the same names."""
    words = {cluster: _words(found) for cluster, found in clusters.items()}
    found = {cluster: _name(mine[:FEW]) for cluster, mine in words.items()}
    for length in range(FEW + 1, MANY + 1):
        times = Counter(found.values())
        found = {cluster: _name(words[cluster][:length]) if times[name] > 1 else name for cluster, name in found.items()}
    return found


def _words(found: Sequence[Compared]) -> list[str]:
    notable = sorted((one for one in found if abs(one.z) >= NOTABLE and one.certain), key=lambda one: (-abs(one.z), one.feature))
    return [word for one in notable if (word := WORDS[one.feature][0 if one.z > 0 else 1])]


def _name(words: Sequence[str]) -> str:
    before = [word for word in words if not word.startswith("of ")]
    after = [word.removeprefix("of ") for word in words if word.startswith("of ")]
    whole = " ".join((*before, "listeners", *(["of " + " and ".join(after)] if after else [])))
    return whole if words else AVERAGE
