"""`overtone doctor`: fine on a machine that was set up, and for each thing taken away the right finding and what to do."""

from __future__ import annotations

import json
import shutil
import socket
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, NamedTuple

import pytest
from small_lake import filled

from jobs.lake import key
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from targeting.__main__ import main
from targeting.command import doctor, machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "OVERTONE_LAKE", key.VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doctor") / "lake"
    lake = ArrowLake(Address.parse(str(folder)))
    key.load_key(lake.address)
    filled(lake)
    return folder


@pytest.fixture
def lake(full: Path, tmp_path: Path) -> ArrowLake:
    shutil.copytree(full, tmp_path / "lake")
    shutil.copy(f"{full}.key", tmp_path / "lake.key")
    return ArrowLake(Address.parse(str(tmp_path / "lake")))


def found(lake: ArrowLake, check: str) -> machine.Finding:
    """Return what was found about one thing; every other thing is as it was."""
    by_name = {one.check: one for one in doctor.examine(lake)}
    return by_name[check]


def test_a_machine_that_was_set_up_lacks_nothing(lake: ArrowLake) -> None:
    looked = list(doctor.examine(lake))
    assert [one for one in looked if one.state == machine.WRONG] == []
    assert all(one.found for one in looked)
    assert [one.check for one in looked if one.state == machine.FINE and one.mend] == []


def test_a_new_lake_lacks_nothing_and_looking_makes_nothing(tmp_path: Path) -> None:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    assert "lake is empty: take a feed in (overtone ingest --help)" in found(lake, "lake").found
    assert "will be made" in found(lake, "listener key").found
    assert list(tmp_path.iterdir()) == []


