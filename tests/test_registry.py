"""The registry: one run a training, versions made once, aliases, approvals by somebody else, loading by alias; no pickle."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from jobs.contracts.delivery import APPROVALS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from ray_tune import ledger, registry
from ray_tune.calibrate import Calibrator
from ray_tune.record import Record, Source
from ray_tune.scorer import Scorer, encode
from validation.gates.promotion import Estimate
from validation.verdict import OvertoneError, Refused, WrongUse

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 9, 12, tzinfo=UTC)
COLOURS = ["blue", "red"]


@pytest.fixture(autouse=True)
def no_tracking_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(registry.VARIABLE, raising=False)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new tracking database: making one takes a second, copying it none."""
    lake = ArrowLake(Address.parse(str(tmp_path_factory.mktemp("new") / "lake")))
    registry.client(lake).search_registered_models()
    return lake.address.beside("-mlflow") / "mlflow.db"


@pytest.fixture
def lake(tmp_path: Path, database: Path) -> ArrowLake:
    (tmp_path / "lake-mlflow").mkdir()
    shutil.copy(database, tmp_path / "lake-mlflow")
    return ArrowLake(Address.parse(str(tmp_path / "lake")))


def frame(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"x": rng.normal(size=rows), "colour": rng.choice(COLOURS, rows)})


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    data = frame()
    matrix = encode(data, ("x", "colour"), {"colour": COLOURS})
    train = lgb.Dataset(matrix, (data["x"] > 0).astype(float), params={"verbosity": -1})
    booster = lgb.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, train, 5)
    return Scorer("toy", "", ("x", "colour"), {"colour": COLOURS}, Calibrator("platt", (), (0.2, 0.9)), booster.model_to_string())


@pytest.fixture
def record(scorer: Scorer, lake: ArrowLake, tmp_path: Path) -> Record:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps({"model": "toy", "drivers": [{"feature": "x", "effect": 0.4}]}))
    tags = {"gate": "passed", "reason": "good enough", "author": "Ada", "as_of": "2026-11-09", "fingerprint": "f1"}
    trials = (({"num_leaves": 15}, {"auc": 0.6, "rounds": 20}), ({"num_leaves": 31}, {"auc": 0.5, "rounds": 10}))
    sources = (Source("examples.response", lake.address.arrow("examples/response"), 7),)
    metrics = {"auc": Estimate(0.6, 0.55, 0.65)}
    return Record(scorer, {"num_leaves": 15}, metrics, tags, NOON, sources, trials, folder, frame(3))


def publish(lake: ArrowLake, record: Record) -> str:
    """Log, register and write down, as training does; return the version."""
    made = registry.register(lake, "toy", registry.log(lake, record))
    kept = {name: made.tags[name] for name in ("author", "gate", "reason", "fingerprint")}
    row = kept | {"model": "toy", "as_of": date(2026, 11, 9), "run_id": made.run_id, "version": made.version, "trained_at": NOON}
    ledger.keep(lake, row)
    return made.version


def aliases(lake: ArrowLake) -> dict[str, str]:
    return {name: str(version) for name, version in registry.client(lake).get_registered_model("toy").aliases.items()}


def test_a_run_holds_what_a_reviewer_needs(lake: ArrowLake, record: Record) -> None:
    run_id = registry.log(lake, record)
    api = registry.client(lake)
    run = api.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.start_time == int(NOON.timestamp() * 1000)
    assert run.data.metrics == {"auc": 0.6, "auc_low": 0.55, "auc_high": 0.65}
    assert run.data.params == {"num_leaves": "15"}
    assert run.data.tags["mlflow.user"] == "Ada"
    (dataset,) = run.inputs.dataset_inputs
    assert dataset.dataset.name == "examples.response"
    assert json.loads(dataset.dataset.source)["delta_table_version"] == 7
    trials = api.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    assert sorted(one.data.params["num_leaves"] for one in trials) == ["15", "31"]
    assert {one.info.status for one in trials} == {"FINISHED"}


def test_nothing_of_it_is_a_pickle_and_all_of_it_lies_beside_the_lake(lake: ArrowLake, record: Record) -> None:
    registry.log(lake, record)
    home = lake.address.beside("-mlflow")
    files = {path.suffix for path in (home / "artifacts").rglob("*") if path.is_file()}
    assert files
    assert not files & {".pkl", ".pickle", ".joblib", ".skops"}
    assert registry.tracking_uri(lake) == f"sqlite:///{home / 'mlflow.db'}"
    assert registry.VARIABLE not in os.environ, "or the next lake would log here"


def test_a_tracking_server_is_the_users_word(lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.VARIABLE, "http://127.0.0.1:5000")
    assert registry.tracking_uri(lake) == "http://127.0.0.1:5000"


def test_a_finished_run_becomes_one_version_however_often_it_is_asked(lake: ArrowLake, record: Record) -> None:
    run_id = registry.log(lake, record)
    first, again = registry.register(lake, "toy", run_id), registry.register(lake, "toy", run_id)
    assert (first.version, again.version) == ("1", "1")
    api = registry.client(lake)
    assert aliases(lake) == {registry.CHALLENGER: "1"}
    assert api.get_model_version("toy", "1").tags == dict(record.tags)
    second = registry.register(lake, "toy", registry.log(lake, record))
    assert aliases(lake) == {registry.CHALLENGER: second.version}


