"""The rows that anyone can read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from results import Measured, main, row, show, unmeasured, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("goal", "seeds", "value", "holds"),
    [
        ("<= 0.1", {1: Measured(0.05, 0.04, 0.06), 2: Measured(0.06, 0.05, 0.09)}, 0.06, True),
        ("<= 0.1", {1: Measured(0.05, 0.04, 0.11), 2: Measured(0.06, 0.05, 0.09)}, 0.05, False),
        (">= 0.5", {1: Measured(0.7, 0.6, 0.8), 2: Measured(0.55, 0.49, 0.6)}, 0.55, False),
        ("> 0", {1: Measured.exactly(0)}, 0, False),
        ("== 0", {1: Measured.exactly(0), 2: Measured.exactly(0)}, 0, True),
        ("== 0", {1: Measured.exactly(0), 2: Measured.exactly(-1)}, -1, False),
    ],
)
def test_the_worst_seed_and_its_whole_interval_decide(goal: str, seeds: dict[int, Measured], value: float, holds: bool) -> None:
    found = row("x", "what", goal, seeds, "make truth")
    assert (found.value, found.holds, found.seeds) == (value, holds, tuple(seeds))


def test_what_was_not_measured_neither_holds_nor_fails() -> None:
    found = unmeasured("x", "recall", ">= 0.9", "no data", "make truth")
    assert (found.value, found.holds, found.what) == (None, None, "recall (not measured: no data)")
    assert "recall" in show([found])


def test_a_wrong_goal_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown operator '~'"):
        row("x", "what", "~ 3", {1: Measured.exactly(0)}, "")


def test_rows_replace_those_of_their_id_and_leave_others(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write([row("a", "", "== 0", {1: Measured.exactly(0)}, ""), row("b", "", "== 0", {1: Measured.exactly(0)}, "")], path)
    write([row("a", "", "== 0", {2: Measured.exactly(1)}, "")], path)
    assert [(r["id"], r["value"], r["seeds"]) for r in json.loads(path.read_text())] == [("a", 1.0, [2]), ("b", 0.0, [1])]


def test_a_missed_goal_fails_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    programs = {
        "good": lambda: [row("g", "good", "== 0", {1: Measured.exactly(0)}, "")],
        "bad": lambda: [row("b", "bad", "== 0", {1: Measured.exactly(1)}, "")],
    }
    file = str(tmp_path / "out.json")
    for argv, code in (([], 1), (["--name", "good"], 0)):
        with pytest.raises(SystemExit) as ended:
            main(programs, file, argv)
        assert ended.value.code == code
    assert "NO" in capsys.readouterr().out
