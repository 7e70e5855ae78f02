"""Measures what the pipeline recovers of known-truth worlds: `make truth`, or `make truth NAME=ranking`."""

from __future__ import annotations

from functools import partial

import communities
import contexts
import fans
import intake
import leaks
import lineage
import listeners
import moments
import response
import taste
from results import main
from worlds import Size

PROGRAMS = {
    "calibration": response.calibration,
    "ranking": response.ranking,
    "nothing": response.nothing,
    "audiences": listeners.audiences,
    "features": listeners.features,
    "leaks": leaks.leaks,
    "defects": intake.defects,
    "sessions": intake.sessions,
    "taste": taste.taste,
    "moments": moments.moments,
    "effects": contexts.effects,
    "fans": fans.fans,
    "communities": communities.found,
    "lineage": lineage.lineage,
}

if __name__ == "__main__":
    main({name: partial(program, Size()) for name, program in PROGRAMS.items()}, "truth.json")
