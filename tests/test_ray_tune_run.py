"""A model from examples to champion on a small planted world: found, judged, kept, never made twice, taken up where it stopped."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from jobs.contracts.delivery import TRAININGS
from jobs.contracts.derived import EXAMPLES
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema, conform
from ray_tune import ledger, registry
from ray_tune.assess import assess
from ray_tune.examples import encoded, read
from ray_tune.models import MODELS
from ray_tune.order import ADOPTED, NOTHING, SKIPPED, TRAINED, Order, Training
from ray_tune.run import identity, train, train_response
from ray_tune.search import end, mark, room, sweep
from ray_tune.train import fit, main_effects
from validation.verdict import Refused

if TYPE_CHECKING:
    from ray_tune.models.model import Model

ROOT = Path(__file__).parent.parent
FIRST = date(2026, 10, 1)
DAYS, A_DAY, LISTENERS = 14, 600, 400
AS_OF = FIRST + timedelta(days=DAYS + 2)
SLOTS = ("pre", "mid", "post")
SMALL = replace(
    MODELS["response"],
    features=("plays_7d", "skip_rate_28d", "share_rock_28d", "mean_energy_28d"),
    categories=("slot", "device"),
    rounds=40,
    report_every=10,
)


def probability(taste: np.ndarray, slot: np.ndarray, signal: float) -> np.ndarray:
    """Planted: listeners who like rock click, more so in the middle of a break."""
    return 1 / (1 + np.exp(1.8 - signal * (1.2 * taste + 0.8 * (slot == 1))))


def impressions(day: date, seed: int, signal: float, rows: int = A_DAY) -> pa.Table:
    rng = np.random.default_rng([seed, day.toordinal()])
    who, slot = rng.integers(LISTENERS, size=rows), rng.integers(3, size=rows)
    taste = np.random.default_rng(seed).normal(size=LISTENERS)[who]
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    same: dict[str, object] = {"campaign": "c", "category": "food", "daypart": "midday", "day_type": "weekday", "weather": "rain"}
    same |= {"completion": True, "date": day, "features_date": day - timedelta(days=1), "event_ts": at, "known_ts": at}
    columns = {name: [value] * rows for name, value in same.items()}
    columns |= {"impression_id": [f"{day}-{n}" for n in range(rows)], "listener_id": [f"{n:032x}" for n in who]}
    columns |= {"slot": [SLOTS[n] for n in slot], "device": rng.choice(["mobile", "car"], rows).tolist()}
    columns |= {"click": (rng.random(rows) < probability(taste, slot, signal)).tolist(), "plays_7d": rng.integers(0, 50, rows).tolist()}
    columns |= {"share_rock_28d": (1 / (1 + np.exp(-taste))).tolist(), "skip_rate_28d": rng.random(rows).tolist()}
    return conform(pa.table(columns), arrow_schema(EXAMPLES))


def world(folder: Path, seed: int = 1, signal: float = 1.0, rows: int = A_DAY) -> ArrowLake:
    """A lake with examples of DAYS days and everybody's consent but that of every tenth listener."""
    lake = ArrowLake(Address.parse(str(folder / "lake")))
    days = [FIRST + timedelta(days=n) for n in range(DAYS)]
    lake.append(EXAMPLES, pa.concat_tables([impressions(day, seed, signal, rows) for day in days]), Note())
    for day in (AS_OF, AS_OF + timedelta(days=1)):
        consents(lake, day)
    return lake


def consents(lake: ArrowLake, day: date) -> None:
    same = {"date": day, "consent": "granted", "basis": "feed", "age_band": "25_34", "known_ts": datetime(2026, 9, 1, tzinfo=UTC)}
    rows = [same | {"listener_id": f"{n:032x}", "ads_allowed": n % 10 != 0} for n in range(LISTENERS)]
    lake.append(SILVER_LISTENERS, pa.Table.from_pylist(rows, arrow_schema(SILVER_LISTENERS)), Note())


