"""What a date's rows depend on, as one hash: the files read, the arguments, the table's declaration and the code.

Equal fingerprint, nothing to do. It is computed from the logs of the tables read and from our own sources, before Spark
starts.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from importlib.resources.abc import Traversable

PACKAGES = frozenset({"validation", "jobs", "ray_tune", "targeting"})
LENGTH = 16


def fingerprint(parts: Iterable[str]) -> str:
    """Return 16 hex digits over the parts, order and borders included."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:LENGTH]


@cache
def code_of(module: str) -> str:
    """Return a hash of a module's source and of every module of ours that it imports, directly or not."""
    sources = {name: path.read_bytes() for name, path in _reach(module).items()}
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + hashlib.sha256(sources[name]).digest())
    return digest.hexdigest()[:LENGTH]


def home(function: Callable[..., object]) -> str:
    """Return the name of the module that holds a job's function.

    Python calls a script that is run by its path `__main__`, whichever it is; its file says which job it is.
    """
    module = function.__module__
    return module if module != "__main__" else f"jobs.{Path(inspect.getfile(function)).stem}"


def arguments(args: Mapping[str, str]) -> str:
    """Return arguments in a fixed order and spelling."""
    return "\n".join(f"{name}={args[name]}" for name in sorted(args))


def _reach(module: str) -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += _imports(name)
    return found


@cache
def _source(module: str) -> Traversable | None:
    """Return a module's file, be it in a folder or in the zip that a cluster is sent."""
    top, *rest = module.split(".")
    if top not in PACKAGES:
        return None
    # Only the package itself is looked up: asking for the spec of what is inside would import the module it lies in.
    place = files(top)
    ways = [place.joinpath(*rest, "__init__.py"), *([place.joinpath(*rest[:-1], f"{rest[-1]}.py")] if rest else [])]
    return next((path for path in ways if path.is_file()), None)


@cache
def _imports(module: str) -> tuple[str, ...]:
    path = _source(module)
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes() if path else b"")):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from jobs.features import listening` may name a module or a value: both spellings are tried.
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.split(".")[0] in PACKAGES)
