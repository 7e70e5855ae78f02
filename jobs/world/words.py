"""Made-up names in two languages: artists, titles, shows, playlists, and what people say about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws

if TYPE_CHECKING:
    from jobs.world.draws import Ints, Keys

# fmt: off
HEADS = ("Ka", "Lo", "Mi", "Ste", "Bra", "Ve", "Nor", "Jul", "Ta", "Fi", "Hel", "Ri", "So", "Dra", "El", "Mar", "Wil", "Zo", "An", "Ber")
TAILS = (
    "ra", "lin", "mo", "ven", "dor", "kel", "sa", "ton", "lie", "bach", "na", "rik", "ste", "gard", "wyn", "zow", "lé", "ndt", "ßler", "y",
)
SURNAMES = (
    "& the Tides", "Quartett", "Keen", "Okafor", "Lindqvist", "Moreno", "Sommer", "Brandt", "Ensemble", "Vale", "Ito", "Duarte", "Müller",
    "Collective",
)
FIRST = (
    "Blue", "Golden", "Silent", "Broken", "Electric", "Slow", "Wilde", "Leise", "Rote", "Letzte", "Neue", "Distant", "Velvet", "Neon",
    "Kalte", "Sweet", "Hollow", "Bright", "Tausend", "Endless", "Paper", "Secret", "Graue", "Burning", "Young", "Heavy", "Ferne",
    "Midnight", "Crystal", "Easy",
)
SECOND = (
    "River", "Nacht", "Hearts", "Straße", "Summer", "Lights", "Stadt", "Ocean", "Feuer", "Dreams", "Road", "Garten", "Shadows", "Wolken",
    "Letters", "Morning", "Träume", "Wires", "Mountain", "Licht", "Dancer", "Regen", "Mirror", "Signal", "Zeit", "Waves", "Himmel",
    "Station", "Echo", "Winter",
)
MARKS = ("", "", "", "", " - Remix", " (Live)", ", Pt. 2", ' "Unplugged"', " feat. Vela", " - Radio Edit")
# fmt: on
SHOWS = ("Morgenrunde", "The Long Question", "Tech am Abend", "History in Ten", "Bücherkiste", "Match Day", "Money Plain", "Wissen Kompakt")
PRAISE = {
    "de": (
        "Ich höre {title} von {artist} seit Tagen",
        "{artist} live war großartig",
        "Neues von {artist}: {title}",
        "{title} läuft überall, mir zu laut",
    ),
    "en": (
        "Can't stop playing {title} by {artist}",
        "{artist} live was wonderful",
        "New one from {artist}: {title}",
        "{title} is everywhere, too loud for me",
    ),
}


def artists(keys: Keys) -> list[str]:
    """Return an artist's name for each key; the number in it keeps names apart."""
    heads, tails, surnames = (_index(keys, part, len(bank)) for part, bank in (("head", HEADS), ("tail", TAILS), ("surname", SURNAMES)))
    return [f"{HEADS[h]}{TAILS[t]} {SURNAMES[s]} {n}" for n, (h, t, s) in enumerate(zip(heads, tails, surnames, strict=True), start=1)]


def titles(artist_keys: Keys, nth: Ints) -> list[str]:
    """Return the title of the nth track of each artist; an artist has 9,000 different ones."""
    firsts, pairs = len(FIRST), len(FIRST) * len(SECOND)
    # A step that shares no factor with the number of titles visits them all before it repeats.
    where = (_index(artist_keys, "title", pairs * len(MARKS)) + nth * 1_447) % (pairs * len(MARKS))
    return [f"{FIRST[w % firsts]} {SECOND[w // firsts % len(SECOND)]}{MARKS[w // pairs]}" for w in where.tolist()]


def _index(keys: Keys, purpose: str, size: int) -> Ints:
    return np.asarray((draws.bits(keys, purpose) % np.uint64(size)).astype(np.int64))
