"""Which files are read, and that what is taken in is what was listed: no link is followed, nothing is waited for, no change goes unseen."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from feeds import ANNA, BERT, CLOCK, at, lines, put, streamed

from jobs import intake
from jobs.contracts.events import PLAYS
from jobs.contracts.operations import FILES, QUARANTINE
from jobs.ingest import ingest
from jobs.intake import take
from jobs.lake.key import load_key
from jobs.sources import SOURCES
from jobs.sources.files import Taken, find
from jobs.sources.opening import opened, opened_below
from jobs.sources.parsing import Taking
from jobs.sources.reading import batches
from jobs.sources.records import UNREAD
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobs.lake.spark import SparkLake

EVENTSIM = SOURCES["eventsim"]
NOBODY = 65_534


def log(number: int, user: str = ANNA) -> bytes:
    return lines(*(streamed(at(1 + number, 8, n), user, n) for n in range(9)))


def found(*paths: Path) -> tuple[list[str], dict[str, str]]:
    taken, skipped = find(EVENTSIM, paths, SOURCES)
    return [one.name for one in taken], {one.name: one.why for one in skipped}


def test_what_is_no_regular_file_within_the_folder_is_named_and_left(tmp_path: Path) -> None:
    folder = put(tmp_path / "feed", {"a.jsonl": log(1), "deep/b.jsonl": log(2)})
    put(tmp_path / "elsewhere", {"c.jsonl": log(3)})
    os.mkfifo(folder / "pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as plug:
        here = Path.cwd()
        os.chdir(folder)  # a socket's name may be 100 letters long
        plug.bind("plug.jsonl")
        os.chdir(here)
    (folder / "file-link.jsonl").symlink_to(tmp_path / "elsewhere/c.jsonl")
    (folder / "folder-link").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.jsonl").symlink_to(tmp_path / "nothing")
    link, special = "links within a folder are not followed", "it is no regular file"
    others = {
        "file-link.jsonl": link,
        "folder-link": link,
        "loop": link,
        "nowhere.jsonl": link,
        "pipe.jsonl": special,
        "plug.jsonl": special,
    }
    assert found(folder) == (["a.jsonl", "b.jsonl"], others)
    for path in (folder / "pipe.jsonl", Path("/dev/zero")):
        with pytest.raises(WrongUse, match=rf"nothing for eventsim in {path}: {path.name}: skipped, it is no regular file"):
            find(EVENTSIM, [path], SOURCES)
        with pytest.raises(OSError, match="no regular file"), opened(str(path)):
            pass


def test_what_the_operator_names_may_be_a_link_or_lie_behind_one(tmp_path: Path) -> None:
    put(tmp_path / "there", {"feed/a.jsonl": log(1)})
    (tmp_path / "here").symlink_to(tmp_path / "there")
    (tmp_path / "one.jsonl").symlink_to(tmp_path / "there/feed/a.jsonl")
    assert found(tmp_path / "here/feed")[0] == ["a.jsonl"]
    assert found(tmp_path / "here")[0] == ["a.jsonl"]
    assert found(tmp_path / "one.jsonl")[0] == ["one.jsonl"]


def test_a_folder_or_a_file_whose_place_a_link_took_after_it_was_listed_is_not_read(tmp_path: Path) -> None:
    root = put(tmp_path / "feed", {"deep/er/a.jsonl": log(1)})
    put(tmp_path / "elsewhere", {"a.jsonl": log(2), "er/a.jsonl": log(2)})
    path = root / "deep/er/a.jsonl"
    with opened_below(root, path) as file:
        assert file.read(9) == log(1)[:9]
    path.rename(root / "away")
    path.symlink_to(tmp_path / "elsewhere/a.jsonl")
    with pytest.raises(OSError, match="symbolic"), opened_below(root, path):
        pass
    for folder in (root / "deep/er", root / "deep"):
        folder.rename(tmp_path / f"moved-{folder.name}")
        folder.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(OSError, match=r"directory|symbolic"), opened_below(root, path):
            pass
        folder.unlink()
        folder.mkdir()


@contextmanager
def without_rights() -> Iterator[Path]:
    """Hand out a folder that everybody may enter, as somebody whom file rights bind."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own folders are closed to others
        folder = Path(name)
        folder.chmod(0o755)
        put(folder, {"feed/a.jsonl": log(1), "feed/deep/b.jsonl": log(2)})
        was = os.geteuid()
        try:
            yield folder
        finally:
            os.seteuid(was)


@pytest.mark.parametrize(
    ("closed", "words"), [("feed/a.jsonl", "cannot be read"), ("feed/deep", "cannot be listed"), ("feed", "cannot be")]
)
def test_what_may_not_be_read_is_named_and_nothing_is_taken_in(closed: str, words: str) -> None:
    with without_rights() as folder:
        (folder / closed).chmod(0)
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
        try:
            with pytest.raises(WrongUse, match=rf"'{folder / closed}' {words}.*Permission denied; nothing was taken in"):
                find(EVENTSIM, [folder / "feed"], SOURCES)
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
            (folder / closed).chmod(0o755)


