"""Operating the platform from the command line: what is told of a small lake, in words and in JSON, and what wrong words get."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from small_lake import DAY, NOON, audience, campaign, filled, one, put, trained_as, who

from jobs.catalogue import TABLES
from jobs.contracts.delivery import APPROVALS, AUDIENCES, CLUSTER_PROFILES, MEMBERS, TRAININGS
from jobs.contracts.operations import QUARANTINE, VERDICTS
from jobs.contracts.silver import SILVER_TRACKS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from ray_tune import registry
from targeting.__main__ import COMMANDS, main, parser
from targeting.command.stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer = tuple[int, str, str]
SCRIPT = Path(__file__).parent.parent / "infra/run_day.sh"


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (registry.VARIABLE, "OVERTONE_LAKE", "OVERTONE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("operate") / "lake"
    filled(ArrowLake(Address.parse(str(folder))))
    return folder


@pytest.fixture
def lake(full: Path, tmp_path: Path) -> ArrowLake:
    shutil.copytree(full, tmp_path / "lake")
    return ArrowLake(Address.parse(str(tmp_path / "lake")))


@pytest.fixture
def call(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command on the small lake in this process; return exit code, stdout, stderr."""

    def called(*argv: str) -> Answer:
        try:
            main([*argv, "--lake", lake.address.uri])
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return called


