"""Communities of anyone's own table by one command: three forms of it, what over-indexes, what too few share, and every mistake named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from jobs.lake.foreign import read_foreign
from targeting.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable

GROUPS = (("jazz", 14), ("metal", 12), ("folk", 11), ("polka", 4))


def plays() -> pa.Table:
    """Four tastes: each listener plays own artists often, one that all play, and each third somebody else's once."""
    rows = []
    for at, (taste, people) in enumerate(GROUPS):
        for n in range(people):
            who = f"{taste[0]}{n:02}"
            rows += [(who, f"{taste} {k}", 9 + k) for k in range(5)] + [(who, "everybody's", 20)]
            rows += [(who, f"{GROUPS[(at + 1) % 4][0]} 0", 1)] if n % 3 == 0 else []
    return pa.table([list(column) for column in zip(*rows, strict=True)], ["user", "artist", "plays"])


def as_csv(frame: pa.Table, folder: Path) -> Path:
    names, path = frame.column_names, folder / "plays.csv.gz"
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in frame.to_pylist())]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def as_parquet(frame: pa.Table, folder: Path) -> Path:
    pq.write_table(frame, folder / "plays.parquet")
    return folder / "plays.parquet"


def as_delta(frame: pa.Table, folder: Path) -> Path:
    write_deltalake(str(folder / "plays"), frame)
    return folder / "plays"


def asked(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    main(["communities", "find", *map(str, words), "--json"])
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["communities", "find", *map(str, words)])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("written", [as_csv, as_parquet, as_delta])
def test_tastes_are_found_in_counts_and_named_by_what_over_indexes(
    written: Callable[[pa.Table, Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.csv"
    found = asked(capsys, written(plays(), tmp_path), "--counts", "user,artist,plays", "--out", out)
    named = {one["label"].split(",")[0].split()[0]: one["members"] for one in found["communities"]}
    assert named == {"jazz": 14, "metal": 12, "folk": 11}, "four lovers of polka are told of nowhere"
    assert not any("everybody" in one["label"] for one in found["communities"])
    assert (found["nodes"], found["too_small"]) == (41, 1)
    rows = {row["node"]: row["community"] for row in read_foreign(out).to_pylist()}
    by_taste = {taste: {rows[f"{taste[0]}{n:02}"] for n in range(people)} for taste, people in GROUPS}
    assert by_taste == {"jazz": {"m1"}, "metal": {"m2"}, "folk": {"m3"}, "polka": {""}}


def test_names_stay_from_one_period_to_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, again = tmp_path / "before.csv", tmp_path / "after.parquet"
    path, counts = as_csv(plays(), tmp_path), ("--counts", "user,artist,plays")
    asked(capsys, path, *counts, "--out", first)
    first.write_text(first.read_text().replace("m1", "m7"))
    found = asked(capsys, path, *counts, "--before", first, "--out", again, "--least", 4)
    assert {one["community"]: one["members"] for one in found["communities"]} == {"m7": 14, "m2": 12, "m3": 11, "m1": 4}
    assert pq.read_table(again).num_rows == 41


def test_edges_are_found_in_the_first_two_columns_or_those_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ring = [(f"{group}{a:02}", f"{group}{b:02}", 2) for group in "xy" for a in range(12) for b in range(a)] + [("x00", "y00", 1)]
    frame = pa.table([list(column) for column in zip(*ring, strict=True)], ["a", "b", "w"])
    path = as_parquet(frame, tmp_path)
    plain, weighed = asked(capsys, path), asked(capsys, path, "--edges", "b,a,w")
    assert [one["members"] for one in plain["communities"]] == [one["members"] for one in weighed["communities"]] == [12, 12]
    assert 0.49 < plain["modularity"] < weighed["modularity"] < 0.5
    main(["communities", "find", str(path)])
    assert "2 communities of 24, modularity 0.49" in capsys.readouterr().out


WRONG = [
    ("user,artist\nu,a\n", ["--counts", "user,artist,plays"], "there is no column 'plays'; choose from artist, user"),
    (
        "user,artist,plays\nu,a,1\nu,b,many\n",
        ["--counts", "user,artist,plays"],
        "column 'plays', row 2: 'many' will not do; give a number from 0 on",
    ),
    ("user,artist,plays\nu,a,-1\n", ["--counts", "user,artist,plays"], "column 'plays', row 1: '-1' will not do"),
    ("user,artist,plays\nu,a,nan\n", ["--counts", "user,artist,plays"], "'nan' will not do"),
    ("user,artist,plays\nu,a,\n", ["--edges", "user,artist,plays"], "column 'plays', row 1: '' will not do"),
    ("user,artist,plays\nu,a,0\n", ["--counts", "user,artist,plays"], "column 'plays' holds no count above 0"),
    ("user,artist,plays\nu,a,1\n ,a,1\n", ["--counts", "user,artist,plays"], "column 'user', row 2: nothing stands there"),
    ("user,artist,plays\n", ["--counts", "user,artist,plays"], "the table has no row"),
    ("", [], "cannot be read"),
    ("a,b\nx\n", [], "cannot be read"),
    ("a\nx\n", [], "--edges a: name two columns of nodes"),
    ("a,b\nx,x\n", [], "no edge of any weight joins two different nodes"),
    ("a,b\nx,y\n", ["--edges", "a,b,c,d"], "--edges a,b,c,d: name two columns of nodes, or these and one of weights"),
    ("a,b\nx,y\n", ["--edges", "a,bb"], "there is no column 'bb'; did you mean 'b'?"),
    ("a,b\nx,y\n", ["--counts", "a,b"], "--counts a,b: name three columns"),
    ("a,b\nx,y\n", ["--counts", "a,b,c", "--edges", "a,b"], "contradict each other"),
    ("a,b\nx,y\n", ["--out", "x.txt"], "give a file that ends with .csv or .parquet"),
    ("a,b\nx,y\n", ["--out", "nowhere/x.csv"], "--out 'nowhere/x.csv' cannot be written"),
    ("a,b\nx,y\n", ["--before", "own.csv"], "--before 'own.csv' has no column 'node'"),
]


@pytest.mark.parametrize(("text", "words", "told"), WRONG)
def test_every_mistake_is_named(
    text: str, words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.csv").write_text(text)
    assert told in refused(capsys, "own.csv", *words)


def test_deezers_listeners_fall_into_communities(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = real_data / "deezer-graph" / "edges.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path}")
    found = asked(capsys, path)
    assert found["nodes"] == 41_773
    assert found["modularity"] > 0.76
    assert sum(one["members"] for one in found["communities"]) > 41_000