@pytest.fixture(scope="module", autouse=True)
def no_servers() -> Any:
    """Neither a tracking server nor a cluster of the one who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (registry.VARIABLE, "RAY_ADDRESS"):
            patch.delenv(name, raising=False)
        yield


def order(as_of: date = AS_OF, model: Model = SMALL) -> Order:
    return Order(model, as_of, trials=2, seed=3, author="Ada", cpus=2)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> ArrowLake:
    return world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def trained(lake: ArrowLake) -> Training:
    return train(lake, order())


def runs(lake: ArrowLake) -> list[Any]:
    api = registry.client(lake)
    return list(api.search_runs([api.get_experiment_by_name("response").experiment_id], f"tags.`{registry.KIND}` = '{registry.TRAINING}'"))


@pytest.mark.ray
def test_a_challenger_is_trained_and_kept(lake: ArrowLake, trained: Training) -> None:
    assert (trained.state, trained.version, trained.gate) == (TRAINED, "1", "passed"), trained.sentence
    assert trained.changed
    (row,) = lake.read(TRAININGS).to_pylist()
    assert (row["model"], row["version"], row["run_id"], row["author"], row["as_of"]) == ("response", "1", trained.run_id, "Ada", AS_OF)
    assert [run.info.status for run in runs(lake)] == ["FINISHED"]
    assert registry.client(lake).get_model_version_by_alias("response", registry.CHALLENGER).run_id == trained.run_id


@pytest.mark.ray
def test_ray_leaves_nothing_behind(trained: Training) -> None:
    assert not list(room().glob(f"{mark()}{os.getpid()}-*"))
    assert not [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if f"{mark()}{os.getpid()}-" in text_of(entry)]


def text_of(file: Path) -> str:
    try:
        return file.read_bytes().decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.ray
def test_what_was_planted_is_found(lake: ArrowLake, trained: Training) -> None:
    """The two planted causes lead, the share of rock upwards; scores on the newest days rank nearly as the planted p."""
    told = registry.summary(lake, "response", trained.version)
    strongest = [driver["feature"] for driver in told["drivers"]]
    assert set(strongest[:2]) == {"share_rock_28d", "slot"}
    assert next(d["direction"] for d in told["drivers"] if d["feature"] == "share_rock_28d") > 0.9
    assert next(d["effect"] for d in told["drivers"] if d["feature"] == "mean_energy_28d") == 0
    scorer = registry.scorer(lake, "response", trained.version)
    test = read(lake, SMALL, AS_OF).of(SMALL.split.cut([FIRST + timedelta(days=n) for n in range(DAYS)]).test)
    rock = test.frame["share_rock_28d"].to_numpy().astype(float)
    slot = np.array([SLOTS.index(name) for name in test.frame["slot"].to_pylist()])
    planted = probability(np.log(rock / (1 - rock)), slot, 1.0)
    scores = scorer.score(test.frame)
    gain, most = roc_auc_score(test.labels, scores) - 0.5, roc_auc_score(test.labels, planted) - 0.5
    assert gain > 0.9 * most
    assert scores.mean() == pytest.approx(planted.mean(), rel=0.1)


@pytest.mark.ray
def test_its_numbers_are_told_without_gaps(lake: ArrowLake, trained: Training) -> None:
    told = registry.summary(lake, "response", trained.version)
    assert told["gate"]["passed"] is True
    assert {check["rule"] for check in told["gate"]["checks"]} == {gate.name for gate in SMALL.gates}
    assert [trial["auc"] for trial in told["trials"]] == sorted((trial["auc"] for trial in told["trials"]), reverse=True)
    assert len(told["trials"]) == 2
    assert sum(one["rows"] for one in told["calibration"]) == told["split"]["test"]["rows"]
    assert (
        told["split"]["train"]["last"]
        < told["split"]["valid"]["first"]
        <= told["split"]["calibrate"]["last"]
        < told["split"]["test"]["first"]
    )
    allowed = sum(part["rows"] for part in told["split"].values())
    assert 0.85 * DAYS * A_DAY < allowed < 0.95 * DAYS * A_DAY, "every tenth listener did not agree"
    assert told["sources"] == {"examples.response": lake.version(EXAMPLES), "silver.listeners": lake.version(SILVER_LISTENERS)}
    for one in told["metrics"].values():
        assert one["low"] <= one["high"]


@pytest.mark.ray
def test_pictures_and_numbers_are_logged_with_the_run(lake: ArrowLake, trained: Training) -> None:
    files = {file.path for file in registry.client(lake).list_artifacts(trained.run_id)}
    assert {"summary.json", "calibration.png", "drivers.png", "gains.png"} <= files


@pytest.mark.ray
def test_a_second_run_has_nothing_to_do_and_imports_nothing_heavy(lake: ArrowLake, trained: Training) -> None:
    again = train(lake, order())
    assert (again.state, again.version, again.run_id) == (NOTHING, trained.version, trained.run_id)
    assert not again.changed
    assert len(runs(lake)) == 1
    assert lake.version(TRAININGS) == 1  # created, then written once
    script = (
        "import sys; from datetime import date; from jobs.lake.address import Address; from jobs.lake.arrow import ArrowLake\n"
        "from ray_tune.run import train_response\n"
        f"print(train_response(ArrowLake(Address.parse({lake.address.uri!r})), date(2020, 1, 1)).state)\n"
        f"from ray_tune.run import identity; from ray_tune.order import Order; from ray_tune.models import MODELS\n"
        f"identity(ArrowLake(Address.parse({lake.address.uri!r})), Order(MODELS['response'], date(2026, 10, 17)))\n"
        "print([name for name in ('ray', 'mlflow', 'lightgbm', 'sklearn', 'matplotlib', 'pyspark') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == [SKIPPED, "[]"]


@pytest.mark.ray
def test_a_training_that_was_cut_before_the_lake_is_adopted(lake: ArrowLake, trained: Training) -> None:
    lake.overwrite(TRAININGS, arrow_schema(TRAININGS).empty_table(), None, Note())
    adopted = train(lake, order())
    assert (adopted.state, adopted.version, adopted.run_id, adopted.gate) == (ADOPTED, trained.version, trained.run_id, trained.gate)
    assert len(runs(lake)) == 1
    assert ledger.training(lake, "response", "1")["run_id"] == trained.run_id


@pytest.mark.ray
def test_the_author_may_not_approve_and_somebody_else_may(lake: ArrowLake, trained: Training) -> None:
    with pytest.raises(Refused, match="version 1 of 'response' was trained by whoever would approve it"):
        registry.approve(lake, "response", "1", by="Ada")
    assert registry.champion(lake, "response") is None
    assert registry.approve(lake, "response", "1", by="Grace").endswith("approved by Grace")
    assert registry.champion(lake, "response").version == "1"
    assert train(lake, order()).state == NOTHING, "who serves is no reason to train"


@pytest.mark.ray
def test_a_later_model_is_compared_with_the_champion_and_does_not_replace_it(lake: ArrowLake, trained: Training) -> None:
    """One more day of examples; the two rank alike, and the champion stays until a person says otherwise."""
    if ledger.serving(lake, "response") is None:
        registry.approve(lake, "response", "1", by="Grace")
    lake.append(EXAMPLES, impressions(FIRST + timedelta(days=DAYS), 1, 1.0), Note())
    later = train(lake, order(AS_OF + timedelta(days=1)))
    assert (later.state, later.version) == (TRAINED, "2")
    told = registry.summary(lake, "response", "2")
    assert told["gate"]["champion"] == "1"
    assert abs(told["metrics"]["auc_minus_champion"]["value"]) < 0.05
    assert registry.champion(lake, "response").version == "1"
    assert len(runs(lake)) == 2


def by_path(file: Path) -> Any:
    """mlflow/ is no package, so that the real mlflow is found: what lies there is run by path."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.ray