def asked(call: Callable[..., Answer], *argv: str) -> Any:
    code, out, err = call(*argv, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def read(call: Callable[..., Answer], *argv: str) -> list[list[str]]:
    """Return a human answer's lines, split into cells of two and more spaces between."""
    code, out, err = call(*argv)
    assert (code, err) == (0, "")
    return [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]


def test_status_tells_every_table_that_exists(call: Callable[..., Answer], lake: ArrowLake) -> None:
    told = asked(call, "status")
    assert told["lake"] == lake.address.uri
    tables = {row["table"]: row for row in told["tables"]}
    assert set(tables) == {name for name, table in TABLES.items() if lake.exists(table)}
    plays = tables["bronze.plays"]
    assert (plays["dates"], plays["first"], plays["last"], plays["refused"]) == (1, "2026-11-09", "2026-11-09", 9)
    for name, row in tables.items():
        assert row["version"] == lake.version(TABLES[name])
    assert {row["version"]: (row["champion"], row["approved_by"]) for row in told["models"]} == {"3": (True, "Grace"), "2": (False, None)}
    assert [(row["table"], row["rule"], row["failed_rows"]) for row in told["held_back"]] == [("silver.sessions", "has_plays", 3)]


def test_status_says_what_is_stale_and_what_mends_it(call: Callable[..., Answer]) -> None:
    """Rows that no run of ours published are out of date by definition; their date is named."""
    told = asked(call, "status")
    assert told["stale"]["silver.listens"] == ["2026-11-09"]
    assert {row["table"] for row in told["tables"] if row["stale"]} <= set(told["stale"])
    assert told["stale"]["targeting.scores"] == told["stale"]["targeting.clusters"] == ["2026-11-09"]
    _, out, _ = call("status")
    assert out.rstrip().endswith("overtone day --stale brings them up to date")
    assert "silver.listens (1)" in out
    assert "silver.sessions  2026-11-09  has_plays  3 rows    none" in out


def test_scores_are_stale_only_where_a_model_serves(call: Callable[..., Answer], lake: ArrowLake) -> None:
    put(lake, APPROVALS, [])
    assert "targeting.scores" not in asked(call, "status")["stale"]


def test_what_a_later_batch_mended_is_held_back_no_more(call: Callable[..., Answer], lake: ArrowLake) -> None:
    when = {"dates": "2026-11-09", "audited_at": NOON.replace(hour=13)}
    mended = one(VERDICTS, target="silver.sessions", rule="has_plays", success=True, run="later", **when)
    lake.append(VERDICTS, pa.Table.from_pylist([mended], lake.read(VERDICTS).schema), Note("later"))
    assert asked(call, "status")["held_back"] == []
    assert "nothing was held back" in call("status")[1]


def test_tables_and_one_table(call: Callable[..., Answer]) -> None:
    rows = read(call, "tables")
    assert rows[0] == ["name", "key", "columns", "rules", "purpose", "retention_days", "fresh_hours", "row"]
    assert [row[0] for row in rows[1:]] == list(TABLES)
    table = TABLES["targeting.bookings"]
    told = asked(call, "tables", "targeting.bookings")
    assert [column["name"] for column in told["columns"]] == list(table.names)
    assert (told["key"], told["purpose"], told["retention_days"]) == (list(table.key), "ads", 3650)
    _, out, _ = call("tables", "targeting.bookings")
    kept = f"kept 3650 days; a date is due 8 hours after its end; suite {told['suite']}"
    head = f"key date, campaign; partition date; purpose ads; {kept}"
    assert out.startswith(f"targeting.bookings: {table.row}\n{head}\n")
    assert "flight_in_order" in out
    assert "no row rules" in call("tables", "targeting.members")[1]


def test_refused_rows_are_counted_and_shown(call: Callable[..., Answer]) -> None:
    counts = asked(call, "quarantine", "list")
    assert counts == [
        {"target": "bronze.plays", "feed": "native", "reason": "missing_event_ts", "rows": 7},
        {"target": "bronze.plays", "feed": "native", "reason": "known_after_event", "rows": 2},
    ]
    assert read(call, "quarantine", "list")[1] == ["bronze.plays", "native", "missing_event_ts", "7"]
    assert asked(call, "quarantine", "list", "--target", "silver.listens") == []
    shown = asked(call, "quarantine", "list", "--rows", "3")
    places = [(row["reason"], row["position"]) for row in shown]
    assert places == [("known_after_event", 0), ("known_after_event", 1), ("missing_event_ts", 0)]
    assert len(read(call, "quarantine", "list", "--rows", "3")) == 4


def test_a_row_without_a_feed_or_a_place_is_shown_too(call: Callable[..., Answer], lake: ArrowLake) -> None:
    """Rows that a job refused come from no file."""
    put(lake, QUARANTINE, [one(QUARANTINE, target="silver.listens", reason=reason) for reason in ("hour_of_day", "a")])
    assert read(call, "quarantine", "list", "--rows", "1")[1] == ["silver.listens", "a", "-", "-", "-"]
    assert ["silver.listens", "-", "a", "1"] in read(call, "quarantine", "list")


def test_audiences_are_listed_without_a_size_that_is_too_small(call: Callable[..., Answer]) -> None:
    rows = {row["audience"]: row for row in asked(call, "audience", "list")}
    assert (rows["morning_coffee"]["listeners"], rows["morning_coffee"]["holdout"], rows["morning_coffee"]["booking"]) == (30, 10, "booked")
    assert (rows["late_games"]["listeners"], rows["late_games"]["booking"]) == (None, "refused")
    table = read(call, "audience", "list")
    assert table[1][:7] == ["late_games", "Hafen Coffee", "too_small", "-", "-", "1,000", "-"]
    assert table[2][:7] == ["morning_coffee", "Hafen Coffee", "built", "30", "10", "10", "feed"]


def test_audiences_of_the_latest_date_unless_another_is_named(call: Callable[..., Answer], lake: ArrowLake) -> None:
    later = DAY.replace(day=10)
    put(lake, AUDIENCES, [audience(campaign("new"), 20, date=later)], later)
    assert [row["audience"] for row in asked(call, "audience", "list")] == ["new"]
    assert [row["audience"] for row in asked(call, "audience", "list", "--date", "2026-11-09")] == ["late_games", "morning_coffee"]
    assert asked(call, "audience", "list", "--date", "2026-10-01") == []
    told = "no audience of 2026-10-01 was built; there are some of 2026-11-09, 2026-11-10"
    assert call("audience", "list", "--date", "2026-10-01")[1] == f"{told}\n"
    assert told in call("audience", "show", "new", "--date", "2026-10-01")[2]


def test_one_audience_with_its_definition(call: Callable[..., Answer]) -> None:
    told = asked(call, "audience", "show", "morning_coffee")
    assert told["definition"]["exclude"] == ["impatient"]
    assert (told["date"], told["model_version"], told["state"]) == ("2026-11-09", "3", "built")
    assert [row["moment"] for row in told["moments"]] == ["late", "commute", "sleep"]
    _, out, _ = call("audience", "show", "morning_coffee")
    assert "listens        more than others: on the way to work or home (40% of sessions, 1.6 times as often)" in out
    assert re.search(r"^listeners +30$", out, re.MULTILINE)
    assert re.search(r"^asks for +in active, among the 25% likeliest to click on food, not in impatient$", out, re.MULTILINE)
    assert re.search(r"^holdout +-$", call("audience", "show", "late_games")[1], re.MULTILINE)
    assert re.search(r'^definition +\{.*"top_share": 0.25', out, re.MULTILINE)


def test_an_audience_of_a_cluster_says_in_words_what_that_is(call: Callable[..., Answer], lake: ArrowLake) -> None:
    lift = {"z": 1.5, "mean": 0.4, "lift": 2.14, "lift_low": 2.04, "lift_high": 2.24}
    night = {"cluster": "c8", "name": "night listeners", "label": "-", "feature": "night_share_28d", **lift}
    put(lake, CLUSTER_PROFILES, [one(CLUSTER_PROFILES, listeners=118, **night)], DAY)
    told = asked(call, "audience", "show", "late_games")["clusters"]
    why = "plays in the night 2.1 times everybody's (2.0 to 2.2)"
    assert told == [{"cluster": "c8", "name": "night listeners", "listeners": 110, "why": why}]
    _, out, _ = call("audience", "show", "late_games")
    assert re.search(r"^asks for +.*in cluster c8 \(night listeners\)$", out, re.MULTILINE)
    assert re.search(rf"^c8 +110 listeners: {re.escape(why)}$", out, re.MULTILINE)
    put(lake, CLUSTER_PROFILES, [one(CLUSTER_PROFILES, listeners=9, **night)], DAY)
    assert asked(call, "audience", "show", "late_games")["clusters"] == [], "nine people are not described"


def test_no_command_shows_a_listener(call: Callable[..., Answer], lake: ArrowLake) -> None:
    lines = ("status", "audience list", "audience show morning_coffee", "quarantine list --rows 9", "model list")
    said = "".join(call(*line.split(), *form)[1] for line in lines for form in ((), ("--json",)))
    assert lake.read(MEMBERS).num_rows == 40
    assert not [n for n in range(40) if who(n) in said]


def test_trained_versions_newest_first(call: Callable[..., Answer]) -> None:
    assert [(row["version"], row["champion"]) for row in asked(call, "model", "list")] == [("3", True), ("2", False)]
    rows = read(call, "model", "list")
    assert rows[1][:7] == ["response", "3", "2026-11-09", "Ada", "passed", "yes", "Grace"]
    assert rows[2][5:7] == ["no", "-"]


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (
            ("model", "approve", "2", "--by", "Ada"),
            4,
            "version 2 of 'response' was trained by whoever would approve it: somebody else decides",
        ),
        (("model", "approve", "2", "--by", " ada "), 4, "trained by whoever"),
        (("model", "approve", "2", "--by", " "), 2, "' ' is empty; give a name"),
        (("model", "approve", "22", "--by", "Grace"), 2, "'response' has no version '22'; did you mean '2'?"),
        (("model", "approve", "2", "--by", "Grace", "--model", "respons"), 2, "unknown model 'respons'; did you mean 'response'?"),
        (("model", "approve", "2"), 2, "the following arguments are required: --by"),
        (("model", "approve", "9", "--by", "Grace"), 4, "did not pass its gate: too weak"),
        (("model", "aprove"), 2, "invalid choice: 'aprove'"),
        (("audience", "show", "mornig_coffee"), 2, "unknown audience 'mornig_coffee'; did you mean 'morning_coffee'?"),
        (("audience", "show", "zzz"), 2, "unknown audience 'zzz'; choose from late_games, morning_coffee"),
        (("audience", "list", "--date", "09.11.2026"), 2, "'09.11.2026' is no date of the form 2026-11-01"),
        (("audience", "build"), 2, "the following arguments are required: --date"),
        (("audience", "build", "--date", "2026-11-09", "--campaigns", "nowhere.yaml"), 2, "there is no campaign file 'nowhere.yaml'"),
        (
            ("audience", "build", "--date", "2026-11-10"),
            2,
            "no listener features of 2026-11-10 are published; there are some of 2026-11-09 to",
        ),
        (("audience", "export", "--date", "2026-11-08"), 2, "no audiences of 2026-11-08 are published; there are some of 2026-11-09 to"),
        (("day", "--date", "2026-11-09", "--campaigns", "nowhere.yaml"), 2, "there is no campaign file 'nowhere.yaml'"),
        (("day", "--date", "2031-01-01"), 2, "there is no play of 2031-01-01; the lake holds plays of 2026-11-09 to 2026-11-09"),
        (("day", "--from", "2025-01-01", "--to", "2025-01-09"), 2, "there is no play of 2025-01-01 to 2025-01-09"),
        (("quarantine", "list", "--target", "bronze.play"), 2, "unknown table 'bronze.play'; did you mean 'bronze.plays'?"),
        (("quarantine", "list", "--rows", "some"), 2, "'some' will not do; give a whole number from 0"),
        (("quarantine", "list", "--rows", "-1"), 2, "'-1' will not do; give a whole number from 0"),
        (("tables", "bronze.play"), 2, "unknown table 'bronze.play'; did you mean 'bronze.plays'?"),
        (("status", "--dates"), 2, "unrecognized arguments: --dates"),
        (("day", "--stale", "--from-stage", "scoers"), 2, "unknown stage 'scoers'; did you mean 'scores'?"),
        (("day", "--stale", "--date", "2026-11-09"), 2, "--stale finds the dates itself; leave out --date, --from and --to"),
        (("day", "--stale", "--only", "train", "--from-stage", "scores"), 2, "--only train and --from-stage scores contradict each other"),
    ],
)
def test_a_wrong_word_ends_with_its_code_and_a_sentence(
    argv: tuple[str, ...], code: int, words: str, call: Callable[..., Answer], lake: ArrowLake
) -> None:
    put(lake, TRAININGS, [trained_as("2"), trained_as("3"), trained_as("9", gate="failed", reason="too weak")])
    before = lake.version(APPROVALS)
    found, out, err = call(*argv)
    assert (found, out) == (code, "")
    assert words in err
    assert "Traceback" not in err
    assert lake.version(APPROVALS) == before