def test_paths_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "empty").mkdir()
    for path, words in (
        (tmp_path / "loop", "cannot be read|no file or folder"),
        (tmp_path / "gone", "there is no file or folder '.*gone'"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
        ("a\0b", "cannot be read"),
        (tmp_path / "empty", "nothing for eventsim in .*empty: there is no file"),
        ("", "nothing for eventsim|there is no"),
    ):
        with pytest.raises(WrongUse, match=words):
            find(EVENTSIM, [path if path else tmp_path / "empty"], SOURCES)


def test_a_file_that_is_called_gz_but_is_none_is_told_apart(tmp_path: Path) -> None:
    put(tmp_path, {"a.jsonl": log(1), "b.jsonl.gz": log(2), "c.jsonl.gz": b""})
    assert found(tmp_path) == (["a.jsonl"], {"b.jsonl.gz": "it is called .gz, but holds no gzip", "c.jsonl.gz": ""})


NAMES = {
    b"new\nline.jsonl": "new\\nline.jsonl",
    b"caf\xe9.jsonl": "caf\\xe9.jsonl",
    "café\u202e.jsonl".encode(): "café\\u202e.jsonl",
    b"-rf.jsonl": "-rf.jsonl",
    b"50%20=a'b\"c;d$.jsonl": "50%20=a'b\"c;d$.jsonl",
    b"x" * 249 + b".jsonl": "x" * 249 + ".jsonl",
}


def test_files_may_be_called_anything(lake: SparkLake, tmp_path: Path) -> None:
    folder = tmp_path / "a=b %20\nc"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(log(number))
    (folder / os.fsdecode(b"odd\n\xff.txt")).write_text("nothing")
    report = ingest(lake, "eventsim", [folder], clock=CLOCK)
    assert report.kept == 9 * len(NAMES)
    assert set(lake.arrow.read(FILES).column("file").to_pylist()) == set(NAMES.values())
    said = report.text()
    said.encode()
    assert "odd\\n\\xff.txt: skipped" in said


@pytest.mark.parametrize("again", [False, True], ids=["at once", "one after the other"])
def test_files_of_one_name_in_two_folders_are_taken_in_whatever_the_source_goes_by(again: bool, lake: SparkLake, tmp_path: Path) -> None:
    songs = {f"{place}/songs.csv": f"track_id,track_name,track_artist\n{place},Song {place},Band\n".encode() for place in "ab"}
    put(tmp_path / "feed", songs)
    paths = [[tmp_path / "feed/a"], [tmp_path / "feed/b"]] if again else [[tmp_path / "feed"]]
    reports = [ingest(lake, "catalogue", one, clock=CLOCK) for one in paths]
    assert sum(one.kept for one in reports) == 2
    assert not ingest(lake, "catalogue", [tmp_path / "feed"], clock=CLOCK).changed


def rewritten(path: Path) -> None:
    """Change the content, neither the size nor the times."""
    was = path.stat()
    path.write_bytes(log(1, BERT.replace("bert", "carl")))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert path.stat().st_size == was.st_size


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(log(2))


def cut_off(path: Path) -> None:
    path.write_bytes(b"")


def linked(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("/dev/zero")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES = (rewritten, appended, cut_off, Path.unlink, linked, a_pipe)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_file_that_is_not_what_was_listed_ends_in_a_record_that_says_so(change: Callable[[Path], None], tmp_path: Path) -> None:
    (one,) = listed(tmp_path)
    assert [batch.num_rows for batch in batches(str(one.path), one.name, one.form, one.sha256)] == [9]
    change(one.path)
    *_, last = batches(str(one.path), one.name, one.form, one.sha256)
    assert last.to_pylist() == [{"file": one.name, "position": 0, "line": "", "damage": UNREAD}]


def listed(folder: Path) -> list[Taken]:
    return find(EVENTSIM, [put(folder / "feed", {"a.jsonl": log(1, BERT)})], SOURCES)[0]


@pytest.mark.parametrize("change", [rewritten, Path.unlink], ids=lambda change: change.__name__)
def test_nothing_of_a_file_that_changed_is_published_and_the_file_is_named(
    change: Callable[[Path], None], lake: SparkLake, tmp_path: Path
) -> None:
    taken = listed(tmp_path)
    change(taken[0].path)
    taking = Taking("eventsim", load_key(lake.address), CLOCK)
    with pytest.raises(WrongUse, match=rf"'{re.escape(str(taken[0].path))}' was changed or removed while it was read; nothing of it"):
        take(lake, EVENTSIM.feeds[0], taken, taking)
    assert lake.arrow.count(PLAYS) == lake.arrow.count(FILES) == 0
    assert lake.arrow.staged_files(PLAYS, ".") == []
    if change is rewritten:
        assert ingest(lake, "eventsim", [tmp_path / "feed"], clock=CLOCK).kept == 9, "the next run takes what lies there then"


def test_an_intake_that_another_overtook_finds_nothing_new(lake: SparkLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one publishes after the files were listed as new, before the table's keys are read: all good rows are known then."""
    folder = tmp_path / "feed"
    put(folder, {"a.jsonl": log(1, BERT) + b"{\n"})
    real, done = intake.repeated, []

    def overtaken(*given: object) -> object:
        monkeypatch.setattr(intake, "repeated", real)
        done.append(ingest(lake, "eventsim", [folder], clock=CLOCK))
        return real(*given)

    monkeypatch.setattr(intake, "repeated", overtaken)
    assert not ingest(lake, "eventsim", [folder], clock=CLOCK).changed
    assert done[0].kept == lake.arrow.count(PLAYS) == 9
    assert lake.arrow.count(QUARANTINE) == 1
