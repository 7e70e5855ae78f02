"""The servers that the environment names: where they are, and what to say of a name that is none, or of one that does not answer."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

from jobs.journal import plain
from validation.verdict import OvertoneError, WrongUse

MLFLOW, RAY = "MLFLOW_TRACKING_URI", "RAY_ADDRESS"
PORTS = {"http": 80, "https": 443, "ray": 10001, "spark": 7077}
STORES = ("file", "sqlite", "postgresql", "mysql", "mssql", "http", "https", "databricks", "databricks-uc", "uc")  # of MLflow
FORMS = {MLFLOW: f"a path or a URI of {', '.join(STORES)}", RAY: "HOST:PORT, ray://HOST:PORT, auto or local"}
HERE = ("auto", "local")  # words for a Ray of this machine
SECONDS = 3.0  # that a service has to answer in
Place = tuple[str, int]


def place(name: str, value: str) -> Place | None:
    """Return the host and port that a setting names, None where it names no server; what is no address raises `WrongUse`."""
    if not value or (name == RAY and value in HERE):
        return None
    try:
        bare = "://" not in value
        parts = urlsplit(f"ray://{value}" if name == RAY and bare else value)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _wrong(name, value, str(error)) from error
    if name == RAY and not (host and (port or not bare)):
        raise _wrong(name, value, "a host or a port is missing")
    if name == MLFLOW and parts.scheme and parts.scheme.split("+")[0] not in STORES:
        raise _wrong(name, value, f"unknown scheme {parts.scheme!r}")
    return (host, port or PORTS[parts.scheme]) if host and parts.scheme in PORTS else None


def check() -> None:
    """Raise `WrongUse` if a setting that only a late stage needs is no address: better now than after all stages before."""
    for name in (MLFLOW, RAY):
        place(name, os.environ.get(name, ""))


def reach(name: str) -> None:
    """Raise `OvertoneError` if the server that a setting names takes no connection: its own library would try for minutes."""
    value = os.environ.get(name, "")
    found = place(name, value)
    if found is None or urlsplit(value).scheme in getproxies():  # behind a proxy its own library alone gets there
        return
    try:
        connect(found)
    except OSError as error:
        why = f"{name}={plain(value)!r} does not answer: {error.strerror or error}"
        raise OvertoneError(f"{why}; start that service, or take {name} away to work on this machine") from error


def connect(found: Place) -> None:
    """Take a connection and let it go; `OSError` where there is none to take."""
    socket.create_connection(found, SECONDS).close()


def _wrong(name: str, value: str, why: str) -> WrongUse:
    forms = FORMS.get(name, "SCHEME://HOST:PORT")
    return WrongUse(f"{name}={plain(value)!r} is no address: {why}; give {forms}, or take it away to work on this machine")
