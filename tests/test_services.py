"""The servers that the environment names: what is no address is said by every command that would need it, a dead one in seconds."""

from __future__ import annotations

import json
import socket

import pytest
from small_lake import filled
from test_command import call

from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.services import FORMS, MLFLOW, RAY, place, reach
from ray_tune import registry
from targeting.command import machine
from validation.verdict import OvertoneError, WrongUse

WRONG = [
    (RAY, "localhost:99999", "Port out of range 0-65535"),
    (RAY, "[::1", "Invalid IPv6 URL"),
    (RAY, "nowhere", "a host or a port is missing"),
    (RAY, "ray://", "a host or a port is missing"),
    (MLFLOW, "http://localhost:port", "Port could not be cast to integer value as 'port'"),
    (MLFLOW, "http://[::1", "Invalid IPv6 URL"),
    (MLFLOW, "ftp://host/x", "unknown scheme 'ftp'"),
]
NO_SERVER = [(RAY, ""), (RAY, "auto"), (RAY, "local"), (MLFLOW, ""), (MLFLOW, "./runs"), (MLFLOW, "sqlite:////tmp/x.db")]
wrong = pytest.mark.parametrize(("name", "value", "why"), WRONG, ids=[value for _, value, _ in WRONG])


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (MLFLOW, RAY, "OVERTONE_LAKE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("services") / "lake"
    filled(ArrowLake(Address.parse(str(folder))))
    return str(folder)


@wrong
@pytest.mark.parametrize(
    "argv", [("day", "--date", "2026-11-09"), ("day", "--date", "2026-11-09", "--only", "train"), ("demo",)], ids=lambda one: one[-1]
)
def test_a_day_says_at_its_start_what_is_no_address(  # noqa: PLR0913, PLR0917
    name: str, value: str, why: str, argv: tuple[str, ...], lake: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    code, out, err = call(capsys, *argv, "--lake", lake)
    assert (code, out) == (2, "")
    assert f"{name}={value!r} is no address: {why}; give {FORMS[name]}" in err


@wrong
def test_doctor_finds_it(
    name: str, value: str, why: str, lake: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    code, out, _ = call(capsys, "doctor", "--json", "--lake", lake)
    (found,) = [one for one in json.loads(out) if one["check"] == name]
    assert (code, found["state"]) == (1, machine.WRONG)
    assert why in found["found"]


@wrong
def test_what_would_use_it_says_so(name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongUse, match="is no address"):
        reach(name)


@pytest.mark.parametrize("uri", ["http://localhost:port", "http://127.0.0.1:1"])
def test_a_decision_that_the_registry_cannot_learn_of_is_not_written_down(
    uri: str, lake: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(MLFLOW, uri)
    before = call(capsys, "model", "list", "--json", "--lake", lake)
    code, out, err = call(capsys, "model", "approve", "2", "--by", "Grace", "--lake", lake)
    assert (code, out) == (1 if uri.endswith(":1") else 2, "")
    assert f"overtone model: {MLFLOW}={uri!r} " in err
    assert call(capsys, "model", "list", "--json", "--lake", lake) == before


@pytest.mark.parametrize(("name", "value"), NO_SERVER)
def test_what_names_no_server_is_not_asked(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert place(name, value) is None
    reach(name)


def test_a_server_that_answers_is_reached_and_one_that_does_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv(RAY, f"127.0.0.1:{port}")
        reach(RAY)
    with pytest.raises(OvertoneError, match=f"{RAY}='127.0.0.1:{port}' does not answer: Connection refused; start that service"):
        reach(RAY)


def test_a_server_behind_a_proxy_is_left_to_its_own_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:2")
    monkeypatch.setenv(MLFLOW, "http://127.0.0.1:1")
    reach(MLFLOW)
    monkeypatch.delenv("http_proxy")
    with pytest.raises(OvertoneError, match="does not answer"):
        reach(MLFLOW)


def test_no_sentence_repeats_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, kind in (("http://me:secret@127.0.0.1:1", OvertoneError), ("http://me:secret@127.0.0.1:port", WrongUse)):
        monkeypatch.setenv(MLFLOW, value)
        with pytest.raises(kind) as told:
            reach(registry.VARIABLE)
        assert "secret" not in str(told.value)