def test_the_review_packet_is_complete_and_decides(lake: ArrowLake, trained: Training, capsys: pytest.CaptureFixture[str]) -> None:
    review = by_path(ROOT / "mlflow/review.py")
    home = ("--lake", lake.address.uri)
    assert review.main(["show", "1", *home]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# response, version 1\n")
    assert "$" not in shown
    for word in (trained.fingerprint, "**passed**", "| auc |", "low of auc_minus_base >= 0.05", "share_rock_28d", "examples.response"):
        assert word in shown
    assert review.main(["approve", "1", "--by", "Ada", *home]) == 4
    assert review.main(["show", "9", *home]) == 2
    said = capsys.readouterr().err
    assert "somebody else decides" in said
    assert "no version '9'" in said


def test_the_project_file_names_commands_that_exist() -> None:
    entries = yaml.safe_load((ROOT / "mlflow/MLproject").read_text())["entry_points"]
    assert set(entries) == {"tune", "review"}
    given = {"model": "response", "as_of": "2026-11-09", "trials": "1", "author": "a", "lake": "l", "version": "1"}
    for entry, positionals in ((entries["tune"], 3), (entries["review"], 1)):
        assert set(entry["parameters"]) <= set(given)
        python, *words = entry["command"].format(**{name: given[name] for name in entry["parameters"]}).split()
        asked = [sys.executable, *words[:positionals], "--help"]
        shown = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=90, cwd=ROOT / "mlflow").stdout
        assert python == "python"
        assert [word for word in words if word.startswith("--") and word not in shown] == []


