"""Every form of export keeps one contract: the members that may be reached, under names of their own, whole or not there at all."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
import re
import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from small_lake import DAY, audience, campaign, one, put, said, who

from jobs.contracts.delivery import AUDIENCES, CLUSTERS, MEMBERS
from jobs.contracts.derived import USER_SEGMENTS
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.journal import log_of, recorded
from jobs.lake import key
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.run import NOTHING, PUBLISHED
from targeting.exports import EXPORTS, export
from targeting.exports.deliver import MANIFEST, deliver, expire
from targeting.exports.port import SCHEMA
from validation.gates.release import FLOOR
from validation.verdict import OvertoneError, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PEOPLE, HELD = 1_042, 5
FORMS = pytest.mark.parametrize("form", EXPORTS)


@pytest.fixture(autouse=True)
def no_named_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(key.VARIABLE, raising=False)


@pytest.fixture
def lake(tmp_path: Path) -> ArrowLake:
    """One audience of 37, 5 of them withheld, in every form; two of one advertiser, one of another."""
    found = ArrowLake(Address.parse(str(tmp_path / "lake")))
    state(found)
    put(found, USER_SEGMENTS, [one(USER_SEGMENTS, listener_id=who(n), segment="active") for n in range(PEOPLE)], DAY)
    return found


def state(lake: ArrowLake, people: int = PEOPLE, **changes: Any) -> None:
    """Publish the audiences of every form as built, with their members, and everybody's consent."""
    put(lake, SILVER_LISTENERS, [said(n) for n in range(PEOPLE + 10)], DAY)
    booked = [campaign(f"{form}_coffee", export=form) for form in EXPORTS]
    booked += [campaign("rival", advertiser="Other", export="csv"), campaign("small", export="csv")]
    told = [audience(row, None if row.name == "small" else people // 10 * 10, **changes) for row in booked]
    put(lake, AUDIENCES, told, DAY)
    members = [one(MEMBERS, audience=row.name, listener_id=who(n), holdout=n < HELD) for row in booked[:-1] for n in range(people)]
    put(lake, MEMBERS, members, DAY)


def row_of(lake: ArrowLake, name: str) -> Mapping[str, Any]:
    return next(row for row in lake.read(AUDIENCES, [DAY]).to_pylist() if row["audience"] == name)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rows_in(path: Path) -> list[dict[str, Any]]:
    """Read a file of members with the form's own reader, as the other side would."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def delivered(lake: ArrowLake, form: str, folder: Path) -> Path:
    assert deliver(lake, row_of(lake, f"{form}_coffee"), DAY, folder, EXPORTS[form])
    return folder / DAY.isoformat() / f"{form}_coffee"


@FORMS
def test_the_manifest_says_what_the_file_holds(form: str, lake: ArrowLake, tmp_path: Path) -> None:
    target = delivered(lake, form, tmp_path / "out")
    manifest = json.loads((target / MANIFEST).read_text())
    (file,) = manifest["files"]
    path = target / file["name"]
    assert {one.name for one in target.iterdir()} == {MANIFEST, file["name"]}
    assert path.suffix == f".{form}"
    assert (file["sha256"], file["bytes"]) == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    assert manifest["rows"] == len(rows_in(path)) == PEOPLE - HELD
    assert manifest["tables"]["targeting.members"] == lake.version(MEMBERS)
    assert manifest["tables"]["silver.listeners"] == lake.version(SILVER_LISTENERS)
    assert manifest["tables"]["targeting.clusters"] is lake.version(CLUSTERS) is None
    assert (manifest["model_version"], manifest["consent_basis"], manifest["holdout"]) == (None, ["feed"], "excluded")
    assert (manifest["audience"], manifest["advertiser"], manifest["date"]) == (f"{form}_coffee", "Hafen Coffee", "2026-11-09")
    assert manifest["definition"]["include"] == ["active"]


@FORMS
def test_the_model_that_scored_is_named(form: str, lake: ArrowLake, tmp_path: Path) -> None:
    state(lake, model_version="7", basis="feed,file")
    manifest = json.loads((delivered(lake, form, tmp_path / "out") / MANIFEST).read_text())
    assert (manifest["model_version"], manifest["consent_basis"]) == ("7", ["feed", "file"])
    state(lake, model_version="8", basis="feed,file")
    manifest = json.loads((delivered(lake, form, tmp_path / "out") / MANIFEST).read_text())
    assert manifest["model_version"] == "8", "the same members by another model are another export"


@FORMS
def test_every_row_is_one_member_once_under_another_name(form: str, lake: ArrowLake, tmp_path: Path) -> None:
    target = delivered(lake, form, tmp_path / "out")
    rows = rows_in(target / f"members.{form}")
    assert list(rows[0]) == SCHEMA.names
    names = [row["member_id"] for row in rows]
    assert names == sorted(set(names))
    assert all(re.fullmatch("[0-9a-f]{64}", name) for name in names)
    for row in rows:
        assert (row["audience_id"], row["id_type"], row["op"]) == (f"{form}_coffee", "pseudonym", "add")
        assert (str(row["added_at"]), str(row["expires_at"])) == ("2026-11-09", "2026-12-09")


@FORMS
def test_no_id_of_the_lake_and_nobody_withheld_leaves_it(form: str, lake: ArrowLake, tmp_path: Path) -> None:
    """Whoever is added to the holdout disappears from the file; ids are in no byte of any file, nor in a file's name."""
    target = delivered(lake, form, tmp_path / "out")
    before = {row["member_id"] for row in rows_in(target / f"members.{form}")}
    everything = b"".join(content(tmp_path / "out").values()) + str(rows_in(target / f"members.{form}")).encode()
    everything += str(sorted(content(tmp_path / "out"))).encode()
    assert not [n for n in range(PEOPLE + 10) if who(n).encode() in everything]
    put(lake, MEMBERS, [one(MEMBERS, audience=f"{form}_coffee", listener_id=who(n), holdout=n < HELD + 3) for n in range(PEOPLE)], DAY)
    assert deliver(lake, row_of(lake, f"{form}_coffee"), DAY, tmp_path / "out", EXPORTS[form])
    after = {row["member_id"] for row in rows_in(target / f"members.{form}")}
    assert after < before
    assert len(before - after) == 3


def test_advertisers_cannot_match_their_files(lake: ArrowLake, tmp_path: Path) -> None:
    """The same listeners have the same names for one advertiser, others for another."""
    export(lake, DAY, tmp_path)
    found = {path.parent.name: {row["member_id"] for row in rows_in(path)} for path in tmp_path.rglob("members.*")}
    assert set(found) == {"parquet_coffee", "csv_coffee", "rival"}
    assert found["parquet_coffee"] == found["csv_coffee"]
    assert not found["parquet_coffee"] & found["rival"]


@FORMS
def test_exporting_again_changes_no_byte(form: str, lake: ArrowLake, tmp_path: Path) -> None:
    target = delivered(lake, form, tmp_path / "out")
    before, written = content(tmp_path / "out"), (target / MANIFEST).stat().st_mtime_ns
    assert not deliver(lake, row_of(lake, f"{form}_coffee"), DAY, tmp_path / "out", EXPORTS[form])
    assert content(tmp_path / "out") == before
    assert (target / MANIFEST).stat().st_mtime_ns == written
    assert delivered(lake, form, tmp_path / "elsewhere").is_dir()
    assert content(tmp_path / "elsewhere") == before, "the same members are the same bytes"


@FORMS
def test_a_file_that_was_damaged_is_written_again(form: str, lake: ArrowLake, tmp_path: Path) -> None:
    target = delivered(lake, form, tmp_path / "out")
    before = content(target)
    for harm in (
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: (path.parent / MANIFEST).write_text("{"),
        lambda path: (path.parent / MANIFEST).write_text("[]"),
    ):
        harm(target / f"members.{form}")
        assert deliver(lake, row_of(lake, f"{form}_coffee"), DAY, tmp_path / "out", EXPORTS[form])
        assert content(target) == before


class Failing:
    """A writer whose disk is full after the first bytes."""

    suffix = "csv"

    def write(self, members: pa.Table, path: Path) -> None:
        path.write_bytes(members.schema.names[0].encode())
        raise OSError(28, "No space left on device")


def test_a_write_that_fails_leaves_what_was_there(lake: ArrowLake, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(OSError, match="No space"):
        deliver(lake, row_of(lake, "csv_coffee"), DAY, folder, Failing())
    assert content(folder) == {}
    delivered(lake, "csv", folder)
    before = content(folder)
    state(lake, people=PEOPLE - 30)
    with pytest.raises(OSError, match="No space"):
        deliver(lake, row_of(lake, "csv_coffee"), DAY, folder, Failing())
    assert content(folder) == before
    assert [path.name for path in (folder / DAY.isoformat()).iterdir()] == ["csv_coffee"]


def left_by_a_kill(day: Path, form: str) -> None:
    for left in (".staging-killed", ".old-killed", ".gone-killed"):
        (day / left / "was").mkdir(parents=True)
        (day / left / f"members.{form}").write_bytes(b"half")


@FORMS
def test_what_a_killed_run_left_does_not_matter_and_goes(form: str, lake: ArrowLake, tmp_path: Path) -> None:
    day = tmp_path / "out" / DAY.isoformat()
    left_by_a_kill(day, form)
    target = delivered(lake, form, tmp_path / "out")
    assert len(rows_in(target / f"members.{form}")) == PEOPLE - HELD
    assert [path.name for path in day.iterdir()] == [f"{form}_coffee"]
    for again in (lambda: export(lake, DAY, tmp_path / "out"), lambda: expire(lake, tmp_path / "out", DAY)):
        left_by_a_kill(day, form)
        again()
        assert not list(day.glob(".*"))
    assert expire(lake, tmp_path / "nowhere", DAY) == 0


@FORMS
def test_an_export_that_was_killed_between_two_renames_is_put_back(
    form: str, lake: ArrowLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one was moved away and the new one had not come: whoever is next finds the old one, whole."""
    folder = tmp_path / "out"
    delivered(lake, form, folder)
    before = content(folder)
    state(lake, people=PEOPLE - 30)
    rename, renames = os.replace, []

    def killed(source: Path, target: Path) -> None:
        renames.append(target)
        if len(renames) == 2:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        deliver(lake, row_of(lake, f"{form}_coffee"), DAY, folder, EXPORTS[form])
    monkeypatch.setattr(os, "replace", rename)
    assert not (folder / DAY.isoformat() / f"{form}_coffee").exists()
    assert expire(lake, folder, DAY) == 0
    assert content(folder) == before
    assert deliver(lake, row_of(lake, f"{form}_coffee"), DAY, folder, EXPORTS[form])
    assert [path.name for path in (folder / DAY.isoformat()).iterdir()] == [f"{form}_coffee"]


def test_upkeep_touches_no_folder_that_is_no_date(lake: ArrowLake, tmp_path: Path) -> None:
    left_by_a_kill(tmp_path / "out" / "holidays", "csv")
    before = sorted(tmp_path.rglob("*"))
    expire(lake, tmp_path / "out", DAY)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_another_process_is_writing_is_not_taken_for_left(lake: ArrowLake, tmp_path: Path) -> None:
    day = tmp_path / "out" / DAY.isoformat()
    left_by_a_kill(day, "csv")
    handle = os.open(day, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    other = threading.Thread(target=lambda: delivered(lake, "csv", tmp_path / "out"))
    other.start()
    other.join(1.0)
    assert sorted(path.name for path in day.iterdir()) == [".gone-killed", ".old-killed", ".staging-killed"]
    os.close(handle)
    other.join()
    assert [path.name for path in day.iterdir()] == ["csv_coffee"]


@FORMS
def test_a_reader_finds_one_export_whole(form: str, lake: ArrowLake, tmp_path: Path) -> None:
    """While an audience is delivered over and over, each file that can be opened is one of those written, to its last byte."""
    target = delivered(lake, form, tmp_path / "out")
    seen: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            try:
                seen.add(hashlib.sha256((target / f"members.{form}").read_bytes()).hexdigest())
                seen.add(json.loads((target / MANIFEST).read_text())["files"][0]["sha256"])
            except FileNotFoundError:  # for a moment between two exports there is none, which is no half
                seen.add("none")

    reader = threading.Thread(target=watch, daemon=True)
    reader.start()
    whole = {"none", hashlib.sha256((target / f"members.{form}").read_bytes()).hexdigest()}
    for people in (PEOPLE, PEOPLE - 10, PEOPLE, PEOPLE - 10):
        put(lake, MEMBERS, [one(MEMBERS, audience=f"{form}_coffee", listener_id=who(n)) for n in range(people)], DAY)
        deliver(lake, row_of(lake, f"{form}_coffee"), DAY, tmp_path / "out", EXPORTS[form])
        whole.add(hashlib.sha256((target / f"members.{form}").read_bytes()).hexdigest())
    stop.set()
    reader.join()
    assert seen - {"none"}
    assert seen <= whole


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"basis": "assume"}, "consent_basis"),
        ({"consent": "withdrawn"}, "all_consented"),
        ({"age": "under_18"}, "all_consented"),
        ({"age": "under_18", "ads_allowed": True}, "all_consented"),
        ({"age": "unknown", "ads_allowed": True}, "all_consented"),
        ({"consent": "refused", "ads_allowed": True}, "all_consented"),
    ],
)
@FORMS
def test_one_member_who_may_not_be_reached_keeps_all_in(
    form: str, change: dict[str, Any], rule: str, lake: ArrowLake, tmp_path: Path
) -> None:
    """The member's consent changed after the audience was built; that a withheld one did does not matter."""
    put(lake, SILVER_LISTENERS, [said(n, **change if n == 0 else {}) for n in range(PEOPLE)], DAY)
    assert delivered(lake, form, tmp_path / "held").is_dir()
    put(lake, SILVER_LISTENERS, [said(n, **change if n == HELD else {}) for n in range(PEOPLE)], DAY)
    with pytest.raises(Refused, match=rf"audience {form}_coffee is not exported: .*{rule}"):
        deliver(lake, row_of(lake, f"{form}_coffee"), DAY, tmp_path / "out", EXPORTS[form])
    assert content(tmp_path / "out") == {}


@FORMS
def test_a_consent_withdrawn_on_a_later_day_counts(form: str, lake: ArrowLake, tmp_path: Path) -> None:
    later = DAY + timedelta(days=3)
    put(lake, SILVER_LISTENERS, [said(n, day=later, consent="withdrawn" if n == HELD else "granted") for n in range(PEOPLE)], later)
    with pytest.raises(Refused, match="all_consented"):
        deliver(lake, row_of(lake, f"{form}_coffee"), DAY, tmp_path / "out", EXPORTS[form])
    put(lake, SILVER_LISTENERS, [said(n, day=later) for n in range(PEOPLE)], later)
    assert delivered(lake, form, tmp_path / "out").is_dir()


@FORMS
def test_fewer_than_the_platforms_minimum_stay_in_though_the_campaign_asks_for_ten(form: str, lake: ArrowLake, tmp_path: Path) -> None:
    put(lake, MEMBERS, [one(MEMBERS, audience=f"{form}_coffee", listener_id=who(n)) for n in range(FLOOR - 1)], DAY)
    with pytest.raises(Refused, match=r"minimum_size \(observed fewer than 1,000, expected at least 1,000 listeners\)"):
        deliver(lake, row_of(lake, f"{form}_coffee"), DAY, tmp_path / "out", EXPORTS[form])


def test_all_that_are_released_are_exported_and_the_rest_is_said(lake: ArrowLake, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    first = export(lake, DAY, folder)
    assert (first.state, first.rows) == (PUBLISHED, 3)
    assert first.sentence == f"export: 3 audiences written to {folder}"
    assert not (folder / DAY.isoformat() / "small").exists()
    before = content(folder)
    again = export(lake, DAY, folder)
    assert (again.state, again.sentence) == (NOTHING, "export: nothing to write, 3 there already")
    assert content(folder) == before


def test_what_was_exported_and_what_was_refused_is_logged_without_a_member(lake: ArrowLake, tmp_path: Path) -> None:
    put(lake, MEMBERS, [row for row in lake.read(MEMBERS).to_pylist() if row["audience"] != "rival"], DAY)
    with recorded("overtone audience export", lake.address.uri):
        export(lake, DAY, tmp_path / "out")
    text = log_of(lake.address).read_text()
    refused, exported = (
        [line for line in map(json.loads, text.splitlines()) if line["event"] == event] for event in ("refused", "exported")
    )
    assert [(line["name"], line["dates"], line["gate"]) for line in refused] == [("rival", "2026-11-09", "release")]
    assert [(line["dates"], line["state"], line["rows"]) for line in exported] == [("2026-11-09", PUBLISHED, 2)]
    assert not [n for n in range(PEOPLE) if who(n) in text]


def test_what_may_not_be_released_any_more_is_taken_back(lake: ArrowLake, tmp_path: Path) -> None:
    """An export lies there while its audience is released: refused, too small or gone, its files go; those of others stay."""
    folder = tmp_path / "out"
    export(lake, DAY, folder)
    for name, manifest in (("unmarked", {}), ("other_lake", {"issuer": "another", "audience": "other_lake"})):
        (folder / DAY.isoformat() / name).mkdir()
        (folder / DAY.isoformat() / name / MANIFEST).write_text(json.dumps(manifest))
    put(lake, AUDIENCES, [audience(campaign("csv_coffee", export="csv"), None), audience(campaign("parquet_coffee"), 30)], DAY)
    done = export(lake, DAY, folder)
    assert done.sentence == "export: nothing to write, 1 there already, 2 taken back"
    assert done.state == PUBLISHED
    assert sorted(path.name for path in (folder / DAY.isoformat()).iterdir()) == ["other_lake", "parquet_coffee", "unmarked"]
    put(lake, SILVER_LISTENERS, [said(n, basis="assume") for n in range(PEOPLE)], DAY)
    refused = export(lake, DAY, folder)
    assert "1 taken back" in refused.sentence
    assert "consent that was assumed is never exported" in refused.sentence
    assert sorted(path.name for path in (folder / DAY.isoformat()).iterdir()) == ["other_lake", "unmarked"]


@pytest.mark.parametrize("name", ["../escape", "a/b", ".hidden", "=cmd", "", "A", 'x"y'])
def test_a_name_that_is_no_name_of_a_campaign_makes_no_file(name: str, lake: ArrowLake, tmp_path: Path) -> None:
    row = {**row_of(lake, "csv_coffee"), "audience": name}
    with pytest.raises(OvertoneError, match="is no name that a folder may have"):
        deliver(lake, row, DAY, tmp_path / "out", EXPORTS["csv"])
    assert not (tmp_path / "out").exists()


HOSTILE = ['=HYPERLINK("http://x")', "+1", "-1", "@sum", "a,b", 'say "hi"', "two\nlines", "\ttab", "ümlaut"]


@FORMS
def test_a_writer_gives_back_what_it_was_given(form: str, tmp_path: Path) -> None:
    """Whatever the text: commas, quotes and line ends stay inside of their cell."""
    rows = [
        {"audience_id": text, "member_id": text, "id_type": "pseudonym", "added_at": DAY, "expires_at": date(2026, 12, 9), "op": "add"}
        for text in HOSTILE
    ]
    table = pa.Table.from_pylist(rows, SCHEMA)
    path = tmp_path / f"members.{form}"
    EXPORTS[form].write(table, path)
    found = rows_in(path)
    assert [row["audience_id"] for row in found] == HOSTILE
    assert [str(row["added_at"]) for row in found] == ["2026-11-09"] * len(HOSTILE)


def test_no_cell_of_an_export_is_a_formula(lake: ArrowLake, tmp_path: Path) -> None:
    """A spreadsheet computes a cell that starts with one of these signs; an advertiser's name is in no cell."""
    booked = campaign("formula", advertiser='=HYPERLINK("http://x")', export="csv")
    put(lake, MEMBERS, [one(MEMBERS, audience="formula", listener_id=who(n)) for n in range(PEOPLE)], DAY)
    deliver(lake, audience(booked, 20), DAY, tmp_path, EXPORTS["csv"])
    path = tmp_path / DAY.isoformat() / "formula" / "members.csv"
    cells = [cell for row in rows_in(path) for cell in row.values()]
    assert cells
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r"]
    assert b"HYPERLINK" not in path.read_bytes()
    assert pacsv.read_csv(path).num_rows == PEOPLE
