"""The `overtone` command: lists and runs everything.

overtone day --date 2026-11-09        overtone status        overtone audience list --json
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from jobs.console import Parser, guarded, parsed, say
from jobs.journal import recorded
from targeting.command import (
    audience,
    communities,
    day,
    demo,
    doctor,
    fans,
    features,
    freshness,
    history,
    ingest,
    leaks,
    log,
    maintain,
    model,
    quarantine,
    status,
    tables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from targeting.command.reply import Reply

COMMANDS = {
    "demo": demo,
    "ingest": ingest,
    "day": day,
    "status": status,
    "tables": tables,
    "table": history,
    "features": features,
    "audience": audience,
    "fans": fans,
    "communities": communities,
    "model": model,
    "quarantine": quarantine,
    "maintain": maintain,
    "freshness": freshness,
    "leaks": leaks,
    "log": log,
    "doctor": doctor,
}
# What only looks leaves no log: commands, and actions of others.
LOOKS, LOOKING = (status, tables, freshness, log, doctor), ("list", "show", "history", "find")

EPILOG = (
    "overtone COMMAND --help shows an example of each. "
    "Exit codes: 0 done or nothing to do, 2 wrong use, 3 held back, 4 refused by a gate, 1 anything else."
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = Parser(prog="overtone", description="Turn listening into audiences, fairly.", epilog=EPILOG, formatter_class=_wide)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP, epilog=f"example: {module.EXAMPLE}")
        module.configure(sub)
        for leaf in _leaves(sub):
            leaf.add_argument("--lake", help="folder or URI of the lake (default: OVERTONE_LAKE, else ./build/lake)")
            leaf.add_argument("--json", action="store_true", help="answer in JSON")
    return top


def _wide(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, max_help_position=18, width=100)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and end the process with the platform's exit code."""
    options, answered = parsed(parser(), argv), list[int]()
    code = guarded(lambda: answered.append(_answer(options)), f"overtone {options.command}")
    if code := code or sum(answered):
        sys.exit(code)


def _answer(options: argparse.Namespace) -> int:
    """Run a command and say what it answers; return the answer's exit code."""
    reply = _run(options)
    text = reply.show(as_json=options.json)
    if text:
        say(text)
    return reply.exit_code


def _run(options: argparse.Namespace) -> Reply:
    """Run a command; one that may change something is logged beside the lake."""
    module = COMMANDS[options.command]
    run: Callable[[argparse.Namespace], Reply] = module.run
    action = getattr(options, "action", None)
    if module in LOOKS or action in LOOKING:
        return run(options)
    name = " ".join(("overtone", options.command, *([action] if action else [])))
    with recorded(name, demo.lake(options) if module is demo else options.lake):
        return run(options)


def _leaves(sub: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    groups = [action for action in sub._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    if not groups:
        return [sub]
    return list(groups[0].choices.values())


if __name__ == "__main__":
    main()
