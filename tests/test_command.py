"""The overtone command line: help, JSON, and a clear sentence for every wrong word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jobs.catalogue import TABLES
from jobs.console import guarded
from targeting.__main__ import COMMANDS, main, parser
from targeting.command.reply import table

if TYPE_CHECKING:
    from pathlib import Path


def call(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Run the command in this process; return exit code, stdout, stderr."""
    try:
        main(argv)
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_that_it_accepts(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, name, "--help")
    assert code == 0
    assert "example:" in out
    example = COMMANDS[name].EXAMPLE.replace("'Ada Lovelace'", "Ada")
    assert parser().parse_args(example.split()[1:]).command == name


def test_tables_lists_all_with_their_contract(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "tables", "--json")
    listed = json.loads(out)
    assert code == 0
    assert [one["name"] for one in listed] == list(TABLES)
    assert all(one["columns"] and one["row"] and one["purpose"] for one in listed)
    code, out, _ = call(capsys, "tables", "silver.listens")
    assert code == 0
    assert "local_hour" in out
    assert "hour_of_day" in out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("tables", "silver.listen"), "unknown table 'silver.listen'; did you mean 'silver.listens'?"),
        (("day", "--date", "yesterday"), "'yesterday' is no date of the form 2026-11-01"),
        (("day",), "name the dates"),
        (("day", "--from", "2026-11-02", "--to", "2026-11-01"), "lies after"),
        (("day", "--date", "2026-11-01", "--only", "trian"), "did you mean 'train'?"),
        (("day", "--stale"), "holds no plays yet"),
        (("status", "--lake", "ftp://x/y"), "unknown scheme 'ftp'"),
        (("day", "--date", "2026-11-01", "--plan"), "holds no plays yet: take a feed in (overtone ingest --help)"),
        (("audience", "show", "x"), "is empty: take a feed in (overtone ingest --help), or see everything run once (overtone demo)"),
        (("audience", "build", "--date", "2026-11-01"), "no listener features of 2026-11-01 are published; there are none at all"),
        (("audience", "export", "--date", "2026-11-01"), "no audiences of 2026-11-01 are published; there are none at all"),
        (("day", "--date", "2026-11-01", "--trials", "0"), "'0' will not do; give a whole number from 1 to 10000"),
        (("demo", "--trials", "0"), "'0' will not do; give a whole number from 1 to 10000"),
        (("demo", "--listeners", "-5"), "'-5' will not do; give a whole number from 1 to 1000000000"),
        (("demo", "--source", "evntsim", "--input", "x"), "unknown source 'evntsim'; did you mean 'eventsim'?"),
        (
            ("demo", "--source", "native", "--input", "x"),
            "unknown source 'native'; choose from eventsim, lastfm, listenbrainz, spotify, world",
        ),
        (("demo", "--input", "x"), "--input x: the world makes its own feed"),
        (("demo", "--campaigns", "nowhere.yaml"), "there is no campaign file 'nowhere.yaml'"),
        (("demo", "--source", "eventsim", "--input", "/nowhere"), "--input /nowhere: there is no such file or folder"),
        (("demo", "--source", "eventsim"), "name its folder with --input"),
        (("fly",), "invalid choice: 'fly'"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_was_wrong(
    argv: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = () if "--lake" in argv or argv[0] == "fly" else ("--lake", str(tmp_path / "lake"))
    code, out, err = call(capsys, *argv, *lake)
    assert (code, out) == (2, "")
    assert words in err


def test_a_place_that_fails_in_the_midst_of_the_work_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("a file")
    assert guarded((tmp_path / "file/folder").mkdir) == 1
    said = f"overtone: '{tmp_path}/file/folder': Not a directory; name another place, or make this one what it has to be\n"
    assert capsys.readouterr().err == said


def test_an_empty_lake_has_a_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "status", "--lake", str(tmp_path / "lake"))
    assert code == 0
    assert "nothing is published yet" in out
    assert "up to date" not in out
    assert call(capsys, "model", "list", "--lake", str(tmp_path / "lake"), "--json")[1] == "[]\n"


@pytest.mark.parametrize("command", ["status", "audience list", "model list", "quarantine list"])
def test_a_listing_of_an_empty_lake_says_what_to_do_first(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, *command.split(), "--lake", str(tmp_path / "my lake"))
    assert code == 0
    assert out.rstrip().endswith("is empty: take a feed in (overtone ingest --help), or see everything run once (overtone demo)")


@pytest.mark.parametrize(
    "command", ["status", "audience list", "model list", "quarantine list", "day --stale", "demo", "ingest eventsim x"]
)
def test_a_file_in_the_place_of_the_lake_is_named(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lake").write_text("not a folder")
    code, out, err = call(capsys, *command.split(), "--lake", str(tmp_path / "lake"))
    assert (code, out) == (2, "")
    assert f"lake '{tmp_path}/lake': '{tmp_path}/lake' is a file; give a folder or a URI" in err


def test_a_real_feed_has_a_lake_of_its_own_unless_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build/eventsim").mkdir(parents=True)
    for place in ("build/eventsim/lake", "named"):  # files where folders should be: the message tells which lake was meant
        (tmp_path / place).write_text("")
    words = ("demo", "--source", "eventsim", "--input", ".")
    assert "build/eventsim/lake' is a file" in call(capsys, *words)[2]
    monkeypatch.setenv("OVERTONE_LAKE", "named")
    assert "/named' is a file" in call(capsys, *words)[2]


@pytest.mark.parametrize("settings", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0", "LC_ALL": "C"}], ids=str)
def test_an_output_that_knows_ascii_alone_is_no_reason_to_fail(settings: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "targeting", "log", "--lake", str(tmp_path / "Öl")]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\xd6l-logs" in done.stdout


def test_rows_are_laid_out_in_columns() -> None:
    rows = [{"name": "a", "n": 1234}, {"name": "bbb", "n": None}]
    assert table(rows, ("name", "n"), empty="-") == "name      n\na     1,234\nbbb       -"
    assert table([], ("name",), empty="none") == "none"
