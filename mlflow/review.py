"""Read a version's review packet and decide on it.

python mlflow/review.py show 3                                # the model card of version 3, as Markdown
python mlflow/review.py approve 3 --by "Ada Lovelace"         # make it the champion; not by the one who trained it
"""

from __future__ import annotations

import sys
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from jobs.console import Parser, guarded, parsed, say, somebody
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from ray_tune import registry
from ray_tune.models import model

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

CARD = Path(__file__).with_name("model_card.md")
DRIVERS = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, show or approve; return the platform's exit code."""
    parser = Parser(description="Read a version's review packet and decide on it.", epilog="example: show 3")
    parser.add_argument("action", choices=("show", "approve"))
    parser.add_argument("version", help="version in the registry")
    parser.add_argument("--model", default="response", help="name of the model (default: response)")
    parser.add_argument("--by", type=somebody, help="who approves; not the one who trained it")
    parser.add_argument("--lake", help="folder or URI of the lake (default: OVERTONE_LAKE, else ./build/lake)")
    options = parsed(parser, argv)
    return guarded(lambda: say(answer(options), end=""))


def answer(options: argparse.Namespace) -> str:
    """Return the card of a version, or the sentence that says it was approved."""
    model(options.model)
    lake = ArrowLake(Address.choose(options.lake))
    if options.action == "approve":
        return registry.approve(lake, options.model, options.version, by=options.by or "") + "\n"
    return card(registry.summary(lake, options.model, options.version), options.version)


def card(summary: dict[str, Any], version: str) -> str:
    """Fill the model card with a version's numbers."""
    metrics = [(name, f"{m['value']:.4g}", between(m, "{:.4g}")) for name, m in summary["metrics"].items()]
    checks = [(c["rule"], c["observed"], "passed" if c["success"] else "**failed**") for c in summary["gate"]["checks"]]
    curve = [(f"{b['score']:.4f}", f"{b['rate']:.4f}", between(b, "{:.4f}"), f"{b['rows']:,}") for b in summary["calibration"]]
    drivers = [(d["feature"], f"{d['effect']:.4f}", direction(d["direction"])) for d in summary["drivers"][:DRIVERS]]
    sizes = ("rows", "positives", "listeners")
    parts = [(name, f"{p['first']} to {p['last']}", *(f"{p[n]:,}" for n in sizes)) for name, p in summary["split"].items()]
    return Template(CARD.read_text(encoding="utf-8")).substitute(
        {name: summary[name] for name in ("model", "author", "as_of", "gate", "reason", "fingerprint", "calibrator")}
        | {
            "version": version,
            "gate": "passed" if summary["gate"]["passed"] else "failed",
            "meaning": model(summary["model"]).meaning.capitalize() + ".",
            "trials": len(summary["trials"]),
            "sources": ", ".join(f"{table} version {number}" for table, number in summary["sources"].items()),
            "metrics": table(("metric", "value", "95 % interval"), metrics),
            "gates": table(("gate", "observed", "verdict"), checks),
            "calibration": table(("mean score", "share of clicks", "95 % interval", "rows"), curve),
            "drivers": table(("input", "mean effect on the log-odds", "high values"), drivers),
            "split": table(("part", "dates", "rows", "clicks", "listeners"), parts),
        }
    )


def between(ends: dict[str, float], form: str) -> str:
    """Write an interval."""
    return f"{form.format(ends['low'])} to {form.format(ends['high'])}"


def direction(correlation: float | None) -> str:
    """Say which way high values move the score."""
    return "-" if correlation is None else "raise it" if correlation > 0 else "lower it"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
