"""What a listener's plays are like, on five factors of music preference.

MUSIC: mellow, unpretentious, sophisticated, intense, contemporary (Rentfrow et al., The Song Remains the Same, Music Perception 30, 2012).
A factor is a fixed linear map of mean moods and genre shares, in the direction of the attributes that the study names; it describes
listening, not a personality. A listener's score is drawn to everybody's with the weight of 50 plays.
"""

from __future__ import annotations

from jobs.features.feature import Feature, windowed
from jobs.features.taste import MOODS, SLUGS

PRIOR = 50
LOADINGS = {
    "mellow": {"acousticness": 0.5, "energy": -0.5, "rnb": 0.25},
    "unpretentious": {"acousticness": 0.5, "valence": 0.25, "latin": 0.25, "edm": -0.25, "rap": -0.25},
    "sophisticated": {"classical": 0.5, "jazz": 0.5, "acousticness": 0.25, "danceability": -0.25},
    "intense": {"energy": 0.5, "rock": 0.5, "acousticness": -0.25, "valence": -0.25},
    "contemporary": {"danceability": 0.5, "edm": 0.25, "rap": 0.25, "rnb": 0.25, "pop": 0.25},
}
SAID = {slug: genre for genre, slug in SLUGS.items()}


def _score(factor: str, everybody: str = "") -> str:
    """Return SQL of a factor of a listener's plays, or of everybody's; null where moods or genres are unknown."""
    mean = {mood: f"try_divide({{{everybody}sum_{mood}}}, {{{everybody}described}}) / 1000D" for mood in MOODS}
    share = {slug: f"try_divide({{{everybody}genre_{slug}}}, {{{everybody}known_genre}})" for slug in SAID}
    return " + ".join(f"({weight}D) * {(mean | share)[name]}" for name, weight in LOADINGS[factor].items())


def _shrunk(factor: str) -> str:
    return f"({{described}} * ({_score(factor)}) + {PRIOR} * ({_score(factor, 'all.')})) / ({{described}} + {PRIOR})"


def _meaning(factor: str) -> str:
    signs = {"more": 1, "less": -1}
    named = {word: [SAID.get(name, name) for name, weight in LOADINGS[factor].items() if weight * sign > 0] for word, sign in signs.items()}
    return f"{factor} music: {'; '.join(f'{word} ' + ' and '.join(names) for word, names in named.items() if names)}"


MUSIC: tuple[Feature, ...] = tuple(
    feature for factor in LOADINGS for feature in windowed(f"music_{factor}", "double", _shrunk(factor), (90,), _meaning(factor))
)
