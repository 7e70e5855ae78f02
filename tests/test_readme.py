"""The README keeps its word: what it tells people to type, open and look at is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from small_lake import DAY, SUMMARY, filled

from jobs.catalogue import TABLES
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from targeting.__main__ import parser
from targeting.command.digest import digest, lines
from targeting.page import collect

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", TEXT)
PLACES = {"D": "2026-11-09", "D1": "2026-11-08", "D2": "2026-11-09", "VERSION": "3", "NAME": "Ada", "FOLDER": "feed"}
COMMANDS = sorted({code for code in CODE if code.startswith("overtone ") and not code.endswith("...")})


def typed(code: str) -> list[str]:
    return [PLACES.get(word, word) for word in shlex.split(code)]


@pytest.mark.parametrize("code", COMMANDS)
def test_every_overtone_command_is_one(code: str) -> None:
    words = typed(code)[1:]
    assert parser().parse_args(words).command == words[0]


def test_every_make_target_is_one() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = set(re.findall(r"`make ([a-z]+)", TEXT)) | set(re.findall(r"^make ([a-z]+)", TEXT, re.MULTILINE))
    assert {"demo", "test", "truth", "bench"} <= asked <= targets


def test_every_make_target_is_explained_and_none_is_a_file() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):(.*)$", makefile, re.MULTILINE)
    assert all("## " in rest for _, rest in targets)
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony.split() == [name for name, _ in targets]


def test_every_file_and_folder_it_names_is_there() -> None:
    named = {word for code in CODE for word in code.split() if re.match(r"(jobs|validation|ray_tune|targeting|mlflow|infra|tests)/", word)}
    real = {name for name in named if not re.search(r"[<*]", name)}
    assert len(real) > 15
    assert [name for name in sorted(real) if not (ROOT / name).exists()] == []


def test_every_table_it_names_is_declared() -> None:
    layers = {name.split(".")[0] for name in TABLES}
    named = {code for code in CODE if re.fullmatch(r"[a-z]+\.[a-z_]+", code) and code.split(".")[0] in layers}
    assert len(named) > 10
    assert named <= set(TABLES)


def test_its_picture_is_there_and_small() -> None:
    (name,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)
    picture = (ROOT / name).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 300_000


def test_the_lines_it_shows_are_those_that_a_demo_prints(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```\n(taken in .*?)\n```", TEXT, re.DOTALL)
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    filled(lake)
    told = lines(digest(lake, collect(lake, DAY, SUMMARY), (DAY,), exports=tmp_path, page=tmp_path))
    subjects = [re.split(r"\s{2,}", line)[0] for line in shown.splitlines()]
    assert subjects == [re.split(r"\s{2,}", line)[0] for line in told.splitlines()]
    assert max(len(line) for line in shown.splitlines()) <= 140


def test_it_can_be_read_in_one_go() -> None:
    assert len(TEXT.splitlines()) <= 150
    assert "DEMO_LINES" not in TEXT
