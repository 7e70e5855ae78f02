"""What a machine needs to run the platform: the looks that `overtone doctor` takes at it, one function a thing."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement

from jobs.services import MLFLOW, RAY, connect, place
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.services import Place

FINE, WARNING, WRONG = "fine", "warning", "wrong"
GIB = 2**30
MEMORY = (6.0, 4.0)  # GiB below which a day may be killed, and will be
DISK = (5.0, 1.0)  # GiB below which a world of 20,000 listeners may not fit, and does not
SHARED = 0.2  # GiB of shared memory that Ray's object store asks for
OLDEST_JAVA = 17
PYTHONS = ((3, 11), (3, 14))
SET_UP = "run infra/setup.sh"


@dataclass(frozen=True)
class Finding:
    """What one look found: its state, and what to do unless it is fine."""

    check: str
    state: str
    found: str
    mend: str = ""


def python() -> Finding:
    """Judge the Python that runs this."""
    found = ".".join(map(str, sys.version_info[:3]))
    fits = PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]
    return judged("Python", found, "" if fits else "use Python 3.11, 3.12 or 3.13: PYTHON=python3.12 infra/setup.sh")


def packages() -> Finding:
    """Judge the installed packages by what Overtone declares."""
    wanted = [Requirement(text) for text in requires("overtone") or ()]
    odd = [f"{one.name} {_installed(one.name) or 'missing'} (wanted {one.specifier})" for one in wanted if not _fits(one)]
    return judged("packages", ", ".join(odd) or f"{len(wanted)} as declared", SET_UP if odd else "")


def java() -> Finding:
    """Look for the Java that Spark would start: JAVA_HOME, else the one that set-up took, else the PATH's."""
    stated = re.search(r"export JAVA_HOME=(.+)$", _text(_conf() / "spark-env.sh"), re.MULTILINE)
    home = os.environ.get("JAVA_HOME") or (shlex.split(stated[1])[0] if stated else "")
    program = str(Path(home, "bin", "java")) if home else shutil.which("java")
    mend = f"install Java {OLDEST_JAVA} or newer, or {SET_UP}, which takes one"
    if program is None:
        return Finding("Java", WRONG, "none", mend)
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("Java", WRONG, f"{program} does not start: {error}", mend)
    number = re.search(r'version "(?:1\.)?(\d+)', said)
    fits = number is not None and int(number[1]) >= OLDEST_JAVA
    return judged("Java", f"{number[1] if number else said.strip()} at {program}", "" if fits else mend)


def delta() -> Finding:
    """Look whether Spark's settings name Delta, and jars of its version that can be read."""
    settings = dict(re.findall(r"^(spark\.\S+)\s+(.+?)\s*$", _text(_conf() / "spark-defaults.conf"), re.MULTILINE))
    jars = [Path(unquote(urlsplit(uri).path)) for uri in settings.get("spark.jars", "").split(",") if uri]
    if "DeltaSparkSessionExtension" not in settings.get("spark.sql.extensions", "") or not jars:
        return Finding("Delta for Spark", WRONG, f"{_conf() / 'spark-defaults.conf'} does not name it", f"{SET_UP}, or set SPARK_CONF_DIR")
    broken = [str(jar) for jar in jars if not zipfile.is_zipfile(jar)]
    if broken:
        return Finding("Delta for Spark", WRONG, f"missing or broken: {', '.join(broken)}", f"delete what is broken and {SET_UP}")
    mine = _installed("delta-spark")
    fits = any(f"-{mine}.jar" in jar.name for jar in jars)
    return judged("Delta for Spark", ", ".join(jar.name for jar in jars), "" if fits else f"delta-spark is {mine}: {SET_UP}")


def memory() -> Finding:
    """Look at the memory free for new processes; a container's own limit counts."""
    stated = dict(re.findall(r"^(\w+):\s+(\d+) kB", _text(Path("/proc/meminfo")), re.MULTILINE))
    if "MemAvailable" not in stated:
        return Finding("memory", WARNING, "this system does not say", f"have {MEMORY[0]:g} GiB free")
    free = int(stated["MemAvailable"]) / 2**20
    limit, used = (_text(Path("/sys/fs/cgroup", name)).strip() for name in ("memory.max", "memory.current"))
    if limit.isdigit() and used.isdigit():
        free = min(free, (int(limit) - int(used)) / GIB)
    return _measured("memory", free, MEMORY, "end other programs, or lower spark.driver.memory in spark-defaults.conf")


def shared_memory() -> Finding:
    """Measure the memory that processes share."""
    shared = Path("/dev/shm")  # noqa: S108 - looked at, never written
    if not shared.is_dir():
        return Finding("shared memory", WARNING, "no /dev/shm", "Ray will keep its objects on disk and be slow")
    return _measured("shared memory", shutil.disk_usage(shared).free / GIB, (SHARED, 0.0), "start the container with --shm-size=1g")


def disk(check: str, place: Path) -> Finding:
    """Measure the disk that holds a place, which may be yet to be made."""
    there = next(one for one in (place, *place.parents) if one.exists())
    if not os.access(there, os.W_OK):
        return Finding(check, WRONG, f"{there} may not be written", "give yourself the right to, or name another place")
    return _measured(check, shutil.disk_usage(there).free / GIB, DISK, f"make room on the disk of {there}")


def loopback() -> Finding:
    """Try to take a connection on this machine alone."""
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return Finding("loopback", FINE, "127.0.0.1 takes connections")
    except OSError as error:
        return Finding("loopback", WRONG, str(error), "bring the interface lo up: Spark and Ray talk to their workers over it")


def services() -> Iterator[Finding]:
    """Yield whether the services that the environment or Spark's settings name answer."""
    master = re.search(r"^spark\.master\s+(spark://\S+)", _text(_conf() / "spark-defaults.conf"), re.MULTILINE)
    named = {name: os.environ.get(name, "") for name in (MLFLOW, RAY)}
    for name, uri in (named | {"spark.master": master[1] if master else ""}).items():
        try:
            there = place(name, uri)
        except WrongUse as error:
            yield Finding(name, WRONG, str(error), f"mend {name}, or take it away")
            continue
        if there is not None:
            yield _answer(name, there)


def _answer(name: str, there: Place) -> Finding:
    shown = f"{there[0]}:{there[1]}"
    try:
        connect(there)
    except OSError as error:
        return Finding(name, WRONG, f"{shown}: {error}", f"start that service, or take {name} away to work on this machine")
    return Finding(name, FINE, f"{shown} answers")


def judged(check: str, found: str, mend: str) -> Finding:
    """Return a finding that is wrong if there is something to mend."""
    return Finding(check, WRONG if mend else FINE, found, mend)


def _measured(check: str, free: float, least: tuple[float, float], mend: str) -> Finding:
    """Judge GiB by what is advisable and what is needed."""
    state = FINE if free >= least[0] else WARNING if free >= least[1] else WRONG
    said = f"{free:.1f} GiB free" + ("" if state == FINE else f", {least[0]:g} advisable")
    return Finding(check, state, said, "" if state == FINE else mend)


def _fits(one: Requirement) -> bool:
    if one.marker is not None and not one.marker.evaluate():
        return True
    found = _installed(one.name)
    return found is not None and one.specifier.contains(found, prereleases=True)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _conf() -> Path:
    """Return the folder of Spark's settings."""
    named = os.environ.get("SPARK_CONF_DIR")
    if named:
        return Path(named)
    found = find_spec("pyspark")
    home = os.environ.get("SPARK_HOME") or (Path(found.origin).parent if found and found.origin else "")
    return Path(home, "conf")


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