def test_the_version_that_serves_is_the_one_approved_last(call: Callable[..., Answer], lake: ArrowLake) -> None:
    plain = {"model": "response", "by": "Grace", "author": "Ada"}
    rows = [one(APPROVALS, **plain, version=v, decided_at=NOON.replace(hour=hour)) for v, hour in (("3", 12), ("2", 14), ("3", 13))]
    for kept, champions in ((rows, {"2"}), (rows[:1], {"3"}), ([], set())):
        put(lake, APPROVALS, kept)
        assert {row["version"] for row in asked(call, "model", "list") if row["champion"]} == champions


def test_a_person_approves_a_version(call: Callable[..., Answer], lake: ArrowLake, tmp_path: Path) -> None:
    """The decision is written down and the registry's alias follows; saying it twice changes nothing."""
    api = registry.client(lake)
    api.create_registered_model("response")
    for _ in range(3):
        api.create_model_version("response", (tmp_path / "model").as_uri())
    told = asked(call, "model", "approve", "2", "--by", "Grace")
    assert told == {
        "model": "response",
        "version": "2",
        "by": "Grace",
        "said": "version 2 of 'response' serves from now on, approved by Grace",
    }
    assert {row["version"] for row in asked(call, "model", "list") if row["champion"]} == {"2"}
    assert str(api.get_model_version_by_alias("response", registry.CHAMPION).version) == "2"
    before = lake.version(APPROVALS)
    assert call("model", "approve", "2", "--by", "Grace") == (0, "version 2 of 'response' serves already\n", "")
    assert lake.version(APPROVALS) == before


