"""The listener key: it lies outside of the lake; with it pseudonyms are made, without it nobody can make or check one."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.fs as pafs

from validation.verdict import WrongUse

if TYPE_CHECKING:
    from jobs.lake.address import Address

VARIABLE = "OVERTONE_KEY_FILE"
SHORTEST = 16  # bytes of a key
PSEUDONYMS = "bronze"  # the folder of the tables that the key is made before
RESTORE = f"put the lake's own key back from a copy, or let {VARIABLE} name it"


def load_key(address: Address) -> bytes:
    """Read the key from OVERTONE_KEY_FILE, else from a file beside the lake, which is made if it is not there yet.

    Where the lake holds pseudonyms a key that is gone is never replaced: with another one all listeners would be strangers.
    """
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else address.beside(".key")
    try:
        if not named and not path.exists():
            _make(address, path)
        key = path.read_bytes()
    except OSError as error:
        raise WrongUse(f"the listener key {path} cannot be read: {error.strerror}; {VARIABLE} names its file") from error
    if len(key) < SHORTEST:
        raise WrongUse(f"the listener key {path} has {len(key)} bytes; at least {SHORTEST} are needed: {RESTORE}")
    return key


def derived(key: bytes, purpose: str) -> bytes:
    """Return a key for one purpose, from which neither the key nor another purpose's can be found."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


def _make(address: Address, path: Path) -> None:
    """Make a key that is there whole or not at all; who is second at it leaves the first one's."""
    # Looked at again behind the tables: a first intake at the same time makes its key, and then its tables.
    if _held(address) and not path.exists():
        raise WrongUse(f"the listener key {path} is gone, but {address.uri} holds listeners: {RESTORE}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            return
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _held(address: Address) -> bool:
    """Say whether the lake has a table of events."""
    system, root = pafs.FileSystem.from_uri(address.arrow(PSEUDONYMS))
    tables = system.get_file_info(pafs.FileSelector(root, allow_not_found=True))
    logs = system.get_file_info([f"{one.path}/_delta_log" for one in tables])
    return any(one.type is pafs.FileType.Directory for one in logs)
