"""Runs the benchmarks side by side with their peers: `make bench`, or `make bench NAME=publish`."""

from __future__ import annotations

import audit
import communities
import day
import features
import pointintime
import publish
from results import main

PROGRAMS = {
    "publish": publish.measure,
    "audit": audit.measure,
    "day": day.measure,
    "features": features.measure,
    "pointintime": pointintime.measure,
    "communities": communities.measure,
}

if __name__ == "__main__":
    main(PROGRAMS, "benchmarks.json")
