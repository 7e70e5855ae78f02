"""Hyperparameter search: ASHA on Ray with Optuna's sampler, each trial one processor, its ranking told every few rounds.

Where RAY_ADDRESS names a cluster the trials run there, on nodes with the same environment and this package in it; else a local
one is started for the search and ended with it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import time
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Read when Ray is imported: no progress table on the screen, and for a Ray of our own, which listens on loopback alone, no token
# in the home folder. A cluster's token is asked for as Ray asks for it.
os.environ.update({} if os.environ.get("RAY_ADDRESS") else {"RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE", "disabled")})
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")
os.environ.setdefault("RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")  # without a network it says at length that it found none

import optuna
import ray
from ray import cloudpickle, tune
from ray.exceptions import RayError
from ray.tune.error import TuneError
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from jobs.services import RAY, reach
from ray_tune.train import boost, main_effects
from validation.verdict import OvertoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ray_tune.effects import Effects
    from ray_tune.examples import Encoded
    from ray_tune.models.model import Model, Setting

ADDRESS = RAY
METRIC, ROUNDS = "auc", "rounds"
SHORT = Path("/tmp")  # noqa: S108 - where the temporary folder is long: a socket's whole path has to fit into 107 characters
LONGEST = 30
STORE = 200_000_000  # bytes of shared memory, at least
LOSSES = 4  # processes that one trial may lose, with their machines or without
IDLE = 600  # seconds that a search waits for a cluster that has no processor left
LOOK = 5  # seconds between two looks at what the cluster has


@dataclass(frozen=True)
class Trial:
    """One set of parameters: its best ranking of the valid part, after how many rounds, and how far it was boosted."""

    params: Mapping[str, Setting]
    auc: float
    rounds: int
    boosted: int


class Losses(tune.Callback):
    """Lets trials begin again whose process or machine was lost; an error of the code, or a cluster without machines, ends the search.

    Where the cluster's head is lost, Ray itself ends this process within about a minute, and says so.
    """

    def __init__(self) -> None:
        self.served = self.looked = time.monotonic()
        self.why = ""  # the search was ended: Tune gives an error on as a traceback in a text

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """Tell one from the other: an error would come again each time."""
        error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
        cause = getattr(error, "cause", error)
        if not isinstance(cause, RayError):
            self._end(f"a trial failed with {dict(trial.config)}: {type(cause).__name__}: {cause}")

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:  # noqa: ARG002
        """Do not wait for ever for machines that do not come."""
        if time.monotonic() - self.looked < LOOK:
            return
        self.looked = time.monotonic()
        if ray.cluster_resources().get("CPU", 0) >= 1:  # type: ignore[no-untyped-call]
            self.served = time.monotonic()
        elif time.monotonic() - self.served > IDLE:
            self._end(f"{ADDRESS}={os.environ.get(ADDRESS)}: the cluster has had no processor for {IDLE} s")

    def _end(self, why: str) -> None:
        self.why = why
        raise OvertoneError(why)


def search(model: Model, data: Encoded, trials: int, seed: int, cpus: int) -> tuple[Trial, ...]:
    """Try `trials` sets of parameters, `cpus` at a time, and return them best first."""
    with cluster(cpus, data) as scratch:
        trainable = tune.with_parameters(trial, model=model, data=data, base=main_effects(model, data, data.train), seed=seed)
        losses = Losses()
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            param_space=None,
            tune_config=tune.TuneConfig(
                metric=METRIC,
                mode="max",
                num_samples=trials,
                max_concurrent_trials=cpus,
                search_alg=sampler(model, trials, seed),
                scheduler=ASHAScheduler(max_t=model.rounds // model.report_every, grace_period=3, reduction_factor=3),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name=model.name,
                # Trials tell numbers and keep no files: wherever they run, this process alone reads and writes here.
                storage_path=str(scratch / "results"),
                failure_config=tune.FailureConfig(max_failures=LOSSES),
                callbacks=[losses],
                verbose=0,
            ),
        )
        found = _found(tuner, losses)
        done = [_trial(found[n].config or {}, found[n].metrics_dataframe) for n in range(len(found))]
    return tuple(sorted(done, key=lambda one: one.auc, reverse=True))


def _found(tuner: tune.Tuner, losses: Losses) -> tune.ResultGrid:
    """Run the search, and raise what ended it."""
    with warnings.catch_warnings():
        # A trial that begins again tells its first rounds again.
        warnings.filterwarnings("ignore", "The reported value is ignored", UserWarning)
        try:
            found = tuner.fit()
        except TuneError as error:
            raise OvertoneError(losses.why or str(error)) from error
    if found.num_errors:
        raise OvertoneError(f"{found.num_errors} of {len(found)} trials lost their process {LOSSES + 1} times: {found.errors[0]}")
    return found


def trial(config: Mapping[str, Setting], model: Model, data: Encoded, base: Effects, seed: int) -> None:
    """Train with one set of parameters; runs in a process of Ray's."""
    boost(model, config, data, base, lambda rounds, auc: tune.report({METRIC: auc, ROUNDS: rounds}), seed)