def test_equal_examples_give_an_equal_scorer_whatever_their_files_and_the_threads(tmp_path: Path) -> None:
    """Bagging goes by place: the order in which files happen to be listed must not reach the model."""
    params = {one.name: one.start for one in SMALL.space} | {"num_leaves": 15, "min_data_in_leaf": 100}
    one, other = world(tmp_path / "one"), world(tmp_path / "other")
    rows = other.read(EXAMPLES)
    for day in sorted(set(rows["date"].to_pylist()), reverse=True):
        of_day = rows.filter(pc.equal(rows["date"], day))
        other.overwrite(EXAMPLES, of_day.take(np.arange(of_day.num_rows)[::-1]), [day], Note())
    scores = []
    for lake, threads in ((one, 1), (one, 2), (other, 1)):
        examples = read(lake, SMALL, AS_OF)
        data = encoded(examples, SMALL, SMALL.split.cut(examples.dates))
        scores.append(fit(SMALL, params, 20, data, seed=3, threads=threads).score(examples.frame))
    assert (scores[0] == scores[1]).all()
    assert (scores[0] == scores[2]).all()


def test_trees_start_from_the_main_effects_of_all_days_before_the_test(tmp_path: Path) -> None:
    """Trees that did not know of them would learn the same again, and the sum of both would promise far too much or too little."""
    examples = read(world(tmp_path), SMALL, AS_OF)
    parts = SMALL.split.cut(examples.dates)
    data = encoded(examples, SMALL, parts)
    params = {"learning_rate": 0.06, "num_leaves": 6, "min_data_in_leaf": 50, "feature_fraction": 0.6, "lambda_l2": 1.0}
    made, test = fit(SMALL, params, 40, data, seed=3, threads=1), len(examples.of(parts.test).labels)
    learnt = data.whole
    assert len(learnt.labels) == sum(len(part.labels) for part in (data.train, data.valid, data.calibrate)) == len(examples.labels) - test
    assert made.effects == main_effects(SMALL, data, learnt) != main_effects(SMALL, data, data.early)
    odds = made.raw(learnt.matrix, 1)
    assert (1 / (1 + np.exp(-odds))).mean() == pytest.approx(learnt.labels.mean(), rel=0.02)
    alone = made.effects(learnt.matrix)
    assert log_loss(odds, learnt.labels) < log_loss(alone, learnt.labels), "the trees add to what the main effects say"


def log_loss(odds: np.ndarray, labels: np.ndarray) -> float:
    return float((np.logaddexp(0, odds) - labels * odds).mean())


