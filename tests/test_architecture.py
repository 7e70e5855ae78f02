"""The rules of the house that no linter knows: sizes, one home a heavy library, names that would hide a library."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("validation", "jobs", "ray_tune", "targeting")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
# Library -> the modules that may import it.
HOMES = {
    "great_expectations": {"validation/engine.py"},
    "mlflow": {"ray_tune/registry.py"},
    "ray": {"ray_tune/search.py"},
    "deltalake": {f"jobs/lake/{name}.py" for name in ("arrow", "committed", "foreign", "still", "files", "upkeep")},
    "delta": {"jobs/lake/spark.py"},
    "matplotlib": {"ray_tune/explain.py"},
    "networkit": {"targeting/graph.py"},
}
OURS_AT_TOP = {"mlflow", "tests", "infra", *PACKAGES}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported_roots(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body and body[-1].end_lineno else 0
            assert lines <= 40, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_has_one_home(library: str) -> None:
    users = {relative(path) for path in MODULES if library in imported_roots(path)}
    assert users <= HOMES[library]


def test_no_init_file_hides_a_library_or_breaks_imports() -> None:
    assert not [relative(path) for top in ("mlflow", "tests", "infra") for path in (ROOT / top).rglob("__init__.py")]


def test_no_script_is_named_like_a_library() -> None:
    """`spark-submit jobs/x.py` puts jobs/ itself on sys.path: what lies there hides whatever has its name."""
    taken = {*sys.stdlib_module_names, *packages_distributions()} - {"jobs", "validation", "ray_tune", "targeting"}
    for folder in PACKAGES:
        names = {path.stem if path.is_file() else path.name for path in (ROOT / folder).iterdir() if path.name[0] not in "_."}
        assert not names & taken, f"{folder}/ hides {sorted(names & taken)}"


def test_our_packages_clash_with_no_installed_one() -> None:
    for package in PACKAGES:
        assert set(packages_distributions().get(package, [])) <= {"overtone"}


@pytest.mark.parametrize("word", ["utils", "common", "helpers", "misc", "base"])
def test_no_grab_bag(word: str) -> None:
    assert not [relative(path) for path in MODULES if path.stem == word]


def test_nothing_is_asserted_outside_tests() -> None:
    for path in MODULES:
        assert not [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)], relative(path)


def test_no_clock_is_read_deep_inside() -> None:
    """Dates are arguments; only the edges (publishing, ingest, commands, registry) may look at a clock."""
    for path in MODULES:
        text = path.read_text()
        assert "today(" not in text, relative(path)
        assert "current_date" not in text, relative(path)


def test_the_golden_schemas_are_the_catalogues() -> None:
    from jobs.catalogue import schemas  # noqa: PLC0415

    assert (ROOT / "tests/schemas.txt").read_text() == schemas(), "run `make schemas` and review the diff"
