"""Data Docs: whole, readable without a network, honest about what was never audited, and safe to show."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from jobs.catalogue import TABLES
from validation.contract import Column, Purpose, Rule, Table
from validation.pages import HISTORY, render
from validation.suites.checks import promised

if TYPE_CHECKING:
    from pathlib import Path

WHEN = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)
PLAYS = TABLES["bronze.plays"]


class Page(HTMLParser):
    """Links, ids, assets and text of a page, and whether every element was closed."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.assets: list[str] = []
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.words: list[str] = []
        self.raw = path.read_text(encoding="utf-8")
        self.feed(self.raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        elif given.get("href") or given.get("src"):
            self.assets.append(str(given.get("href") or given.get("src")))
        if given.get("id"):
            self.ids.add(str(given["id"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def rows_of(table: Table, run: str = "r1", at: datetime = WHEN, broken: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return [
        {
            "target": table.name,
            "run": run,
            "dates": "2026-11-01..2026-11-03",
            "rule": check.rule,
            "success": check.rule not in broken,
            "observed": "17 rows" if check.rule in broken else check.observed,
            "expected": check.expected,
            "failed_rows": 17 if check.rule in broken else 0,
            "rows": 12_345,
            "rejected": 6,
            "audited_at": at,
        }
        for check in promised(table)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("docs") / "deep" / "docs"
    verdicts = [row for name, table in TABLES.items() if name != "silver.tracks" for row in rows_of(table)]
    verdicts += rows_of(PLAYS, "r2", WHEN + timedelta(days=1), ("kind_known", "key_unique"))
    assert render(TABLES.values(), reversed(verdicts), out) == out / "index.html"
    return out


def test_there_is_an_index_and_a_page_a_table(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"index.html", *(f"{name}.html" for name in TABLES)}


def test_pages_need_nothing_from_anywhere(folder: Path) -> None:
    for path in folder.iterdir():
        page = Page(path)
        assert page.assets == [], path.name
        assert page.open == [], path.name
        for forbidden in ("http://", "https://", "//cdn", "<script", "@import", "url("):
            assert forbidden not in page.raw, path.name


def test_every_link_leads_somewhere(folder: Path) -> None:
    for path in folder.iterdir():
        for link in Page(path).links:
            name, _, anchor = link.partition("#")
            target = folder / name
            assert target.is_file(), f"{path.name} -> {link}"
            assert not anchor or anchor in Page(target).ids, f"{path.name} -> {link}"


def test_the_index_tells_each_tables_last_verdict(folder: Path) -> None:
    text = Page(folder / "index.html").text
    assert f"{len(TABLES)} tables {len(TABLES) - 2} passed their last audit 1 held back 1 without an audit so far" in text
    assert "bronze.plays was held back (2026-11-01 to 2026-11-03): key_unique : 17 rows; expected every (event_id) once" in text
    assert "kind_known : 17 rows; expected a track or an episode" in text
    assert f"silver.tracks {TABLES['silver.tracks'].row} not audited -" in text
    assert "last 2026-11-03 06:30" in text


def test_a_table_page_tells_columns_rules_and_history(folder: Path) -> None:
    page = Page(folder / "bronze.plays.html")
    assert "One row is one play of a track or an episode, as the feed reported it." in page.text
    for column in PLAYS.columns:
        assert f"{column.name} {column.dtype} {column.meaning}" in page.text
    for rule in PLAYS.rules:
        assert f"{rule.name} {rule.meaning} {rule.predicate}" in page.text
    assert "broken kind_known a track or an episode kind IN ('track', 'episode') 17 rows" in page.text
    assert page.text.index("broken key_unique") < page.text.index("passed columns")
    newest, older = page.text.index("2026-11-03 06:30 2026-11-01 to 2026-11-03 held back"), page.text.index("2026-11-02 06:30 2026-11-01")
    assert newest < older


def test_what_was_not_asked_of_an_empty_batch_does_not_count_as_passed(tmp_path: Path) -> None:
    asked = [row for row in rows_of(PLAYS, broken=("rows",)) if row["rule"] in ("columns", "types", "rows", "rejected_share")]
    render([PLAYS], asked, tmp_path)
    text = Page(tmp_path / "bronze.plays.html").text
    assert "not asked key_unique" in text
    assert "3 / 4" in text


def test_text_from_declarations_and_batches_is_escaped(tmp_path: Path) -> None:
    nasty = "<script>alert('x')</script>"
    rule = Rule("odd", "a < 'b' AND c > 'd'", nasty)
    table = Table("test.t", nasty, ("a",), (Column("a", "string", nasty),), Purpose.SERVICE, 1, rules=(rule,), partition=())
    verdicts = [row | {"observed": nasty, "success": False} for row in rows_of(table)]
    render([table], verdicts, tmp_path)
    for path in tmp_path.iterdir():
        assert "<script" not in path.read_text()
        assert nasty in Page(path).text
    assert "a < 'b' AND c > 'd'" in Page(tmp_path / "test.t.html").text


def test_times_are_utc_and_history_is_bounded(tmp_path: Path) -> None:
    east = timezone(timedelta(hours=9))
    many = [row for n in range(HISTORY + 5) for row in rows_of(PLAYS, f"run{n:03}", WHEN.astimezone(east) + timedelta(hours=n))]
    render([PLAYS], many, tmp_path)
    page = Page(tmp_path / "bronze.plays.html")
    assert len(set(re.findall(r"run\d{3}", page.text))) == HISTORY
    assert "run004" not in page.text
    assert "2026-11-04 22:30" in page.text


def test_verdicts_on_tables_that_are_gone_are_named(tmp_path: Path) -> None:
    gone = [row | {"target": "silver.gone"} for row in rows_of(PLAYS)]
    text = Page(render([PLAYS], gone, tmp_path)).text
    assert "not declared any more are left out: silver.gone" in text


def test_without_any_verdict_the_pages_still_show_what_is_promised(tmp_path: Path) -> None:
    text = Page(render([PLAYS], [], tmp_path)).text
    assert "1 without an audit so far 0 batches audited" in text
    assert "No batch was audited yet." in Page(tmp_path / "bronze.plays.html").text
