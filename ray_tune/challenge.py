"""Makes a challenger: search, fit, judge, log, register, write down.

A challenger is finished by steps that may each be repeated: a finished run, its version in the registry, a row in the lake.
Whatever was cut short is taken up where it stopped.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from jobs.contracts.silver import SILVER_LISTENERS
from jobs.lake.address import folder
from ray_tune import registry
from ray_tune.assess import assess
from ray_tune.examples import encoded, read
from ray_tune.explain import drivers
from ray_tune.ledger import keep
from ray_tune.order import ADOPTED, SKIPPED, TRAINED, Order, Training
from ray_tune.record import Record, Source
from ray_tune.report import Report, example, split
from ray_tune.search import search
from ray_tune.train import fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from jobs.lake.arrow import ArrowLake
    from ray_tune.examples import Encoded, Examples
    from ray_tune.models.model import Model
    from validation.contract import Table

PART_POSITIVES = 10  # that every part of the split needs, or nothing can be measured on it


def challenge(lake: ArrowLake, still: ArrowLake, order: Order, mark: str) -> Training:
    """Train what is ordered and register it as challenger, or adopt a finished run of the same fingerprint (`mark`).

    Examples are read from `still`, the lake as it was when the fingerprint was made. Too few are no error: the training says so and is
    skipped.
    """
    started, model = time.monotonic(), order.model
    lesson = _lesson(still, order)
    pa.default_memory_pool().release_unused()  # what reading took: the search and its processes are to have it
    if isinstance(lesson, str):
        return Training(SKIPPED, f"{model.name}: {lesson}; nothing was trained", mark)
    run_id = registry.finished(lake, model.name, mark)
    state = ADOPTED if run_id else TRAINED
    return _publish(lake, order, mark, run_id or _train(lake, still, order, mark, lesson), state, started)


@dataclass(frozen=True)
class Lesson:
    """What a training needs of its examples: what the booster learns from, what it is judged on, what is told of them.

    Of the rows themselves those of the test days are left: the others are there once, encoded.
    """

    data: Encoded
    test: Examples
    told: Mapping[str, Mapping[str, object]]
    shown: pd.DataFrame
    share: float


def _lesson(still: ArrowLake, order: Order) -> Lesson | str:
    """Read and encode the examples of an order; return why there are too few, if there are."""
    model, examples = order.model, read(still, order.model, order.as_of)
    short = _short(examples, model)
    if short:
        return short
    parts = model.split.cut(examples.dates)
    data = encoded(examples, model, parts)
    return Lesson(data, examples.of(parts.test), split(examples, parts), example(model, examples, data.categories), examples.share)


def _short(examples: Examples, model: Model) -> str:
    dates, positives = len(examples.dates), examples.positives
    if dates < model.split.minimum_dates or positives < model.minimum_positives:
        wanted = f"{model.minimum_positives} on {model.split.minimum_dates} dates are needed"
        return f"{positives:,} positive examples of consenting listeners on {dates} dates are too few ({wanted})"
    few = {name: part["positives"] for name, part in split(examples, model.split.cut(examples.dates)).items()}
    part, least = min(few.items(), key=lambda one: int(str(one[1])))
    return f"the {part} days hold {least} positive examples; {PART_POSITIVES} are needed" if int(str(least)) < PART_POSITIVES else ""


def _train(lake: ArrowLake, still: ArrowLake, order: Order, mark: str, lesson: Lesson) -> str:
    started, model, rng = datetime.now(UTC), order.model, np.random.default_rng(order.seed)
    rival = registry.champion(lake, model.name)  # a registry that lost it says so before the search, not after
    data, test = lesson.data, lesson.test
    trials = search(model, data, order.trials, order.seed, order.processors)
    # Half the processors: LightGBM's threads wait for each other, and on a shared machine they wait for long.
    scorer = fit(model, trials[0].params, trials[0].rounds, data, order.seed, max(1, order.processors // 2))
    found = assess(model, scorer, test, float(data.train.labels.mean()), rival, rng)
    sources = tuple(_source(still, table) for table in (model.examples, SILVER_LISTENERS))
    tags = {"gate": found.gate, "reason": found.reason, "author": order.author, "as_of": str(order.as_of), "fingerprint": mark}
    head = {"model": model.name, **tags, "seed": order.seed, "sources": {one.table: one.version for one in sources}}
    report = Report(head, lesson.told, trials, scorer, found, drivers(scorer, test.frame, rng))
    chosen = {"rounds": trials[0].rounds, "trials": order.trials, "seed": order.seed, "share_of_listeners": round(lesson.share, 4)}
    params = {**model.fixed, **trials[0].params, **chosen}
    with tempfile.TemporaryDirectory(prefix="overtone-report-") as scratch:
        report.write(Path(scratch))
        tried = tuple((one.params, {"auc": one.auc, "rounds": one.rounds, "boosted": one.boosted}) for one in trials)
        return registry.log(lake, Record(scorer, params, found.metrics, tags, started, sources, tried, Path(scratch), lesson.shown))


def _publish(lake: ArrowLake, order: Order, mark: str, run_id: str, state: str, started: float) -> Training:
    made = registry.register(lake, order.model.name, run_id)
    names = {name: made.tags[name] for name in ("author", "gate", "reason")}
    row = {"model": made.model, "as_of": order.as_of, "fingerprint": mark, "run_id": run_id, "version": made.version, **names}
    keep(lake, row | {"trained_at": datetime.now(UTC)})
    seconds = time.monotonic() - started
    how = "an earlier run's model adopted" if state == ADOPTED else f"{order.trials} trials"
    sentence = f"{made.model}: version {made.version} is the challenger ({how}, {seconds:.1f} s); {names['reason']}"
    return Training(state, sentence, mark, run_id, made.version, names["gate"], names["reason"])


def _source(lake: ArrowLake, table: Table) -> Source:
    return Source(table.name, lake.address.arrow(folder(table.name)), lake.version(table) or 0)
