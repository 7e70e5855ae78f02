"""Set-up and a demo on a bare machine: no Java, no network, nobody's home, a strange path, clock and language, nothing to write to.

One run meets all of it at once, and its tables are compared with those of a run that met none of it. What each test asserts names the
condition that it is about, so that a failure says which one broke; whatever breaks the run itself is in its output.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.catalogue import TABLES
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.spark import SparkLake
from jobs.world.preset import World
from targeting.command import demo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]
ROOT = Path(__file__).parent.parent.parent
LISTENERS, DAYS = 40, 2
NOBODY = 65534
KEY = bytes(range(32))
# What names a run, or the moment or the machine it ran on.
OF_THE_RUN = {"run", "refused_at", "audited_at", "dates"}
NEVER_READ = ("JAVA_HOME", "SPARK_HOME", "SPARK_CONF_DIR", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONUTF8", "PYTHONIOENCODING", "LANG")
# Of no use to who lives for a minute: the second compiler, and Spark's own.
BRIEF = (
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -Dspark.sql.codegen.wholeStage=false -Dspark.sql.codegen.factoryMode=NO_CODEGEN"
)
STRANGE = {"LC_ALL": "C", "TZ": "Pacific/Apia"}
NO_NETWORK = ("Temporary failure in name resolution", "dns error", "NewConnectionError", "Failed to fetch", "could not fetch")
IN_THE_BOX = """
set -eu
ip link set lo up
mount --bind "$CHECKOUT" "$CHECKOUT"
mount -o remount,ro,bind "$CHECKOUT"
cd "$CHECKOUT"
exec $AS_NOBODY env -i JDK_JAVA_OPTIONS="$BRIEF" HOME=/nonexistent PATH="$CHECKOUT/.venv/bin:$TOOLS" LC_ALL=C TZ=Pacific/Apia sh -c '
  out=$1
  touch here 2>/dev/null && echo "the checkout can be written" && exit 9
  infra/setup.sh
  overtone doctor --lake "$out/lake" >"$out/doctor"
  overtone demo --listeners "$2" --days "$3" --lake "$out/lake"
  spark-submit jobs/listens.py --date 2026-10-01 --lake "$out/lake"
' sh "$OUT" "$LISTENERS" "$DAYS"
"""


@dataclass(frozen=True)
class Box:
    """A checkout that was set up on a machine without Java, and what running it in the box came to."""

    checkout: Path
    out: Path
    before: frozenset[str]
    code: int
    said: str
    calm: ArrowLake

    @property
    def lake(self) -> ArrowLake:
        return ArrowLake(Address.parse(str(self.out / "lake")))


@pytest.fixture(scope="module")
def box(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    enter = way_in()
    # Where a user without rights gets to: pytest's own folders are closed to others.
    place = Path("/tmp") / f"overtone's bäre machine {os.getpid()}"  # noqa: S108
    try:
        checkout, out, tools = place / "check out", place / "öut", place / "tools"
        copied(checkout)
        out.mkdir()
        (out / "lake.key").write_bytes(KEY)
        (out / "lake.key").chmod(0o600)
        without_java(tools)
        set_up(checkout, tools)
        for path in (out, out / "lake.key"):
            os.chown(path, *((NOBODY, NOBODY) if os.geteuid() == 0 else (-1, -1)))
        before = contents(checkout)
        words = {
            "CHECKOUT": checkout,
            "OUT": out,
            "TOOLS": tools,
            "BRIEF": BRIEF,
            "AS_NOBODY": as_nobody(),
            "LISTENERS": LISTENERS,
            "DAYS": DAYS,
        }
        environment = os.environ | {name: str(value) for name, value in words.items()}
        with subprocess.Popen(
            [*enter, "sh", "-c", IN_THE_BOX], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        ) as run:
            calm = undisturbed(tmp_path_factory.mktemp("calm"))
            said, _ = run.communicate()
        yield Box(checkout, out, before, run.returncode, said, calm)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def way_in() -> list[str]:
    """Return the command that enters a box without a network, and a file system of its own; skip where it is not allowed."""
    enter = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    try:
        subprocess.run([*enter, "sh", "-c", "ip link set lo up && mount --bind /tmp /tmp"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine gives no box without a network: {error}")
    return enter


def as_nobody() -> str:
    """Return what drops the rights of root: others have none to drop, whatever the box calls them."""
    return f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups" if os.geteuid() == 0 else ""


def copied(checkout: Path) -> None:
    """Copy the files that the repository holds."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith("tests/"):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)


