"""The model registry: runs, versions, aliases and the person's decision. The one home of MLflow.

Default: SQLite and artifacts beside the lake; MLFLOW_TRACKING_URI names any other tracking server. `challenger` is moved by
training, `champion` by `approve` alone.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Read when MLflow is imported: nothing is sent anywhere, no progress bars.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

import mlflow
from mlflow import MlflowClient
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric, Param, Run, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

from jobs.journal import tell
from jobs.services import MLFLOW, reach
from ray_tune.ledger import decide, serving, training
from ray_tune.record import Version
from ray_tune.scorer import Scorer
from validation.verdict import OvertoneError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.lake.arrow import ArrowLake
    from ray_tune.record import Record
    from validation.gates.promotion import Estimate

VARIABLE = MLFLOW
SERVERS = ("http://", "https://", "databricks")
CHAMPION, CHALLENGER = "champion", "challenger"
MARK, KIND, VERSION_TAGS = "overtone.fingerprint", "overtone.kind", ("gate", "reason", "author", "as_of", "fingerprint")
TRAINING, TRIAL = "training", "trial"
SUMMARY, DATA = "summary.json", "scorer"
REQUIREMENTS = ("lightgbm", "numpy", "pandas", "pyarrow", "scikit-learn", "overtone")


def tracking_uri(lake: ArrowLake) -> str:
    """Return MLFLOW_TRACKING_URI, else a SQLite file beside the lake."""
    return os.environ.get(VARIABLE) or f"sqlite:///{_folder(lake) / 'mlflow.db'}"


def client(lake: ArrowLake) -> MlflowClient:
    """Point MLflow at the lake's tracking store, quietly, and return a client of it."""
    reach(VARIABLE)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not os.environ.get(VARIABLE):
        _folder(lake).mkdir(parents=True, exist_ok=True)
    given = os.environ.get(VARIABLE)
    mlflow.set_tracking_uri(tracking_uri(lake))
    if given is None:
        os.environ.pop(VARIABLE, None)  # MLflow sets it, and the next lake would take that for the user's word
    return MlflowClient()


def log(lake: ArrowLake, record: Record) -> str:
    """Log one training as one run with its trials below it, finished or not at all; return the run's id."""
    api = client(lake)
    model = record.scorer.model
    tags = {**{f"overtone.{name}": text for name, text in record.tags.items()}, KIND: TRAINING, "mlflow.user": record.tags["author"]}
    name = f"{model} {record.tags['as_of']}"
    # A run made here: started without an id, one would join whatever run MLFLOW_RUN_ID names.
    begun = int(record.started.timestamp() * 1000)
    run_id = str(api.create_run(_experiment(api, lake, model), begun, tags, name).info.run_id)
    with mlflow.start_run(run_id=run_id) as run:
        metrics = {key: number for name, one in record.metrics.items() for key, number in _ends(name, one).items()}
        _batch(api, run_id, record.params, metrics)
        for source in record.sources:
            delta = DeltaDatasetSource(path=source.uri, delta_table_version=source.version)
            dataset = MetaDataset(delta, name=source.table, digest=str(source.version))  # type: ignore[abstract]  # for mypy alone
            mlflow.log_input(dataset, context="training")
        for number, (params, found) in enumerate(record.trials):
            _trial(api, run, number, params, found)
        mlflow.log_artifacts(str(record.artifacts))
        api.set_tag(run_id, "overtone.model", _log_model(record))
    return run_id


def finished(lake: ArrowLake, model: str, fingerprint: str) -> str | None:
    """Return the first finished run of this fingerprint, if any; unfinished ones are marked KILLED on the way."""
    api = client(lake)
    experiment = api.get_experiment_by_name(model)
    if experiment is None:
        return None
    wanted = f"tags.`{MARK}` = '{fingerprint}' and tags.`{KIND}` = '{TRAINING}'"
    runs = api.search_runs([experiment.experiment_id], wanted, order_by=["attributes.start_time ASC"])
    for run in runs:
        if run.info.status == RunStatus.to_string(RunStatus.RUNNING):
            api.set_terminated(run.info.run_id, "KILLED")
    done = [run.info.run_id for run in runs if run.info.status == RunStatus.to_string(RunStatus.FINISHED)]
    return done[0] if done else None