def test_without_signal_the_gate_refuses(tmp_path: Path) -> None:
    """The trainer runs, and even the upper end of its gain over the base rate lies below what the gate asks for."""
    lake = world(tmp_path, signal=0.0, rows=4_000)
    examples = read(lake, SMALL, AS_OF)
    parts = SMALL.split.cut(examples.dates)
    params = {"learning_rate": 0.06, "num_leaves": 15, "min_data_in_leaf": 400, "feature_fraction": 0.6, "lambda_l2": 10.0}
    data = encoded(examples, SMALL, parts)
    found = assess(SMALL, fit(SMALL, params, 20, data, 3, 1), examples.of(parts.test), 0.14, None, np.random.default_rng(0))
    asked = next(gate for gate in SMALL.gates if gate.key == "auc_minus_base")
    assert found.metrics["auc_minus_base"].high < asked.bound
    assert found.gate == "failed"
    assert "low of auc_minus_base >= 0.05" in found.reason


def test_the_fingerprint_covers_data_settings_and_consent_but_not_the_author(tmp_path: Path) -> None:
    lake = world(tmp_path)
    same = identity(lake, order())
    assert identity(lake, replace(order(), author="Grace", cpus=1)) == same
    others = [
        identity(lake, replace(order(), seed=4)),
        identity(lake, replace(order(), trials=3)),
        identity(lake, order(model=replace(SMALL, rounds=50))),
        identity(lake, order(AS_OF + timedelta(days=1))),
    ]
    lake.append(EXAMPLES, impressions(AS_OF + timedelta(days=1), 1, 1.0), Note())
    assert identity(lake, order()) == same, "days after as_of do not count"
    lake.append(EXAMPLES, impressions(AS_OF, 1, 1.0), Note())
    others.append(identity(lake, order()))
    consents(lake, AS_OF)
    others.append(identity(lake, order()))
    assert len({same, *others}) == 1 + len(others)


def test_what_is_missing_is_said_and_nothing_is_trained(tmp_path: Path) -> None:
    empty = ArrowLake(Address.parse(str(tmp_path / "empty")))
    done = train_response(empty, AS_OF)
    assert (done.state, done.changed) == (SKIPPED, False)
    assert done.sentence == f"response: no ad log: examples.response holds no examples up to {AS_OF}; nothing was trained"
    lake = world(tmp_path)
    assert "does not say for 2026-10-19 who may be profiled" in train(lake, order(AS_OF + timedelta(days=2))).sentence
    few = train(lake, order(model=replace(SMALL, minimum_positives=10**6)))
    assert few.state == SKIPPED
    assert "on 14 dates are too few (1000000 on 7 dates are needed)" in few.sentence
    short = train(lake, order(model=replace(SMALL, split=replace(SMALL.split, minimum_dates=30))))
    assert "on 14 dates are too few" in short.sentence
    assert not lake.address.beside("-mlflow").exists(), "the registry was not even opened"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["response", "--as-of", "2026-11-09"], 0, "response: no ad log"),
        (["models"], 0, "models:\n- name: response"),
        (["response", "--as-of", "yesterday"], 2, "'yesterday' is no date of the form 2026-11-01"),
        (["response", "--as-of", "2026-11-09", "--trials", "0"], 2, "'0' will not do; give a whole number from 1 to 10000"),
        (["respnse"], 2, "invalid choice: 'respnse'"),
    ],
)
def test_the_command_line_keeps_the_exit_codes(tmp_path: Path, words: list[str], code: int, said: str) -> None:
    lake = ["--lake", str(tmp_path / "lake")] if words[0] == "response" else []
    done = subprocess.run([sys.executable, "-m", "ray_tune", *words, *lake], capture_output=True, text=True, timeout=60)  # noqa: PLW1510
    assert done.returncode == code
    assert said in done.stdout + done.stderr


def test_what_a_killed_search_left_is_ended_and_removed() -> None:
    """Its owner is gone, its agents are not: the next search ends them. A living owner's are let be."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, live = room() / f"{mark()}{gone.pid}-test", room() / f"{mark()}{os.getpid()}-test"
    agents = []
    for folder in (left, live):
        folder.mkdir()
        agents.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(folder)]))
    try:
        sweep()
        assert agents[0].wait(timeout=10) != 0
        assert not left.exists()
        assert agents[1].poll() is None
        assert live.exists()
    finally:
        end(live)
        live.rmdir()
        for agent in agents:
            agent.wait(timeout=10)