def without_java(tools: Path) -> None:
    """Fill a folder with all commands of this machine but Java's, and with a Python that a user without rights may start."""
    tools.mkdir()
    for folder in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for path in Path(folder).iterdir() if Path(folder).is_dir() else ():
            if path.name not in ("java", "javac", "keytool", "python3") and not (tools / path.name).is_symlink():
                (tools / path.name).symlink_to(path)
    (tools / "python3").symlink_to(python())


def python() -> Path:
    """Return a Python of a version we run on, that everybody may start and that can make environments."""
    for path in (Path(sys.base_prefix, "bin", "python3"), Path("/usr/bin/python3"), Path("/usr/local/bin/python3")):
        real = path.resolve()
        open_to_all = all(one.stat().st_mode & stat.S_IXOTH for one in (real, *real.parents)) if real.exists() else False
        fits = "import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))"
        if open_to_all and subprocess.run([path, "-c", fits], check=False, capture_output=True).returncode == 0:
            return real
    pytest.skip("no Python 3.11 to 3.13 that a user without rights may start")


def set_up(checkout: Path, tools: Path) -> None:
    """Set up as an administrator would, in the C locale, on a machine without Java."""
    environment = {name: value for name, value in os.environ.items() if name not in NEVER_READ} | STRANGE | {"PATH": str(tools)}
    done = subprocess.run(
        [checkout / "infra/setup.sh"], env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode and any(words in done.stderr for words in NO_NETWORK):
        pytest.skip(f"set-up found no network: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "taking a JDK into .venv" in done.stdout


def undisturbed(folder: Path) -> ArrowLake:
    """Run the same demo here, in the plainest of surroundings."""
    (folder / "lake.key").write_bytes(KEY)
    lake = SparkLake(Address.parse(str(folder / "lake")))
    demo.play(lake, demo.world_setting(lake.address, World(7, LISTENERS, DAYS, demo.FIRST_DAY)))
    return lake.arrow


def contents(folder: Path) -> frozenset[str]:
    return frozenset(f"{path.relative_to(folder)} {path.lstat().st_mtime_ns}" for path in folder.rglob("*"))


def rows(lake: ArrowLake) -> dict[str, list[str]]:
    found = {}
    for table in TABLES.values():
        frame = lake.read(table, columns=[name for name in table.names if name not in OF_THE_RUN])
        found[table.name] = sorted(map(repr, frame.to_pylist()))
    return found


def test_it_runs(box: Box) -> None:
    assert box.code == 0, box.said
    assert re.search(r"\[(\d+)/\1\] export", box.said)
    assert box.said.splitlines()[-1] == "silver.listens: nothing to do"


def test_another_time_zone_and_language_give_the_same_rows(box: Box) -> None:
    calm, strange = rows(box.calm), rows(box.lake)
    assert sum(map(len, calm.values())) > 10_000
    assert {name for name in calm if calm[name] != strange[name]} == set()
    assert box.lake.read(TABLES["silver.listens"]).num_rows > 0


def test_another_language_garbles_no_word(box: Box) -> None:
    page = (box.out / "lake-page/index.html").read_bytes().decode("utf-8")
    assert "�" not in page
    assert "UnicodeEncodeError" not in box.said


def test_nothing_is_written_into_the_checkout(box: Box) -> None:
    assert contents(box.checkout) == box.before


def test_everything_lies_beside_the_lake_and_belongs_to_who_ran_it(box: Box) -> None:
    made = {path.name for path in box.out.iterdir()}
    assert made == {"doctor", "lake", "lake.key", "lake-logs", "lake-page", f"lake-feed-{LISTENERS}x{DAYS}-7"}
    wanted = NOBODY if os.geteuid() == 0 else os.geteuid()
    assert {path.stat().st_uid for path in box.out.rglob("*")} == {wanted}


def test_the_doctor_finds_nothing_wrong_and_the_java_that_set_up_took(box: Box) -> None:
    told = (box.out / "doctor").read_text(encoding="utf-8")
    assert " wrong " not in told
    assert f"{box.checkout}/.venv/jdk/bin/java" in told


def test_no_home_was_made() -> None:
    assert not Path("/nonexistent").exists()
