"""Every option of every command line: a wrong value ends with 2 and a sentence that names it and what is asked for.

The options are read from the programs' own help, so that a new one cannot be forgotten: it has wrong values here, or is free text.
"""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_operate import leaves

import validation.__main__ as validation_main
from jobs import ingest, listens
from jobs.run import main as run_job
from jobs.world import __main__ as world
from ray_tune import __main__ as ray_tune
from targeting.__main__ import main as overtone
from targeting.__main__ import parser

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parent.parent
REVIEW = runpy.run_path(str(ROOT / "mlflow/review.py"))["main"]
FAR = "lies too far off; choose between 1970-01-01 and 2200-12-31"
DATE, DAY = "is no date of the form 2026-11-01", ["--date", "2026-11-01"]
DATES = [
    ("yesterday", f"'yesterday' {DATE}"),
    ("2026-02-30", f"'2026-02-30' {DATE}"),
    ("", f"'' {DATE}"),
    ("01.11.2026", f"'01.11.2026' {DATE}"),
    *((day, f"'{day}' {DATE}") for day in ("20261101", "2026-W44-7", "2026-11-01 ", "\uff12026-11-01")),
    *((day, f"'{day}' {FAR}") for day in ("0001-01-01", "1500-01-01", "1969-12-31", "2201-01-01", "9999-12-31")),
]
LAKES = [
    ("ftp://x/y", "unknown scheme 'ftp'; choose from file, s3, s3a, gs, abfss"),
    ("FILE", "FILE' is a file; give a folder or a URI such as s3://bucket/lake"),
    ("", "the lake's address is empty; give a folder or a URI such as s3://bucket/lake"),
    ("FILE/lake", "FILE' is a file; give a folder or a URI such as s3://bucket/lake"),
    ("S3://", "lake 'S3://' names no bucket; give a folder or a URI such as s3://bucket/lake"),
    ("~nosuchuser/x", "lake '~nosuchuser/x': "),
]
FROM = "will not do; give a whole number from"
# Words, other scripts' digits, what Python alone takes for a number, and more digits than it reads.
NUMBERS = [
    (word, f"{word[:200]!r} {FROM}") for word in ("many", "-3", "1.5", "", "1e3", "NaN", "1_0", "+4", " 4", "\u0664", "\u00b2", "9" * 5000)
]
COUNTS = [*NUMBERS, ("0", f"'0' {FROM} 1 to ")]
SEEDS = [*NUMBERS, ("-1", f"'-1' {FROM} 0 to 4294967295"), ("4294967296", f"'4294967296' {FROM} 0 to 4294967295")]
PATHS = [
    ("", "is empty"),
    ("~nosuchuser/x", "'~nosuchuser/x': there is no user of that name"),
    ("s3://bucket/x", "'s3://bucket/x' is a URI; give a path on this machine"),
    ("LOOP", "LOOP' is no path to use: Too many levels of symbolic links"),
    ("n" * 300, "n' is no path to use: File name too long"),
    ("FILE/x", "FILE/x' is no path to use: Not a directory"),
    ("nul\0", "nul\\x00' is no path to use: embedded null byte"),
]
CAMPAIGNS = [
    *PATHS,
    ("nowhere.yaml", "there is no campaign file 'nowhere.yaml'"),
    ("FOLDER", "there is no campaign file"),
    ("FILE", "FILE"),
]
CAMPAIGNS += [("/proc/self/mem", "the campaign file '/proc/self/mem' cannot be read: Input/output error")]
NOBODY = [("", "is empty"), (" ", "is empty")]
NOBODY += [(name, f"{name[:200]!r} is no name") for name in ("a\nb", "\x1b[31m", "\ud800", "\u202e", "a" * 201)]
FOLDERS = [*PATHS, ("FILE", "FILE' is a file; give a folder")]
FEED = [*PATHS, ("/nowhere", "there is no file or folder '/nowhere'"), ("FOLDER", "nothing for eventsim in")]
TABLES = [
    ("silver.listen", "unknown table 'silver.listen'; did you mean 'silver.listens'?"),
    *((name, f"unknown table {name!r}; choose from bronze.ad_events, ") for name in ("zzz", "")),
]
FEEDS = [("evntsim", "unknown source 'evntsim'; did you mean 'eventsim'?"), ("", "unknown source ''; choose from ")]
MODELS = [("respons", "unknown model 'respons'; did you mean 'response'?"), ("", "unknown model ''; choose from response")]
STAGES = [("trian", "unknown stage 'trian'; did you mean 'train'?"), ("zzz", "unknown stage 'zzz'; choose from artist_fans, audiences, ")]
STAGES += [("", "unknown stage ''; choose from artist_fans, audiences, ")]
MOMENTS = [("soon", "'soon'"), ("2026-13-01T00:00", "2026-13-01"), ("", "''")]
MOMENTS += [(moment, f"'{moment}' {FAR}") for moment in ("0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00")]
NOTICES = [
    *(one for one in PATHS if "://" not in one[0]),
    ("ftp://x/y", "ftp://"),
    ("FOLDER", "--notice FOLDER is a folder; give a file, or http(s)://HOST/PATH"),
]
FLAG = [("=yes", "ignored explicit argument 'yes'")]
VERSIONS = [("x1", "x1"), ("99", "99"), ("", "version")]
Wrong = list[tuple[str, str]]
COMMON: dict[str, Wrong] = {"--lake": LAKES, "--json": FLAG}
RANGE: dict[str, Wrong] = {"--date": DATES, "--from": DATES, "--to": DATES, "--lake": LAKES}
INTAKE: dict[str, Wrong] = {
    "source": FEEDS,
    "PATH": FEED,
    "--basis": [
        *((word, f"--basis {word!r}: choose none, assume or file:consent.csv") for word in ("", "all", "file:", "assume:x")),
        ("file:/nowhere", "there is no file '/nowhere'"),
        *((f"file:{path}", told) for path, told in PATHS if path),
        ("file:/proc/self/mem", "--basis file: '/proc/self/mem' cannot be read: Input/output error"),
    ],
    "--user": NOBODY,
    "--lake": LAKES,
}
# A program, the words before its options, the words that make it right, and wrong values of each option.
PROGRAMS: list[tuple[Callable[[Sequence[str]], object], str, list[str], dict[str, Wrong]]] = [
    (
        overtone,
        "demo",
        [],
        COMMON
        | {
            "--source": FEEDS,
            "--input": [*PATHS, ("x", "--input x: the world makes its own feed")],
            "--listeners": COUNTS,
            "--days": COUNTS,
        }
        | {"--seed": SEEDS, "--trials": COUNTS, "--campaigns": CAMPAIGNS},
    ),
    (
        overtone,
        "ingest",
        ["eventsim", "FOLDER"],
        INTAKE | COMMON,
    ),
    (
        overtone,
        "day",
        DAY,
        COMMON
        | {"--date": DATES, "--from": DATES, "--to": DATES, "--stale": FLAG, "--plan": FLAG, "--only": STAGES, "--from-stage": STAGES}
        | {"--campaigns": CAMPAIGNS, "--exports": FOLDERS, "--trials": COUNTS, "--author": NOBODY},
    ),
    (overtone, "status", [], COMMON),
    (overtone, "tables", [], COMMON | {"name": TABLES, "--lake": []}),  # it lists what is declared, whatever lake there is
    (
        overtone,
        "features list",
        [],
        COMMON | {"--family": [("tast", "invalid choice: 'tast' (choose from"), ("", "invalid choice: ''")], "--date": DATES},
    ),
    (
        overtone,
        "features join",
        ["ROWS.csv", "--out", "FOLDER/new"],
        COMMON
        | {
            "ROWS": [
                *((path, told) for path, told in PATHS),
                ("nowhere.csv", "there is no file or folder 'nowhere.csv'; give a CSV"),
                ("FILE", "FILE' cannot be read: "),
            ],
            "--out": [("FOLDER", "is there already; give a new folder"), *PATHS],
            "--columns": [("plays_28", "unknown feature 'plays_28'; did you mean 'plays_28d'?"), ("", "unknown feature ''")],
            "--within": COUNTS,
        },
    ),
    (overtone, "audience build", DAY, COMMON | {"--campaigns": CAMPAIGNS, "--date": DATES}),
    (overtone, "audience export", DAY, COMMON | {"--exports": FOLDERS, "--date": DATES}),
    (overtone, "audience list", [], COMMON | {"--date": DATES}),
    (
        overtone,
        "audience show",
        ["morning"],
        COMMON | {"name": [("mornin", "unknown audience 'mornin'"), ("", "unknown audience ''")], "--date": DATES},
    ),
    (overtone, "fans list", [], COMMON | {"--date": DATES}),
    (overtone, "fans show", ["Ada"], COMMON | {"name": [("Ade", "unknown artist 'Ade'"), ("", "unknown artist ''")], "--date": DATES}),
    (overtone, "communities list", [], COMMON | {"--date": DATES}),
    (
        overtone,
        "communities show",
        ["m1"],
        COMMON | {"name": [("m2", "unknown community 'm2'"), ("", "unknown community ''")], "--date": DATES},
    ),
    (
        overtone,
        "communities find",
        ["FILE"],
        COMMON
        | {
            "TABLE": [*PATHS, ("nowhere.csv", "there is no file or folder 'nowhere.csv'"), ("FILE", "'FILE' cannot be read: ")],
            "--edges": [("", "'FILE' cannot be read: ")],
            "--counts": [("", "'FILE' cannot be read: ")],
            "--least": COUNTS,
            "--seed": SEEDS,
            "--before": PATHS,
            "--out": [*PATHS, ("FOLDER", "--out 'FOLDER': give a file that ends with .csv or .parquet")],
            "--lake": [],  # the table is no lake's
        },
    ),
    (overtone, "model list", [], COMMON),
    (overtone, "model approve", ["1", "--by", "ada"], COMMON | {"version": VERSIONS, "--by": NOBODY, "--model": MODELS}),
    (
        overtone,
        "quarantine list",
        [],
        COMMON | {"--target": TABLES, "--rows": NUMBERS},
    ),
    (overtone, "quarantine release", ["eventsim", "FOLDER"], COMMON | {name: INTAKE[name] for name in ("source", "PATH", "--user")}),
    (overtone, "maintain", [], COMMON | {"--date": [*DATES, ("2199-12-31", "--date 2199-12-31 lies ahead")], "--exports": FOLDERS}),
    (overtone, "table history", ["silver.listens", *DAY], COMMON | {"name": TABLES, "--date": DATES}),
    (
        overtone,
        "table restore",
        ["silver.listens", *DAY, "--version", "1"],
        COMMON | {"name": TABLES, "--date": DATES, "--version": NUMBERS},
    ),
    (overtone, "leaks", DAY, COMMON | {"--date": DATES, "--from": DATES, "--to": DATES, "--naive": FLAG}),
    (overtone, "freshness", [], COMMON | {"--at": MOMENTS, "--notice": NOTICES}),
    (
        overtone,
        "log",
        [],
        COMMON
        | {
            "--run": [("zz", "--run zz"), ("", "--run '' is empty"), (" ", "--run ' ' is empty")],
            "--last": COUNTS,
        },
    ),
    (overtone, "doctor", [], COMMON),
    (lambda argv: run_job(listens.JOB, argv), "", DAY, RANGE),
    (ingest.main, "", ["eventsim", "FOLDER"], INTAKE),
    (
        ray_tune.main,
        "response",
        ["--as-of", "2026-11-01"],
        {"--as-of": DATES, "--trials": COUNTS} | {"--author": NOBODY, "--seed": SEEDS, "--lake": LAKES},
    ),
    (ray_tune.main, "models", [], {}),
    (validation_main.main, "table", ["silver.listens", *DAY], RANGE | {"name": TABLES}),
    (validation_main.main, "docs", [], {"--lake": LAKES, "--out": FOLDERS}),
    (
        world.main,
        "",
        ["--out", "FOLDER"],
        {
            "--preset": [("dem", "unknown preset 'dem'; did you mean 'demo'?"), ("zzz", "unknown preset 'zzz'; choose from demo, huge")],
            "--seed": SEEDS,
            "--out": [
                (PATHS[4][0], "File name too long"),
                ("ftp://x", "unknown scheme 'ftp'"),
                ("", "empty"),
                ("FILE", "FILE' is a file; give a folder"),
            ],
            "--lake": LAKES,
            "--listeners": COUNTS,
            "--days": [*COUNTS, ("3661", "days is 3661; choose between 1 and 3,660")],
            "--first": [*DATES, ("1999-12-31", "first is 1999-12-31; "), ("2100-01-02", "first is 2100-01-02; ")],
            "--shard": [
                *((word, f"--shard {word!r} is not LOW:HIGH") for word in ("x", "", ":", "1:", "\u00b2:3", "-1:3")),
                ("5:2", "shard 5:2 is not within"),
                ("0:99999999", "is not within 0:"),
            ],
            "--no-signal": FLAG,
        },
    ),
    (
        REVIEW,
        "",
        ["approve", "1", "--by", "ada"],
        {"{show,approve}": [("reject", "invalid choice: 'reject' (choose from")], "version": VERSIONS, "--model": MODELS}
        | {"--by": NOBODY, "--lake": LAKES},
    ),
]
CASES = [(run, words, right, wrong) for run, words, right, wrong in PROGRAMS]
IDS = [f"{getattr(run, '__module__', '')}.{getattr(run, '__name__', '')} {words}" for run, words, _, _ in PROGRAMS]


