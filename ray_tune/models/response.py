"""Will the listener click the ad: the model behind scored audiences."""

from __future__ import annotations

from jobs.contracts.derived import EXAMPLE_CONTEXT, EXAMPLES
from jobs.features import USER
from ray_tune.models.model import Model, Range, Split
from validation.gates.promotion import Gate

# A total over a window longer than the log grows from day to day and tells the model the date: what of the first weeks'
# clicks it lays on that, it carries past the dates that it learnt from. Rates, and totals of windows soon full, do not.
LONGEST_TOTAL = 7

RESPONSE = Model(
    name="response",
    meaning="probability that a consenting listener clicks an audio ad within 30 minutes",
    examples=EXAMPLES,
    label="click",
    features=tuple(feature.name for feature in USER if feature.days <= LONGEST_TOTAL or not feature.total),
    categories=tuple(column.name for column in EXAMPLE_CONTEXT),
    # Clicks are rare: few bins and smoothed leaves lose nothing and halve the time of a round.
    fixed={
        "objective": "binary",
        "boost_from_average": False,  # the main effects know the base rate
        "max_bin": 63,
        "bin_construct_sample_cnt": 50_000,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "path_smooth": 5.0,
        "cat_smooth": 100.0,
        "cat_l2": 50.0,
        "min_data_per_group": 500,
        "max_cat_threshold": 64,
        "deterministic": True,
        "force_row_wise": True,
    },
    space=(
        Range("learning_rate", 0.02, 0.12, 0.04, log=True),
        Range("num_leaves", 4, 32, 8, log=True, integer=True),
        Range("min_data_in_leaf", 100, 2000, 400, log=True, integer=True),
        Range("feature_fraction", 0.3, 0.9, 0.6),
        Range("lambda_l2", 1.0, 50.0, 10.0, log=True),
    ),
    rounds=150,
    report_every=15,
    split=Split(valid=0.1, calibrate=0.1, test=0.2, minimum_dates=7),
    isotonic_from=5_000,
    minimum_positives=200,
    most=500_000,  # 1.7 million ranked better by 0.003 of AUC, for five times the time and memory
    gates=(
        Gate("auc", ">=", 0.05, versus="base", end="low"),
        Gate("normalised_entropy", "<", 1.0, end="high"),
        Gate("calibration_ratio", ">=", 0.8, end="low"),
        Gate("calibration_ratio", "<=", 1.25, end="high"),
        Gate("auc", ">=", -0.015, versus="champion", end="low"),
    ),
)