def test_only_a_finished_run_of_the_fingerprint_is_found(lake: ArrowLake, record: Record) -> None:
    assert registry.finished(lake, "toy", "f1") is None
    run_id = registry.log(lake, record)
    assert registry.finished(lake, "toy", "f1") == run_id
    assert registry.finished(lake, "toy", "f2") is None


def test_a_run_that_was_cut_short_is_marked_killed(lake: ArrowLake, record: Record) -> None:
    run_id = registry.log(lake, record)
    api = registry.client(lake)
    experiment = api.get_run(run_id).info.experiment_id
    tags = {registry.MARK: "f3", registry.KIND: registry.TRAINING}
    cut = api.create_run(experiment, tags=tags).info.run_id
    other = api.create_run(experiment, tags={**tags, registry.MARK: "f4"}).info.run_id
    assert registry.finished(lake, "toy", "f3") is None
    assert api.get_run(cut).info.status == "KILLED"
    assert api.get_run(other).info.status == "RUNNING"


def test_logging_that_fails_leaves_no_finished_run(lake: ArrowLake, record: Record) -> None:
    with pytest.raises(MlflowException, match="no such"):
        registry.log(lake, replace(record, metrics={"no such: {name}": Estimate(1.0)}))
    assert registry.finished(lake, "toy", "f1") is None


def test_the_champion_scores_as_lightgbm_and_calibrator(lake: ArrowLake, record: Record, scorer: Scorer) -> None:
    version = publish(lake, record)
    assert registry.champion(lake, "toy") is None
    registry.approve(lake, "toy", version, by="Grace")
    found = registry.champion(lake, "toy")
    assert found == replace(scorer, version=version)
    raw = lgb.Booster(model_str=scorer.booster).predict(encode(frame(), scorer.features, scorer.categories), raw_score=True)
    assert np.abs(found.score(frame()) - 1 / (1 + np.exp(-(0.2 + 0.9 * raw)))).max() < 1e-12


def test_mlflows_own_loader_gives_calibrated_probabilities(lake: ArrowLake, record: Record, scorer: Scorer) -> None:
    publish(lake, record)
    loaded: Any = registry.mlflow.pyfunc.load_model(f"models:/toy@{registry.CHALLENGER}")
    assert loaded.metadata.get_input_schema().input_names() == ["x", "colour"]
    assert (loaded.predict(frame()) == scorer.score(frame())).all()
    assert len(loaded.input_example) == 3
    with pytest.raises(Exception, match="colour"):
        loaded.predict(frame()[["x"]])


def test_nobody_approves_their_own_model(lake: ArrowLake, record: Record) -> None:
    version = publish(lake, record)
    for name in ("Ada", " ada "):
        with pytest.raises(Refused, match="somebody else decides"):
            registry.approve(lake, "toy", version, by=name)
    with pytest.raises(WrongUse, match="--by NAME"):
        registry.approve(lake, "toy", version, by=" ")
    assert lake.read(APPROVALS).num_rows == 0
    assert registry.CHAMPION not in aliases(lake)


def test_a_version_that_failed_its_gate_cannot_serve(lake: ArrowLake, record: Record) -> None:
    version = publish(lake, replace(record, tags={**record.tags, "gate": "failed", "reason": "AUC 0.5"}))
    with pytest.raises(Refused, match=r"did not pass its gate: AUC 0\.5"):
        registry.approve(lake, "toy", version, by="Grace")


def test_an_unknown_version_is_answered_with_the_known_ones(lake: ArrowLake, record: Record) -> None:
    with pytest.raises(WrongUse, match="none was trained yet"):
        registry.approve(lake, "toy", "1", by="Grace")
    publish(lake, record)
    with pytest.raises(WrongUse, match="no version '9'; choose from 1"):
        registry.approve(lake, "toy", "9", by="Grace")


def test_an_approval_is_written_once_and_a_change_of_mind_again(lake: ArrowLake, record: Record) -> None:
    first = publish(lake, record)
    second = publish(lake, replace(record, tags={**record.tags, "fingerprint": "f2"}))
    said = [registry.approve(lake, "toy", v, by="Grace", at=NOON + timedelta(hours=n)) for n, v in enumerate((first, first, second, first))]
    assert said[0] == "version 1 of 'toy' serves from now on, approved by Grace"
    assert said[1] == "version 1 of 'toy' serves already"
    rows = sorted(lake.read(APPROVALS).to_pylist(), key=lambda row: row["decided_at"])
    assert [(row["version"], row["by"], row["author"]) for row in rows] == [(v, "Grace", "Ada") for v in (first, second, first)]
    assert aliases(lake)[registry.CHAMPION] == first


def test_the_written_decision_holds_against_a_hand_on_the_alias(lake: ArrowLake, record: Record) -> None:
    first = publish(lake, record)
    second = publish(lake, replace(record, tags={**record.tags, "fingerprint": "f2"}))
    registry.approve(lake, "toy", first, by="Grace")
    registry.client(lake).set_registered_model_alias("toy", registry.CHAMPION, second)
    assert registry.champion(lake, "toy").version == first
    assert aliases(lake)[registry.CHAMPION] == first


def test_a_version_the_registry_lost_is_named(lake: ArrowLake, record: Record) -> None:
    publish(lake, record)
    with pytest.raises(OvertoneError, match="version 7 of 'toy' is not in the registry at sqlite"):
        registry.scorer(lake, "toy", "7")


def test_the_numbers_of_a_version_are_kept_with_its_run(lake: ArrowLake, record: Record) -> None:
    version = publish(lake, record)
    assert registry.summary(lake, "toy", version)["drivers"] == [{"feature": "x", "effect": 0.4}]
