"""Jobs on a real Spark cluster, sent there by the command people type: the same rows as here, whatever dies on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import days
import psutil
import pytest
from days import content

from jobs.catalogue import TABLES
from jobs.contracts.events import PLAYS
from jobs.contracts.fans import FAN_TRANSITIONS
from jobs.lake.address import Address, folder
from jobs.lake.arrow import ArrowLake
from targeting.command.day import with_events
from targeting.command.stages import JOBS, STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from days import Calm

pytestmark = [pytest.mark.spark, pytest.mark.slow]
ROOT = Path(__file__).parent.parent.parent
# The command line takes in by today's clock, which is another than the undisturbed day's.
OF_THE_RUN = days.OF_THE_RUN | {"ingested_at", "taken_at"}
SMALL = ("--conf", "spark.executor.memory=512m", "--conf", "spark.executor.cores=1", "--conf", "spark.driver.memory=1g")
SMALL += ("--conf", "spark.sql.shuffle.partitions=2", "--conf", "spark.default.parallelism=2")
# Of small queries, compiling one in three JVMs costs more than running it as it stands.
SMALL += ("--conf", "spark.sql.codegen.wholeStage=false", "--conf", "spark.sql.codegen.factoryMode=NO_CODEGEN")
# Of no use to who lives for a minute: the second compiler, collectors with threads of their own.
BRIEF = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
SMALL += ("--conf", f"spark.executor.extraJavaOptions={BRIEF}", "--conf", f"spark.driver.extraJavaOptions=-Duser.timezone=UTC {BRIEF}")
PATIENCE = 600  # seconds


@pytest.fixture(scope="module")
def home(key: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for a feed, its lakes and the cluster."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SPARK_MASTER", "SPARK_LOCAL_IP", "SPARK_CONF_DIR"):
            patch.delenv(name, raising=False)
        yield tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[str]:
    """The master of a cluster whose machines' clocks stand in another zone."""
    where = home / "spark"
    begun = subprocess.run(["infra/spark/cluster.sh", "start", where], cwd=ROOT, env=os.environ | {"TZ": "Asia/Kolkata"}, check=True, stdout=subprocess.PIPE, text=True)  # noqa: E501  # fmt: skip
    try:
        yield begun.stdout.strip()
    finally:
        subprocess.run(["infra/spark/cluster.sh", "stop", where], cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def here(calm: Calm, home: Path) -> Path:
    """The lake of every job in local mode."""
    return Path(shutil.copytree(calm.lake, home / "here"))


@pytest.fixture(scope="module")
def there(calm: Calm, here: Path, home: Path, cluster: str) -> Path:
    """The lake of every job's command line on the cluster."""
    done = submit("tests/processes/every_job.py", calm.feed, home / "there", *span(here), master=cluster)
    assert done.returncode == 0, done.stderr
    return home / "there"


def span(lake: Path) -> tuple[str, str]:
    """Return the first and the last date of a lake's plays."""
    dates = with_events(ArrowLake(Address.parse(str(lake))))
    return str(dates[0]), str(dates[-1])


def begin(*words: object, master: str = "", options: tuple[str, ...] = SMALL) -> subprocess.Popen[str]:
    env = {**os.environ, "SPARK_MASTER": master} if master else os.environ
    command = ["infra/spark/submit.sh", *(options if master else ()), *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def submit(*words: object, master: str = "", options: tuple[str, ...] = SMALL) -> subprocess.CompletedProcess[str]:
    return ended(begin(*words, master=master, options=options))


def ended(run: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    try:
        out, err = run.communicate(timeout=PATIENCE)
    finally:
        run.kill()
    return subprocess.CompletedProcess(run.args, run.returncode, out, err)


def different(one: Path, other: Path, *names: str) -> dict[str, tuple[list[str], list[str]]]:
    first, second = (content(place, *names, without=OF_THE_RUN) for place in (one, other))
    return {
        name: (sorted(set(first[name]) - set(second[name]))[:2], sorted(set(second[name]) - set(first[name]))[:2])
        for name in first
        if first[name] != second[name]
    }


def workers(home: Path) -> list[psutil.Process]:
    return [psutil.Process(int((home / "spark" / f"worker-{n}.pid").read_text().split()[0])) for n in (1, 2)]


def executors(of: list[psutil.Process]) -> list[psutil.Process]:
    return [one for worker in of for one in worker.children(recursive=True) if "CoarseGrainedExecutorBackend" in _line(one)]


def _line(of: psutil.Process) -> str:
    try:
        return " ".join(of.cmdline())
    except psutil.NoSuchProcess:  # it ended meanwhile, or is a zombie
        return ""


def test_every_job_makes_the_same_rows_on_the_cluster(here: Path, there: Path) -> None:
    written = {stage.writes for stage in STAGES if stage.name in JOBS}
    filled = {name for name, rows in content(here).items() if rows}
    assert len(written) == len(JOBS)
    assert {PLAYS.name, *written} - {FAN_TRANSITIONS.name} <= filled, "so few listeners move that nothing is told of them"
    assert different(here, there) == {}


def test_one_line_runs_here_and_there_and_ends_with_the_jobs_exit_code(here: Path, there: Path, home: Path, cluster: str) -> None:
    """What the cluster made is up to date here, and the other way round: code sent as a zip counts as the code in a folder."""
    first, last = span(here)
    dates = ("--from", first, "--to", last)
    runs = [
        begin("jobs/listens.py", *dates, "--lake", home / "there"),
        begin("targeting/__main__.py", "day", *dates, "--only", "listens", "--lake", home / "here", master=cluster),
        begin("jobs/listens.py", "--date", "yesterday"),
        begin("jobs/listens.py", "--date", "yesterday", master=cluster),
    ]
    told = [ended(run) for run in runs]
    assert [done.returncode for done in told] == [0, 0, 2, 2], told
    said = [done.stdout + done.stderr for done in told]  # spark-submit gives a job's two outputs as one
    assert all("silver.listens: nothing to do\n" in text for text in said[:2]), said
    assert all("'yesterday' is no date" in text for text in said[2:]), said
    lost = submit("jobs/listens.py", "--date", "2025-03-01", master="spark://127.0.0.1:9")
    assert lost.returncode == 2
    assert "SPARK_MASTER=spark://127.0.0.1:9 cannot be reached" in lost.stderr


def test_what_follows_training_is_the_same_on_the_cluster(
    delivered: Calm, cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores, clusters, audiences and exports, by the model that the same registry says serves."""
    lake = Path(shutil.copytree(delivered.approved, tmp_path / "lake"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{delivered.lake}-mlflow/mlflow.db")
    line = ("day", "--date", delivered.last, "--from-stage", "scores", "--campaigns", days.CAMPAIGNS, "--lake", lake)
    done = submit("targeting/__main__.py", *line, master=cluster)
    assert done.returncode == 0, done.stderr
    assert different(delivered.lake, lake) == {}
    assert days.exports(lake) == days.exports(delivered.lake) != {}


@pytest.mark.parametrize(
    ("job", "scale"),
    [pytest.param("listens", 10, id="an executor", marks=pytest.mark.every), pytest.param("user_days", 100, id="a whole worker")],
)
def test_a_job_survives_the_loss_of(job: str, scale: int, here: Path, there: Path, home: Path, cluster: str) -> None:
    """Killed while a batch is being staged; with the settings for 10 and 100 workers, their sizes but for this machine."""
    table = next(TABLES[stage.writes] for stage in STAGES if stage.name == job)
    lake = home / f"lost-{job}"
    shutil.copytree(home / "there", lake)
    shutil.rmtree(lake / folder(table.name))
    settings = ("--properties-file", f"infra/spark/spark-defaults-{scale}.conf", *SMALL)
    first, last = span(here)
    run = begin(f"jobs/{job}.py", "--from", first, "--to", last, "--lake", lake, master=cluster, options=settings)
    try:
        wait_for(lambda: any((lake / folder(table.name)).glob("run-*/_temporary")) and executors(workers(home)), run)
        for one in executors(workers(home))[:1] if scale == 10 else whole(workers(home)[0]):
            one.send_signal(signal.SIGKILL)
        published = ArrowLake(Address.parse(str(lake))).files(table)
    finally:
        done = ended(run)
    assert not published, "it was killed too late to prove anything"
    assert "Lost executor" in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
    lost = ArrowLake(Address.parse(str(lake)))
    assert different(here, lake, table.name) == {}
    files = {path for paths in lost.files(table).values() for path in paths}
    assert files == {str(path.relative_to(lake / folder(table.name))) for path in (lake / folder(table.name)).rglob("*.parquet")}
    subprocess.run(["infra/spark/cluster.sh", "start", home / "spark"], cwd=ROOT, check=True)


def whole(worker: psutil.Process) -> list[psutil.Process]:
    return [worker, *worker.children(recursive=True)]


def wait_for(there_is: Callable[[], Any], run: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE
    while run.poll() is None and time.monotonic() < until:
        if there_is():
            return
        time.sleep(0.02)


def test_a_batch_is_what_its_committed_tasks_wrote(home: Path, cluster: str) -> None:
    """One task fails, one takes its executor with it, one is overtaken by its copy; under the committer that shows files early."""
    marks = home / "marks"
    marks.mkdir()
    risky = ("spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version=2", "spark.speculation=true", "spark.speculation.quantile=0.5")
    options = [word for one in (*risky, "spark.speculation.minTaskRuntime=5s") for word in ("--conf", one)]
    done = submit("tests/processes/faulty.py", home / "faulty", marks, master=cluster, options=(*SMALL, *options))
    assert done.returncode == 0, done.stderr
    assert sorted(mark.name for mark in marks.iterdir()) == ["1", "2", "3"], "every fault struck"
    assert json.loads(done.stdout) == {"files": 4, "exact": True, "early": 0}


def test_the_cluster_command_says_what_it_does(home: Path, cluster: str) -> None:
    def asked(*words: object, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: PLW1510
            ["infra/spark/cluster.sh", *map(str, words)], cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=PATIENCE
        )

    begun = [one.pid for one in workers(home)]
    again = asked("start", home / "spark")
    assert (again.returncode, again.stdout.strip()) == (0, cluster)
    assert [one.pid for one in workers(home)] == begun, "starting twice starts once"
    assert asked("status", home / "spark").returncode == 0
    port = cluster.rsplit(":", 1)[1]
    taken = asked("start", home / "other", SPARK_MASTER_PORT=port)
    assert taken.returncode == 2
    assert f"port {port} of 127.0.0.1 is taken" in taken.stderr
    nothing = asked("stop", home / "other")
    assert (nothing.returncode, asked("status", home / "other").returncode) == (0, 1)
    assert all(one.is_running() for one in workers(home)), "another folder's stop ends nothing of ours"
    for one in workers(home):
        assert {at.laddr.ip for at in one.net_connections("tcp") if at.status == "LISTEN"} <= {"127.0.0.1", "::ffff:127.0.0.1"}