def register(lake: ArrowLake, model: str, run_id: str) -> Version:
    """Make a finished run a version of the model, the challenger; done before, it only says which version it is."""
    api = client(lake)
    tags = {name.removeprefix("overtone."): text for name, text in api.get_run(run_id).data.tags.items() if name.startswith("overtone.")}
    if not api.search_registered_models(f"name = '{model}'"):
        api.create_registered_model(model)
    known = api.search_model_versions(f"name = '{model}' and run_id = '{run_id}'")
    if known:
        found = str(known[0].version)
    else:
        kept = {name: tags[name] for name in VERSION_TAGS}
        made = api.create_model_version(model, f"models:/{tags['model']}", run_id, kept, description=tags["reason"], model_id=tags["model"])
        found = str(made.version)
    api.set_registered_model_alias(model, CHALLENGER, found)
    return Version(model, found, run_id, tags)


def scorer(lake: ArrowLake, model: str, version: str) -> Scorer:
    """Load a version's scorer: booster, categories and calibrator; one the registry lacks raises `OvertoneError`."""
    client(lake)
    try:
        folder = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{model}/{version}")
    except MlflowException as error:
        raise OvertoneError(f"version {version} of {model!r} is not in the registry at {tracking_uri(lake)}: {error}") from error
    return Scorer.load(Path(folder, "data", DATA), version)


def champion(lake: ArrowLake, model: str) -> Scorer | None:
    """Load the scorer that serves, or None where no version was ever approved.

    The written decision holds: an alias that an interrupted approval, or somebody's hand, left elsewhere is set right.
    """
    version = serving(lake, model)
    if version is None:
        return None
    found, api = scorer(lake, model, version), client(lake)
    if str(api.get_registered_model(model).aliases.get(CHAMPION)) != version:
        api.set_registered_model_alias(model, CHAMPION, version)
    return found


def summary(lake: ArrowLake, model: str, version: str) -> dict[str, Any]:
    """Return a version's numbers as plain values: metrics, calibration curve, drivers, trials, gate, split, sources."""
    api, run_id = client(lake), training(lake, model, version)["run_id"]
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(api.download_artifacts(run_id, SUMMARY, scratch)).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def approve(lake: ArrowLake, model: str, version: str, *, by: str, at: datetime | None = None) -> str:
    """Make a version the champion in the name of a person; return a sentence.

    The author's own word, and a version whose gate failed, raise `Refused`; an unknown version raises `WrongUse`.
    """
    reach(VARIABLE)  # first: a decision that nobody could act upon would be half of one
    sentence = decide(lake, model, version, by, at)
    client(lake).set_registered_model_alias(model, CHAMPION, version)
    tell("approved", name=model, model_version=version)
    return sentence


def _folder(lake: ArrowLake) -> Path:
    return lake.address.beside("-mlflow")


def _experiment(api: MlflowClient, lake: ArrowLake, name: str) -> str:
    known = api.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    # A server knows where its artifacts go; a bare database would put them into the working folder.
    place = None if tracking_uri(lake).startswith(SERVERS) else (_folder(lake) / "artifacts").as_uri()
    return str(api.create_experiment(name, artifact_location=place))


def _log_model(record: Record) -> str:
    scorer = record.scorer
    columns: list[ColSpec | TensorSpec] = [ColSpec("string" if name in scorer.categories else "double", name) for name in scorer.features]
    folder = Path(tempfile.mkdtemp(prefix="overtone-model-"))
    try:
        scorer.save(folder / DATA)
        info = mlflow.pyfunc.log_model(
            name="model",
            loader_module="ray_tune.scorer",
            data_path=str(folder / DATA),
            signature=ModelSignature(Schema(columns), Schema([ColSpec("double")])),
            input_example=record.example,
            pip_requirements=[f"{name}=={installed(name)}" for name in REQUIREMENTS],
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return str(info.model_id)


def _trial(api: MlflowClient, parent: Run, number: int, params: Mapping[str, object], found: Mapping[str, float]) -> None:
    tags = {"mlflow.parentRunId": parent.info.run_id, KIND: TRIAL}
    run = api.create_run(parent.info.experiment_id, tags=tags, run_name=f"trial {number + 1}")
    _batch(api, run.info.run_id, params, found)
    api.set_terminated(run.info.run_id)


def _batch(api: MlflowClient, run_id: str, params: Mapping[str, object], found: Mapping[str, float]) -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in found.items()]
    api.log_batch(run_id, metrics, [Param(name, str(value)) for name, value in params.items()])


def _ends(name: str, one: Estimate) -> dict[str, float]:
    ends = {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    return {key: value for key, value in ends.items() if value is not None}