def test_a_plan_runs_nothing(call: Callable[..., Answer], lake: ArrowLake) -> None:
    before = {name: lake.version(table) for name, table in TABLES.items()}
    rows = asked(call, "day", "--date", "2026-11-09", "--plan")
    assert [(row["stage"], row["writes"]) for row in rows] == [(one.name, one.writes) for one in STAGES]
    by = {row["stage"]: row for row in rows}
    assert by["listens"]["line"] == f"spark-submit jobs/listens.py --date 2026-11-09 --lake {lake.address.uri}"
    assert by["scores"]["line"] == f"overtone day --date 2026-11-09 --only scores --lake {lake.address.uri}"
    assert by["listens"]["state"] == "1 date stale"
    for name in ("user_features", "examples", "train", "export"):
        assert by[name]["state"] == "after the stages before it"
    alone = asked(call, "day", "--stale", "--plan", "--from-stage", "audiences")
    assert [(row["stage"], row["state"]) for row in alone] == [(name, "finds out when it runs") for name in ("audiences", "export")]
    assert before == {name: lake.version(table) for name, table in TABLES.items()}


def leaves(top: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    groups = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    if not groups:
        yield path, top
    for name, sub in groups[0].choices.items() if groups else ():
        yield from leaves(sub, (*path, name))


LEAVES = dict(leaves(parser()))


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_helps_with_an_example_that_it_accepts(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*path, "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    example = re.search(r"example: overtone (.*)$", out)
    assert example
    words = example[1].replace("'Ada Lovelace'", "Ada").split()
    assert words[: len(path)] == list(path)
    assert parser().parse_args(words).command == path[0]
    assert "--json" in out
    assert "--lake" in out


def test_the_commands_are_those_that_are_promised() -> None:
    wanted = {"demo", "ingest", "day", "tables", "status", "freshness", "leaks", "log", "doctor", "maintain"}
    wanted |= {"table history", "table restore", "fans list", "fans show"} | {f"communities {one}" for one in ("list", "show", "find")}
    wanted |= {f"audience {one}" for one in ("list", "show", "build", "export")} | {
        "model list",
        "model approve",
        "quarantine list",
        "quarantine release",
        "features list",
        "features join",
    }
    assert {" ".join(path) for path in LEAVES} == wanted
    assert set(COMMANDS) == {path[0] for path in LEAVES}


def test_without_a_command_all_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "the following arguments are required: COMMAND" in capsys.readouterr().err


def day_on_one_screen(folder: Path, *argv: str, fails: str = "") -> tuple[int, list[str], str]:
    """Run infra/run_day.sh with commands that only write down how they were called; `fails` is one that ends with 3."""
    (folder / "infra").mkdir()
    shutil.copy(SCRIPT, folder / "infra")
    (folder / ".venv/bin").mkdir(parents=True)
    for name in ("spark-submit", "python", "overtone"):
        command = folder / ".venv/bin" / name
        command.write_text(f'#!/bin/sh\necho "{name} $*" >> "{folder}/said"\ncase "{name} $*" in "{fails or "-"}"*) exit 3;; esac\n')
        command.chmod(0o755)
    done = subprocess.run(["bash", "infra/run_day.sh", *argv], cwd=folder, capture_output=True, text=True, check=False)
    said = folder / "said"
    return done.returncode, said.read_text().splitlines() if said.exists() else [], done.stderr


def test_the_day_on_one_screen_runs_every_stage_in_order(tmp_path: Path) -> None:
    code, said, err = day_on_one_screen(tmp_path, "2026-11-09", "my lake")
    words = {"$dates": "--date 2026-11-09", '"$date"': "2026-11-09", '"$lake"': str(tmp_path / "my lake")}
    wanted = [stage.line for stage in STAGES]
    for name, value in words.items():
        wanted = [line.replace(name, value) for line in wanted]
    assert (code, said, err) == (0, wanted, "")


def test_the_day_on_one_screen_stops_where_a_stage_fails(tmp_path: Path) -> None:
    code, said, _ = day_on_one_screen(tmp_path, "2026-11-09", fails="spark-submit jobs/listens.py")
    assert (code, len(said)) == (3, [stage.name for stage in STAGES].index("listens") + 1)


def test_the_day_on_one_screen_asks_for_a_date(tmp_path: Path) -> None:
    code, said, err = day_on_one_screen(tmp_path)
    assert (code, said, err) == (2, [], "usage: infra/run_day.sh DATE [LAKE]\n")


def test_the_day_on_one_screen_says_how_it_is_called(tmp_path: Path) -> None:
    assert day_on_one_screen(tmp_path, "--help")[:2] == (0, [])


@pytest.mark.parametrize("script", ["infra/spark/cluster.sh", "infra/ray/cluster.sh"])
@pytest.mark.parametrize("words", [(), ("begin",)])
def test_a_cluster_command_says_how_it_is_called(script: str, words: tuple[str, ...]) -> None:
    done = subprocess.run([Path(__file__).parent.parent / script, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"usage: {script} start|stop|status [FOLDER]" in done.stderr


def test_status_says_what_share_of_each_feeds_tracks_a_catalogue_knows(call: Callable[..., Answer], lake: ArrowLake) -> None:
    """A track heard on two dates is one track."""
    heard = [("native", "a", "exact"), ("native", "b", "isrc"), ("native", "c", "none"), ("native", "d", "exact"), ("lastfm", "a", "none")]
    for day in (DAY, DAY - timedelta(days=1)):
        rows = [{"date": day, "feed": feed, "lookup": lookup, "matched_by": kind} for feed, lookup, kind in heard]
        put(lake, SILVER_TRACKS, rows, day)
    code, out, _ = call("status", "--json")
    assert code == 0
    none = {"exact": 0, "isrc": 0, "mbid": 0, "name": 0, "none": 0}
    assert json.loads(out)["tracks"] == [
        {"feed": "lastfm", "tracks": 1, "share": "0.0%", **none, "none": 1},
        {"feed": "native", "tracks": 4, "share": "75.0%", **none, "exact": 2, "isrc": 1, "none": 1},
    ]