def test_no_command_is_left_out() -> None:
    assert {words for run, words, _, _ in PROGRAMS if run is overtone} == {" ".join(path) for path, _ in leaves(parser())}


def said(run: Callable[[Sequence[str]], object], argv: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = int(run(argv) or 0)  # type: ignore[call-overload]
    except SystemExit as ended:
        code = int(ended.code or 0)
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with an empty folder and a file that is none of what is asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVERTONE_LAKE", str(tmp_path / "lake"))
    monkeypatch.setattr(sys, "argv", ["program"])
    (tmp_path / "infra").mkdir()
    for name in ("campaigns.yaml", "campaigns-small.yaml"):
        (tmp_path / "infra" / name).write_text((ROOT / "infra" / name).read_text())
    (tmp_path / "FOLDER").mkdir()
    (tmp_path / "FILE").write_text("none of it")
    (tmp_path / "ROWS.csv").write_text("listener_id,event_ts\n")
    (tmp_path / "LOOP").symlink_to("LOOP")
    return tmp_path


@pytest.mark.parametrize(("run", "words", "right", "wrong"), CASES, ids=IDS)
def test_every_option_has_wrong_values_here(
    run: Callable[[Sequence[str]], object], words: str, right: list[str], wrong: dict[str, Wrong], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(run, [*words.split(), "--help"], capsys)
    assert code == 0
    options = set(re.findall(r"^  (?:-h, )?(--[a-z-]+|[a-zA-Z{},]+)(?: |$)", out, re.MULTILINE)) - {"--help"}
    assert options == set(wrong)


@pytest.mark.parametrize(
    ("run", "words", "right", "option", "value", "told"),
    [
        (run, words, right, name, *one)
        for run, words, right, wrong in CASES
        for name, values in wrong.items()
        for one in (*values, *([("--", f"argument {name}: '--' is no value")] if name[:2] == "--" and values is not FLAG else []))
    ],
    ids=lambda one: one[:30] if isinstance(one, str) else "",
)
def test_a_wrong_value_ends_with_2_and_is_named(  # noqa: PLR0913, PLR0917
    run: Callable[[Sequence[str]], object],
    words: str,
    right: list[str],
    option: str,
    value: str,
    told: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = said(run, [*words.split(), *replaced(right, option, value)], capsys)
    assert (code, out) == (2, ""), err
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("run", "words", "right", "option"),
    [(run, words, right, name) for run, words, right, wrong in CASES for name in wrong if name[:2] == "--"],
    ids=lambda one: one[:30] if isinstance(one, str) else "",
)
def test_an_option_that_is_cut_short_is_none(
    run: Callable[[Sequence[str]], object], words: str, right: list[str], option: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(run, [*words.split(), *right, f"{option[:-1]}=x"], capsys)
    assert (code, out) == (2, "")
    assert f"unrecognized arguments: {option[:-1]}=x" in err


ASKING: list[tuple[Callable[[Sequence[str]], object], str]] = [
    (overtone, "day --plan"),
    (lambda argv: run_job(listens.JOB, argv), ""),
    (validation_main.main, "table silver.listens"),
]


@pytest.mark.parametrize(("run", "words"), ASKING, ids=[words for _, words in ASKING])
def test_a_range_that_would_never_end_is_refused(
    run: Callable[[Sequence[str]], object], words: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(run, [*words.split(), "--from", "1970-01-01", "--to", "2200-12-31"], capsys)
    assert (code, out) == (2, "")
    assert "--from 1970-01-01 --to 2200-12-31 are 84,371 dates; ask for 10,980 at most" in err


@pytest.mark.parametrize(
    ("words", "suffix", "what"),
    [
        (["demo"], "-page", "the page folder"),
        (["demo"], "-exports", "the exports folder"),
        (["demo"], "-feed-20000x40-7", "the feed's folder"),
        (["day", *DAY], "-exports", "--exports"),
        (["audience", "export", *DAY], "-exports", "--exports"),
        (["maintain"], "-exports", "--exports"),
    ],
)
def test_a_file_where_a_folder_beside_the_lake_is_to_be_is_said_before_any_work(
    words: list[str], suffix: str, what: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = place / f"lake{suffix}"
    beside.write_text("a file")
    assert said(overtone, words, capsys) == (2, "", f"overtone {words[0]}: {what} '{beside}' is a file; give a folder\n")


PLACES = {"source": 0, "TABLE": 0, "ROWS": 0, "PATH": 1, "name": 0, "version": 0, "{show,approve}": 0}


def replaced(right: list[str], option: str, value: str) -> list[str]:
    """Return the right words with a wrong value in their place, or behind them."""
    if option not in PLACES:
        kept = [word for n, word in enumerate(right) if option not in (word, right[n - 1] if n else "")]
        if option in ("--from", "--to"):
            kept = [word for word in kept if word not in DAY]
        return [*kept, f"{option}{value}" if value.startswith("=") else f"{option}={value}"]
    at = PLACES[option] + (1 if option == "version" and "approve" in right[:1] else 0)
    return [*right[:at], value, *right[at + 1 :]]
