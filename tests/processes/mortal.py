"""A lake, a registry and a folder of exports whose process dies at a verb: by SIGKILL, before it, in the middle of it, or right after it.

Every verb that changes anything is a point at which a process may end. Each process dies at the first point at which none died before
it, and says so in a file; the one after it goes on from there. When a process comes through, all points of the day were died at.

Right after a verb is, for whoever comes next, right before the following one. So every day's tests die before each verb; within verbs,
and at the registry's, each of which costs a training, at one in `SOME`. `pytest --every-kill` dies at all points in all three ways.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import threading
import time
import zlib
from collections import Counter
from functools import wraps
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient

from jobs.lake import upkeep
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from jobs.lake.spark import SparkLake

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BEFORE, DURING, AFTER = "before", "during", "after"
LONG = ("stage", "exchange", "delete", "merge", "vacuum", "log_artifacts")  # verbs that take long enough to die in the middle of
EXPORTS = "-exports"  # the only folder whose renames and removals count: libraries rename too
SOME = 4
FINGERPRINT = re.compile("[0-9a-f]{16}")
LONGEST = 0.5  # seconds into a verb
VERBS: dict[Any, tuple[str, ...]] = {
    SparkLake: ("stage", "overwrite", "append", "merge"),
    ArrowLake: ("create", "overwrite", "replace", "append", "delete", "merge", "exchange", "discard"),
    upkeep: ("vacuum",),
    MlflowClient: (
        *("create_experiment", "create_run", "log_batch", "log_inputs", "log_artifacts", "set_tag", "set_terminated"),
        *("create_registered_model", "create_model_version", "set_registered_model_alias", "finalize_logged_model"),
    ),
    os: ("replace",),
    shutil: ("rmtree",),
}


class Fate:
    """When this process dies; `deaths` is the file of points at which others did; `every` says whether no point is passed over."""

    def __init__(self, deaths: Path, *, every: bool) -> None:
        self.deaths, self.every = deaths, every
        self.modes = (BEFORE, DURING, AFTER) if every else (BEFORE, DURING)
        self.known = set(deaths.read_text().splitlines()) if deaths.exists() else set()
        self.met: Counter[str] = Counter()

    def passing(self, owner: Any, verb: str, label: str, act: Callable[[], Any]) -> Any:
        """Do one verb, unless it is time to die."""
        self.met[label] += 1
        name = f"{label} #{self.met[label]}"
        passed_over = not self.every and zlib.crc32(name.encode()) % SOME
        if owner is MlflowClient and passed_over:
            return act()
        for mode in self.modes:
            point = f"{mode} {name}"
            if point in self.known or (mode == DURING and (passed_over or verb not in LONG)):
                continue
            if mode == AFTER:
                act()
            if mode == DURING:
                self.later(point)
                return act()
            self.die(point)
        return act()

    def later(self, point: str) -> None:
        """Die after a moment, which is the same in every run of this test; the verb may have ended by then."""
        seconds = random.Random(zlib.crc32(point.encode())).uniform(0, LONGEST)

        def wait() -> None:
            time.sleep(seconds)
            self.die(point)

        threading.Thread(target=wait, daemon=True).start()

    def die(self, point: str) -> None:
        """Say where, and end this process by the one signal that nobody can catch."""
        with self.deaths.open("a") as file:
            file.write(point + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.kill(os.getpid(), signal.SIGKILL)


def mortal(deaths: Path, *, every: bool) -> None:
    """Let every verb of this process pass by its fate."""
    fate = Fate(deaths, every=every)
    for owner, names in VERBS.items():
        for name in names:
            setattr(owner, name, _watched(fate, owner, name))


def _watched(fate: Fate, owner: Any, verb: str) -> Callable[..., Any]:
    act = getattr(owner, verb)

    @wraps(act)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if owner in (os, shutil) and EXPORTS not in str(args[0]):
            return act(*args, **kwargs)
        return fate.passing(owner, verb, f"{verb} {_what(args)}".strip(), lambda: act(*args, **kwargs))

    return watched


def _what(args: tuple[Any, ...]) -> str:
    """Tell two verbs of one name apart: by the table, by what of an operations table is written, and by what an engineer does there."""
    names = [one.name for one in args if hasattr(one, "ddl")]
    names += [str(one["target"]) for one in args if isinstance(one, dict) and "target" in one]
    frames = [one for one in args if hasattr(one, "column_names") and "target" in one.column_names]
    notes = [one for one in args if isinstance(one, Note) and not FINGERPRINT.fullmatch(one.run)]
    names += [f"{one.run} until {one.expired}" if one.expired else one.run for one in notes]
    return " ".join(names + [",".join(sorted(set(one.column("target").to_pylist()))) for one in frames])