def sampler(model: Model, trials: int, seed: int) -> OptunaSearch:
    """Return the sampler: the model's own starting point first, then random draws for half of the trials, then TPE."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {one.name: _distribution(one) for one in model.space}
    start = {one.name: int(one.start) if one.integer else one.start for one in model.space}
    tree = optuna.samplers.TPESampler(n_startup_trials=max(4, trials // 2), seed=seed)
    return OptunaSearch(space, metric=METRIC, mode="max", points_to_evaluate=[start], sampler=tree)


def _distribution(one: Any) -> Any:
    if one.integer:
        return optuna.distributions.IntDistribution(int(one.low), int(one.high), log=one.log)
    return optuna.distributions.FloatDistribution(one.low, one.high, log=one.log)


def _trial(params: Mapping[str, Setting], told: Any) -> Trial:
    best = told.loc[told[METRIC].idxmax()]
    return Trial(dict(params), float(best[METRIC]), int(best[ROUNDS]), int(told[ROUNDS].max()))


@contextlib.contextmanager
def cluster(cpus: int, data: Encoded) -> Iterator[Path]:
    """Give a scratch folder and a running Ray; a local one ends, with every process it started, when the block does."""
    reach(ADDRESS)
    sweep()
    scratch = Path(tempfile.mkdtemp(prefix=f"{mark()}{os.getpid()}-", dir=room()))
    size = data.whole.matrix.nbytes
    local: dict[str, Any] = {
        "num_cpus": cpus,
        "include_dashboard": False,
        "object_store_memory": max(STORE, 3 * size),
        "_temp_dir": str(scratch),
        "_node_ip_address": "127.0.0.1",
    }
    if shlex.quote(sys.executable) != sys.executable:  # Ray starts its workers by a shell's line, and waits for ever if that is cut
        local["runtime_env"] = {"py_executable": shlex.quote(sys.executable)}
    try:
        ray.init(**({} if os.environ.get(ADDRESS) else local), log_to_driver=False, logging_level=logging.ERROR)
        yield scratch
    finally:
        ray.shutdown()
        end(scratch)
        shutil.rmtree(scratch, ignore_errors=True)


def room() -> Path:
    """Return the folder for temporary files, or a shorter one."""
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) <= LONGEST else SHORT


def mark() -> str:
    """Return how scratch folders of this machine begin; the process that owns one follows."""
    return f"otray-{zlib.crc32(socket.gethostname().encode()) & 0xFFFF:04x}-"


def sweep() -> None:
    """End what searches that were killed left behind: their processes and folders."""
    for folder in room().glob(f"{mark()}*"):
        owner = folder.name.removeprefix(mark()).split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            end(folder)
            shutil.rmtree(folder, ignore_errors=True)


def end(folder: Path) -> None:
    """End every process whose command line names the folder."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it may end, or belong to somebody else, while we look
            if str(folder).encode() in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                os.kill(int(entry.parent.name), signal.SIGKILL)
