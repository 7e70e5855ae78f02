"""The environment that peers run in: build/peers, made of tests/benchmarks/peers.lock by the first benchmark that asks for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from results import BUILD

LOCK = Path(__file__).parent / "peers.lock"


def python() -> Path:
    """Return the peers' Python; it needs a network once."""
    place, stamp = BUILD / "peers", BUILD / "peers/lock"
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        shutil.rmtree(place, ignore_errors=True)
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place], check=True)
        sync = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", place / "bin/python", LOCK]
        subprocess.run(sync, check=True)
        shutil.copy(LOCK, stamp)
    return place / "bin/python"
