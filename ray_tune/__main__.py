"""Command line of the models.

python -m ray_tune response --as-of 2026-11-09 --trials 4 --lake ./build/lake     # train and register a challenger
python -m ray_tune models                                                         # all models as YAML: mlflow/models.yaml
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from jobs.console import MOST_TRIALS, SEEDS, Parser, guarded, iso_date, parsed, say, somebody, whole
from jobs.journal import recorded

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, print; return the platform's exit code."""
    from ray_tune.models import MODELS

    parser = Parser(prog="python -m ray_tune", description="Train a model, or print the declarations of all.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="MODEL")
    for name, model in MODELS.items():
        one = commands.add_parser(name, help=model.meaning, epilog=f"example: python -m ray_tune {name} --as-of 2026-11-09 --trials 4")
        one.add_argument("--as-of", type=iso_date, required=True, help="last UTC date whose data it may see")
        one.add_argument("--trials", type=whole(1, MOST_TRIALS), default=4, help="sets of parameters to try (default: 4)")
        one.add_argument("--author", type=somebody, default="overtone", help="who trains; somebody else must approve (default: overtone)")
        one.add_argument("--seed", type=whole(0, SEEDS - 1), default=7, help="of sampling, boosting and intervals (default: 7)")
        one.add_argument("--lake", help="folder or URI of the lake (default: OVERTONE_LAKE, else ./build/lake)")
    commands.add_parser("models", help="print all models as YAML", epilog="example: python -m ray_tune models > mlflow/models.yaml")
    options = parsed(parser, argv)
    if options.command == "models":
        return guarded(_declare)
    return guarded(recorded("ray_tune", options.lake)(lambda: _train(options)))


def _train(options: argparse.Namespace) -> None:
    from jobs.lake.address import Address
    from jobs.lake.arrow import ArrowLake
    from ray_tune.models import model
    from ray_tune.order import Order
    from ray_tune.run import train

    order = Order(model(options.command), options.as_of, options.trials, options.seed, options.author)
    say(train(ArrowLake(Address.choose(options.lake)), order).sentence)


def _declare() -> None:
    from ray_tune.models import declaration

    say(declaration(), end="")


if __name__ == "__main__":
    sys.exit(main())
