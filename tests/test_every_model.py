"""Every declared model: inputs and gates exist, the search starts inside its space, the registry's YAML is this declaration."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jobs.catalogue import TABLES
from jobs.features import USER
from jobs.features.feature import WINDOWS
from ray_tune.metrics import estimates
from ray_tune.models import MODELS, declaration, model
from ray_tune.models.model import Model, Range, Split
from validation.contract import ContractError
from validation.verdict import WrongUse

ROOT = Path(__file__).parent.parent
every_model = pytest.mark.parametrize("one", MODELS.values(), ids=attrgetter("name"))
NUMBERS = {"bigint", "int", "double"}


@every_model
def test_it_reads_numbers_and_text_of_its_examples(one: Model) -> None:
    assert TABLES[one.examples.name] is one.examples
    columns = one.examples.by_name
    assert {columns[name].dtype for name in one.features} <= NUMBERS
    assert {columns[name].dtype for name in one.categories} == {"string"}
    assert columns[one.label].dtype == "boolean"
    assert {"date", "known_ts", "listener_id"} <= set(columns)


@every_model
def test_it_sees_no_person_and_no_label(one: Model) -> None:
    assert one.label not in one.columns
    assert not [name for name in one.columns if one.examples.by_name[name].identifies]
    assert len(set(one.columns)) == len(one.columns)


@every_model
def test_no_input_tells_how_old_the_log_is(one: Model) -> None:
    by_name = {feature.name: feature for feature in USER}
    growing = [name for name in one.features if by_name[name].total and by_name[name].days > min(WINDOWS[1:])]
    assert not growing, "totals of long windows grow until the log is that old"


@every_model
def test_its_gates_ask_for_what_is_measured(one: Model) -> None:
    labels = np.tile([0.0, 1.0], 20)
    level = np.full(40, 0.5)
    measured = estimates(labels, level, {"base": level, "champion": level}, np.arange(40), np.random.default_rng(0))
    assert {gate.key for gate in one.gates} <= set(measured)
    assert "auc_minus_base" in {gate.key for gate in one.gates}
    assert "auc_minus_champion" in {gate.key for gate in one.gates}


@every_model
def test_it_is_reproducible_and_keeps_rare_classes_as_they_are(one: Model) -> None:
    assert one.fixed["deterministic"] is True
    assert one.fixed["objective"] == "binary"
    assert not {"is_unbalance", "scale_pos_weight"} & set(one.fixed)
    assert one.rounds % one.report_every == 0


def test_the_registrys_declarations_are_these() -> None:
    written = (ROOT / "mlflow/models.yaml").read_text()
    assert written == declaration(), "run: python -m ray_tune models > mlflow/models.yaml"
    assert [entry["name"] for entry in yaml.safe_load(written)["models"]] == list(MODELS)


def test_a_misspelt_model_is_answered_with_the_right_one() -> None:
    with pytest.raises(WrongUse, match="unknown model 'respnse'; did you mean 'response'"):
        model("respnse")


def test_a_declaration_that_contradicts_itself_is_refused() -> None:
    one = MODELS["response"]
    with pytest.raises(ContractError, match="no column 'clicks'"):
        replace(one, label="clicks")
    with pytest.raises(ContractError, match="both fixed and searched"):
        replace(one, fixed={**one.fixed, "num_leaves": 31})
    with pytest.raises(ContractError, match="outside"):
        Range("num_leaves", 4, 8, 31)
    with pytest.raises(ContractError, match="leave some dates"):
        Split(valid=0.4, calibrate=0.3, test=0.3, minimum_dates=10)
    with pytest.raises(ContractError, match="leave none to train on"):
        Split(valid=0.1, calibrate=0.1, test=0.1, minimum_dates=3)


SPLITS = st.sampled_from([MODELS["response"].split, Split(0.2, 0.1, 0.3, 8), Split(0.01, 0.01, 0.01, 4)])
DATES = st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), min_size=1, max_size=90)


@given(SPLITS, DATES)
def test_the_split_never_leaks(split: Split, dates: list[date]) -> None:
    """Every date in exactly one part, none empty, and whatever a part learns lies before what it is judged on."""
    different = sorted(set(dates))
    if len(different) < split.minimum_dates:
        with pytest.raises(ContractError, match="are needed"):
            split.cut(dates)
        return
    parts = split.cut(dates)
    in_order = (*parts.train, *parts.valid, *parts.calibrate, *parts.test)
    assert list(in_order) == different
    assert min(map(len, (parts.train, parts.valid, parts.calibrate, parts.test))) >= 1
    assert parts.train[-1] < parts.valid[0] <= parts.valid[-1] < parts.calibrate[0] <= parts.calibrate[-1] < parts.test[0]


def test_the_newest_fifth_of_five_weeks_is_a_week() -> None:
    days = [date(2026, 10, 1) + timedelta(days=n) for n in range(35)]
    parts = MODELS["response"].split.cut(days)
    assert (len(parts.train), len(parts.valid), len(parts.calibrate), len(parts.test)) == (20, 4, 4, 7)
