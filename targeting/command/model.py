"""`overtone model`: trained versions and the person's decision which one serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.console import somebody
from jobs.contracts.delivery import APPROVALS, TRAININGS
from targeting.command.place import nothing, opened
from targeting.command.reply import Reply, table

if TYPE_CHECKING:
    import argparse

    from jobs.lake.arrow import ArrowLake

HELP = "list trained models, or approve one as champion"
UNTRAINED = "no model was trained yet; overtone day --help"
EXAMPLE = "overtone model approve 3 --by 'Ada Lovelace'"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="trained versions, their gate and who approved them", epilog="example: overtone model list")
    approve = actions.add_parser("approve", help="make a version the champion", epilog=f"example: {EXAMPLE}")
    approve.add_argument("version", help="version in the registry")
    approve.add_argument("--by", type=somebody, required=True, help="who decides; not the one who trained it")
    approve.add_argument("--model", default="response", help="name of the model (default: response)")


def run(options: argparse.Namespace) -> Reply:
    """List versions or record an approval."""
    lake = opened(options.lake)
    if options.action == "approve":
        from ray_tune.models import model
        from ray_tune.registry import approve

        model(options.model)
        sentence = approve(lake, options.model, options.version, by=options.by)
        return Reply({"model": options.model, "version": options.version, "by": options.by, "said": sentence}, sentence)
    rows = versions(lake)
    columns = ("model", "version", "as_of", "author", "gate", "champion", "approved_by", "reason")
    return Reply(rows, table(rows, columns, empty=nothing(lake, UNTRAINED)))


def versions(lake: ArrowLake) -> list[dict[str, object]]:
    """Return trained versions, newest first, with who approved them and which one serves."""
    approvals = sorted(lake.read(APPROVALS).to_pylist(), key=lambda row: row["decided_at"])
    serving = {row["model"]: row["version"] for row in approvals}
    by = {(row["model"], row["version"]): row["by"] for row in approvals}
    trained = sorted(lake.read(TRAININGS).to_pylist(), key=lambda row: row["trained_at"], reverse=True)
    return [
        {
            **{name: row[name] for name in ("model", "version", "author", "gate", "reason", "run_id")},
            "as_of": str(row["as_of"]),
            "champion": row["version"] is not None and serving.get(row["model"]) == row["version"],
            "approved_by": by.get((row["model"], row["version"])),
        }
        for row in trained
    ]
