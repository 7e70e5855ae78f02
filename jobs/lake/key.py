"""The listener key: it lies outside of the lake; with it pseudonyms are made, without it nobody can make or check one."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from validation.verdict import WrongUse

if TYPE_CHECKING:
    from jobs.lake.address import Address

VARIABLE = "OVERTONE_KEY_FILE"
SHORTEST = 16  # bytes of a key


def load_key(address: Address) -> bytes:
    """Read the key from OVERTONE_KEY_FILE, else from a file beside the lake, which is made if it is not there yet."""
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else address.beside(".key")
    if not named and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
    try:
        key = path.read_bytes()
    except OSError as error:
        raise WrongUse(f"the listener key {path} cannot be read: {error.strerror}; {VARIABLE} names its file") from error
    if len(key) < SHORTEST:
        raise WrongUse(f"the listener key {path} has {len(key)} bytes; at least {SHORTEST} are needed")
    return key


def derived(key: bytes, purpose: str) -> bytes:
    """Return a key for one purpose, from which neither the key nor another purpose's can be found."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()
