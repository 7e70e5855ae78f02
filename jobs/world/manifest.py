"""Which world lies in a folder and a lake, decided without Spark."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.world import truth

if TYPE_CHECKING:
    from jobs.lake.arrow import ArrowLake
    from jobs.world.files import Folder
    from jobs.world.preset import World

BEING_MADE, MADE = "being made", "made"


def spec(world: World) -> str:
    """Return a hash of all that a world's bytes depend on: its parameters and this package's code."""
    digest = hashlib.sha256(repr(world).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def is_made(world: World, folder: Folder, lake: ArrowLake) -> bool:
    """Say whether this very world lies in the folder and its truth in the lake."""
    manifest, newest = folder.manifest(), lake.history(truth.DEFECTS, 1)
    wanted = spec(world)
    return manifest.get("spec") == wanted and manifest.get("state") == MADE and bool(newest) and newest[0].note.run == wanted
