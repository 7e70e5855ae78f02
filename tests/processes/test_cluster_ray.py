"""Hyperparameters are searched on a real Ray cluster of two nodes, and the search survives what dies on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from days import registry
from search_case import NODES, TRIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from days import Calm

pytestmark = [pytest.mark.ray, pytest.mark.slow]
ROOT = Path(__file__).parent.parent.parent
PATIENCE = 600


def begin(env: dict[str, str], *words: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "tests/processes/search_case.py", *words]
    return subprocess.Popen(command, cwd=ROOT, env=clean | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(run: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = run.communicate(timeout=PATIENCE)
    finally:
        run.kill()
    return run.returncode, out, err


def found(run: subprocess.Popen[str]) -> list[object]:
    code, out, err = ended(run)
    assert code == 0, err
    trials: list[object] = json.loads(out.splitlines()[-1])
    assert len(trials) == TRIALS
    return trials


def searching(root: psutil.Process) -> list[psutil.Process]:
    """The processes below one that train."""
    below = []
    for one in root.children(recursive=True):
        with suppress(psutil.Error):
            below += [one] if "ImplicitFunc.train" in " ".join(one.cmdline()) else []
    return below


def wait_for(there_is: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE
    while not there_is():
        assert run.poll() is None, ended(run)
        assert time.monotonic() < until
        time.sleep(0.05)


def whole(root: psutil.Process) -> list[psutil.Process]:
    return [root, *root.children(recursive=True)]


class Cluster:
    """A cluster in a folder, by the command that starts and ends it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, action: str, **env: str) -> subprocess.CompletedProcess[str]:
        words = ["infra/ray/cluster.sh", action, str(self.folder)]
        return subprocess.run(words, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=PATIENCE)  # noqa: PLW1510

    def start(self) -> dict[str, str]:
        """Return what the command exports."""
        begun = self.command("start")
        assert begun.returncode == 0, begun.stderr
        return dict(word.split("=", 1) for word in begun.stdout.split() if "=" in word)

    def node(self, name: str) -> psutil.Process:
        return psutil.Process(int((self.folder / f"{name}.pid").read_text().split()[0]))

    def busy(self) -> bool:
        return all(searching(self.node(name)) for name in ("head", "worker"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    one = Cluster(tmp_path_factory.mktemp("ray"))
    try:
        yield one
    finally:
        assert one.command("stop").returncode == 0


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster) -> list[object]:
    """What the search finds on the cluster, having been seen at work on both of its nodes."""
    run = begin(cluster.start())
    wait_for(cluster.busy, run)
    return found(run)


def test_a_killed_process_and_a_killed_machine_change_nothing(cluster: Cluster, undisturbed: list[object]) -> None:
    env = cluster.start()
    run = begin(env)
    wait_for(cluster.busy, run)
    searching(cluster.node("worker"))[0].send_signal(signal.SIGKILL)
    assert found(run) == undisturbed
    run = begin(env)
    wait_for(cluster.busy, run)
    for one in whole(cluster.node("worker")):
        one.send_signal(signal.SIGKILL)
    assert found(run) == undisturbed


@pytest.mark.spark
def test_a_model_trained_there_is_the_model_trained_here(
    crowd: Calm, delivered: Calm, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command line that people type: the same version, the same trials, the same numbers."""
    lake = Path(shutil.copytree(crowd.lake, tmp_path / "lake"))
    for name in ("MLFLOW_TRACKING_URI", "OVERTONE_LAKE"):
        monkeypatch.delenv(name, raising=False)
    line = ["-m", "ray_tune", "response", "--as-of", str(crowd.last), "--trials", "1", "--lake", str(lake)]
    done = subprocess.run([sys.executable, *line], cwd=ROOT, env=os.environ | cluster.start(), capture_output=True, text=True, timeout=PATIENCE)  # noqa: E501, PLW1510  # fmt: skip
    assert (done.returncode, "challenger" in done.stdout) == (0, True), done.stderr
    there, here = registry(lake), registry(delivered.lake)
    assert [(name, found[1]) for name, found in there.items()] == [(name, found[1]) for name, found in here.items()] != []


def test_here_too(undisturbed: list[object]) -> None:
    """The local search finds the same as the cluster's, though one of its processes is killed."""
    run = begin({})
    root = psutil.Process(run.pid)
    wait_for(lambda: len(searching(root)) == NODES, run)
    searching(root)[0].send_signal(signal.SIGKILL)
    assert found(run) == undisturbed


def test_an_error_of_the_code_is_told_at_once_and_not_tried_again() -> None:
    code, _, err = ended(begin({}, "nonsense"))
    assert code == 1
    assert err.count("LightGBMError: Unknown objective type name: nonsense") == 1, err


def test_nobody_uses_the_cluster_without_its_token(cluster: Cluster, undisturbed: list[object], tmp_path: Path) -> None:
    other = tmp_path / "token"
    other.write_text("0" * 64)
    env = cluster.start() | {"RAY_AUTH_TOKEN_PATH": str(other)}
    connect = [sys.executable, "-c", "import ray; ray.init(log_to_driver=False); print(ray.cluster_resources())"]
    told = subprocess.run(connect, env=os.environ | env, capture_output=True, text=True, timeout=PATIENCE)  # noqa: PLW1510
    assert told.returncode != 0
    assert "uthenticat" in told.stderr
    assert (cluster.folder / "token").stat().st_mode & 0o077 == 0


def test_the_cluster_command_keeps_its_word_and_a_search_whose_cluster_died_ends(cluster: Cluster, undisturbed: list[object]) -> None:
    env = cluster.start()
    nodes = [cluster.node(name).pid for name in ("head", "worker")]
    assert cluster.start() == env
    assert [cluster.node(name).pid for name in ("head", "worker")] == nodes, "starting twice starts once"
    assert cluster.command("status").returncode == 0
    other = Cluster(cluster.folder / "other")
    taken = other.command("start", RAY_PORT=env["RAY_ADDRESS"].rsplit(":", 1)[1])
    assert (taken.returncode, "is taken" in taken.stderr) == (2, True)
    run = begin(env | {"RAY_gcs_rpc_server_reconnect_timeout_s": "15"})  # Ray's own is 60
    wait_for(cluster.busy, run)
    every = [one for name in ("head", "worker") for one in whole(cluster.node(name))]
    for one in every:
        one.send_signal(signal.SIGKILL)
    before = time.monotonic()
    code, out, err = ended(run)
    assert time.monotonic() - before < 60
    assert (code, out) == (1, "")
    assert "GCS may have been killed" in err
    assert cluster.command("status").returncode == 1
