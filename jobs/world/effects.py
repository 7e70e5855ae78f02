"""What circumstances do to listening, as planted: one line an effect, the null ones included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.world.catalogue import GENRES
from jobs.world.people import DEVICES
from jobs.world.weather import COLD, HOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.world.draws import Bools, Floats, Ints

COMMUTE_HOURS = (6, 7, 8, 9, 16, 17, 18, 19)
LATE_HOURS = (20, 21, 22, 23, 0, 1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Effect:
    """Under `when`, `on` moves by `size`: in standard deviations for energy, in log-odds or log weight otherwise.

    The size holds with all other circumstances equal. An effect of size 0 is null by design: nothing may be found there.
    """

    when: str
    on: str
    size: float

    @property
    def name(self) -> str:
        """How the effect is called."""
        return f"{self.when} on {self.on}"


EFFECTS = (
    Effect("weekend", "sessions", 0.20),
    Effect("commute", "device car", 1.2),
    Effect("commute", "device desktop", -0.8),
    Effect("weekend", "device desktop", -0.9),
    Effect("weekend", "device tv", 0.6),
    Effect("late", "device speaker", 0.5),
    Effect("late", "energy", -0.60),
    Effect("rain", "energy", -0.40),
    Effect("car", "energy", 0.30),
    Effect("weekend", "energy", 0.0),
    Effect("hot", "genre latin", 0.50),
    Effect("cold", "genre classical", 0.40),
    Effect("late", "genre jazz", 0.50),
    Effect("car", "skip", -0.40),
    Effect("speaker", "skip", -0.50),
    Effect("mobile", "skip", 0.30),
    Effect("rain", "skip", 0.0),
)


def shift(on: str, circumstances: Mapping[str, Bools]) -> Floats:
    """Return the sum of the effects on one outcome under these circumstances, each an array over the same entities."""
    total = np.zeros(np.shape(next(iter(circumstances.values()))))
    for effect in EFFECTS:
        if effect.on == on and effect.when in circumstances:
            total = total + effect.size * circumstances[effect.when]
    return total


def shifts(kind: str, names: tuple[str, ...], circumstances: Mapping[str, Bools]) -> Floats:
    """Return `shift` for each of several outcomes of one kind (`genre`, `device`), shape (entities, names)."""
    return np.stack([shift(f"{kind} {name}", circumstances) for name in names], axis=1)


def of_clock(hour: Ints, weekend: Bools) -> dict[str, Bools]:
    """Return the circumstances that a local hour and day bring."""
    commute = ~weekend & np.isin(hour, COMMUTE_HOURS)
    return {"weekend": weekend, "commute": commute, "late": np.isin(hour, LATE_HOURS)}


def of_device(device: Ints) -> dict[str, Bools]:
    """Return the circumstances that a device brings."""
    return {name: device == DEVICES.index(name) for name in ("car", "speaker", "mobile")}


def of_weather(rain: Bools, temperature: Floats) -> dict[str, Bools]:
    """Return the circumstances that the weather brings."""
    return {"rain": rain, "hot": temperature >= HOT, "cold": temperature < COLD}


def genre_shifts(circumstances: Mapping[str, Bools]) -> Floats:
    """Return the change of log genre weights, shape (entities, genres)."""
    return shifts("genre", GENRES, circumstances)


def device_shifts(circumstances: Mapping[str, Bools]) -> Floats:
    """Return the change of log device weights, shape (entities, devices)."""
    return shifts("device", DEVICES, circumstances)