def test_the_command_ends_with_1_if_anything_is_wrong_and_says_so_in_json(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--lake", str(lake.address.path)])
    assert "wrong" not in capsys.readouterr().out.replace("nothing is wrong", "")
    lake.address.beside(".key").unlink()
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json", "--lake", str(lake.address.path)])
    assert ended.value.code == 1
    wrong = [row for row in json.loads(capsys.readouterr().out) if row["state"] == machine.WRONG]
    assert [row["check"] for row in wrong] == ["listener key"]
    assert "a new one all listeners would be strangers" in wrong[0]["mend"]


def test_a_store_that_does_not_answer_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION"):
        monkeypatch.setenv(f"AWS_{name}", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    told = found(ArrowLake(Address.parse("s3://bucket/lake")), "lake")
    assert told.state == machine.WRONG
    assert "\n" not in told.found
    assert "the object store (S3) does not answer, or lets nobody in: " in told.found
    assert "endpoint, region and keys" in told.mend
    for command in ("status", "freshness"):
        with pytest.raises(SystemExit) as ended:
            main([command, "--lake", "s3://bucket/lake"])
        assert ended.value.code == 1
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"overtone {command}: the object store (S3) does not answer")
        assert "secret" not in said


def test_another_python_is_told(lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    class Version(NamedTuple):
        major: int
        minor: int
        micro: int

    monkeypatch.setattr(machine.sys, "version_info", Version(3, 10, 4))
    assert found(lake, "Python") == machine.Finding(
        "Python", machine.WRONG, "3.10.4", "use Python 3.11, 3.12 or 3.13: PYTHON=python3.12 infra/setup.sh"
    )


def test_a_package_that_is_missing_or_of_another_version_is_told(lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "optuna":
            raise machine.PackageNotFoundError
        return "2.0.0" if name == "mlflow" else installed(name)

    monkeypatch.setattr(machine, "version", version)
    told = found(lake, "packages")
    assert told.state == machine.WRONG
    assert told.found == f"optuna missing (wanted =={installed('optuna')}), mlflow 2.0.0 (wanted =={installed('mlflow')})"


@pytest.mark.parametrize(
    ("said", "found_is"),
    [
        ("echo 'openjdk version \"11.0.2\" 2019' >&2", "11 at "),
        ("echo 'java version \"1.8.0_301\"' >&2", "8 at "),
        ("exit 3", "does not start"),
        ("echo gibberish >&2", "gibberish at "),
    ],
)
def test_a_java_too_old_or_broken_is_told(
    said: str, found_is: str, lake: ArrowLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = tmp_path / "jdk/bin/java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\n{said}\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    told = found(lake, "Java")
    assert told.state == machine.WRONG
    assert found_is in told.found
    assert "install Java 17 or newer" in told.mend


def test_the_java_that_set_up_took_is_found_whatever_its_path_holds(
    lake: ArrowLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As infra/setup.sh writes it down: for a shell, quoted."""
    java = tmp_path / "it's a $path/jdk/bin/java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.8\" 2025' >&2\n")
    java.chmod(0o755)
    home = str(java.parent.parent).replace("'", "'\\''")
    (tmp_path / "spark-env.sh").write_text(f"[ -n \"${{JAVA_HOME:-}}\" ] || export JAVA_HOME='{home}'\n")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert found(lake, "Java") == machine.Finding("Java", machine.FINE, f"21 at {java}")


def test_a_lake_beside_which_nothing_may_be_written_leaves_no_log(lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "access", lambda path, _: path != lake.address.path.parent)  # type: ignore[union-attr]
    told = found(lake, "log")
    assert (told.state, told.found) == (machine.WARNING, f"{lake.address.path.parent} may not be written")  # type: ignore[union-attr]


def test_no_java_at_all_is_told(lake: ArrowLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found(lake, "Java").found == "none"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("", "does not name it"),
        ("spark.sql.extensions io.delta.sql.DeltaSparkSessionExtension", "does not name it"),
        ("spark.sql.extensions io.delta.sql.DeltaSparkSessionExtension\nspark.jars file://{}/gone.jar", "missing or broken"),
        ("spark.sql.extensions io.delta.sql.DeltaSparkSessionExtension\nspark.jars file://{}/cut%20off.jar", "missing or broken"),
        (
            "spark.sql.extensions io.delta.sql.DeltaSparkSessionExtension\nspark.jars file://{}/delta-spark-1.0.0.jar",
            "delta-spark-1.0.0.jar",
        ),
    ],
)
def test_spark_without_delta_is_told(settings: str, says: str, lake: ArrowLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cut off.jar").write_bytes(b"PK")
    shutil.make_archive(str(tmp_path / "delta"), "zip", tmp_path / "lake")
    (tmp_path / "delta.zip").rename(tmp_path / "delta-spark-1.0.0.jar")
    (tmp_path / "spark-defaults.conf").write_text(settings.format(tmp_path))
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    told = found(lake, "Delta for Spark")
    assert told.state == machine.WRONG
    assert says in told.found
    assert "infra/setup.sh" in told.mend


@pytest.mark.parametrize(
    ("limit", "used", "state"),
    [("max", "1", machine.FINE), (str(9 * 2**30), str(2**30), machine.FINE), (str(5 * 2**30), "0", machine.WARNING)],
)
def test_memory_is_judged_by_what_a_container_leaves(
    limit: str, used: str, state: str, lake: ArrowLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"/proc/meminfo": "MemTotal:  33554432 kB\nMemAvailable:  25165824 kB\n", "/sys/fs/cgroup/memory.max": f"{limit}\n"}
    files["/sys/fs/cgroup/memory.current"] = f"{used}\n"
    real = machine._text  # noqa: SLF001
    monkeypatch.setattr(machine, "_text", lambda path: files.get(str(path)) or real(path))
    told = found(lake, "memory")
    assert told.state == state
    assert bool(told.mend) == (state != machine.FINE)


def test_too_little_memory_is_wrong(lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    real = machine._text  # noqa: SLF001
    monkeypatch.setattr(machine, "_text", lambda path: "MemAvailable:  1048576 kB\n" if path.name == "meminfo" else real(path))
    assert found(lake, "memory").state == machine.WRONG
    assert found(lake, "memory").found == "1.0 GiB free, 6 advisable"


@pytest.mark.parametrize(("gib", "state"), [(50.0, machine.FINE), (3.0, machine.WARNING), (0.5, machine.WRONG)])
def test_a_full_disk_is_told(gib: float, state: str, lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(shutil.disk_usage("/"))(100 * 2**30, 0, int(gib * 2**30))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    assert found(lake, "disk of the lake").state == state
    assert found(lake, "disk for temporary files").state == state


def test_a_place_that_may_not_be_written_is_told(lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.os, "access", lambda _, mode: mode != machine.os.W_OK)
    told = found(lake, "disk of the lake")
    assert told.state == machine.WRONG
    assert told.found == f"{lake.address.path} may not be written"


@pytest.mark.parametrize(("name", "spelling"), [("MLFLOW_TRACKING_URI", "http://127.0.0.1:{}"), ("RAY_ADDRESS", "127.0.0.1:{}")])
def test_a_named_service_has_to_answer(name: str, spelling: str, lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv(name, spelling.format(port))
        assert found(lake, name).state == machine.FINE
    told = found(lake, name)
    assert told.state == machine.WRONG
    assert told.found.startswith(f"127.0.0.1:{port}: ")
    assert f"take {name} away" in told.mend


@pytest.mark.parametrize(
    ("name", "value"), [("MLFLOW_TRACKING_URI", "sqlite:///x.db"), ("MLFLOW_TRACKING_URI", "mlruns"), ("RAY_ADDRESS", "auto")]
)
def test_what_is_no_service_is_not_asked(name: str, value: str, lake: ArrowLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert name not in {one.check for one in doctor.examine(lake)}


def says(told: machine.Finding, state: str, *words: str) -> bool:
    """Whether a finding is of this state and its words hold all of these."""
    return told.state == state and all(word in f"{told.found} {told.mend}" for word in words)


def test_a_key_that_others_may_read_that_is_too_short_or_gone_is_told(
    lake: ArrowLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lake.key"
    path.chmod(0o644)
    assert says(found(lake, "listener key"), machine.WARNING, "others may read it", f"chmod 600 {path}")
    path.write_bytes(b"short")
    assert says(found(lake, "listener key"), machine.WRONG, "has 5 bytes")
    monkeypatch.setenv(key.VARIABLE, str(tmp_path / "elsewhere"))
    assert says(found(lake, "listener key"), machine.WRONG, "elsewhere is not there", key.VARIABLE)


def test_the_key_itself_is_never_shown(lake: ArrowLake, tmp_path: Path) -> None:
    secret = (tmp_path / "lake.key").read_bytes()
    said = " ".join(f"{one.found} {one.mend}" for one in doctor.examine(lake))
    assert secret.hex() not in said
    assert repr(secret)[2:12] not in said


def test_tables_with_a_broken_log_or_lost_files_are_told_and_the_others_looked_at(lake: ArrowLake, tmp_path: Path) -> None:
    (lost, *_) = sorted((tmp_path / "lake/silver/listeners").rglob("*.parquet"))
    lost.unlink()
    (log, *_) = sorted((tmp_path / "lake/segments/user_segments/_delta_log").glob("*.json"))
    log.write_text("{broken")
    assert says(found(lake, "tables"), machine.WRONG, "silver.listeners: 1 of ", lost.name, "segments.user_segments cannot be read")
