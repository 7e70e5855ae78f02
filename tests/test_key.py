"""The listener key: made once and whole, whoever is killed or second at it, and never in the place of one that was lost."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from small_lake import put

from jobs.contracts.events import PLAYS
from jobs.lake import key
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from pathlib import Path

KILLED = """
import os, signal, sys
from jobs.lake.address import Address
from jobs.lake.key import load_key
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
os.fsync = die
if sys.argv[2] == "before":
    import secrets
    secrets.token_bytes = die
load_key(Address.parse(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(key.VARIABLE, raising=False)


@pytest.fixture
def address(tmp_path: Path) -> Address:
    return Address.parse(str(tmp_path / "lake"))


def test_a_key_is_made_once_for_its_owner_alone(address: Address, tmp_path: Path) -> None:
    first = key.load_key(address)
    assert (len(first), key.load_key(address)) == (32, first)
    assert [path.name for path in tmp_path.iterdir()] == ["lake.key"]
    assert (tmp_path / "lake.key").stat().st_mode & 0o777 == 0o600


def test_a_lost_key_is_not_replaced_where_the_lake_holds_listeners(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = key.load_key(address)
    put(ArrowLake(address), PLAYS, [])
    (tmp_path / "lake.key").rename(tmp_path / "copy")
    with pytest.raises(WrongUse, match=rf"lake\.key is gone, but file://.*/lake holds listeners: put .* back .* {key.VARIABLE}"):
        key.load_key(address)
    assert not (tmp_path / "lake.key").exists()
    monkeypatch.setenv(key.VARIABLE, str(tmp_path / "copy"))
    assert key.load_key(address) == first


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_while_it_makes_a_key_leaves_none(when: str, address: Address, tmp_path: Path) -> None:
    """Before its bytes are written, or before they are known to be on the disk."""
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "lake"), when], check=False)
    assert ended.returncode == -9
    assert not (tmp_path / "lake.key").exists()
    assert len(key.load_key(address)) == 32


def test_of_first_intakes_at_once_all_have_the_same_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for n in range(25):
            found = pool.map(_loaded, [str(tmp_path / f"lake{n}")] * 8, chunksize=1)
            assert len(set(found)) == 1


def test_who_is_second_reads_what_the_first_one_made(address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one's key, and even its tables, come while the second looks whether there are any."""
    looked = key._held  # noqa: SLF001

    def first(at: Address) -> bool:
        (tmp_path / "lake.key").write_bytes(bytes(32))
        put(ArrowLake(at), PLAYS, [])
        return looked(at)

    monkeypatch.setattr(key, "_held", first)
    assert key.load_key(address) == bytes(32)


def _loaded(place: str) -> bytes:
    return key.load_key(Address.parse(place))
