"""The inner import law of the worker: two pipelines, and what both stand on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import REPO

WORKER = REPO / "worker"
TOP = {"worker.tasks", "worker.context", "worker.removal", "worker.__main__", "worker.attempts"}


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def within(names: set[str], *packages: str) -> set[str]:
    return {name for name in names if name.startswith(tuple(packages)) or name in packages}


@pytest.mark.parametrize(
    ("folder", "never"),
    [
        ("indexing", ("worker.searching",)),
        ("searching", ("worker.indexing",)),
        ("models", ("worker.indexing", "worker.searching", "worker.vectors", "worker.local")),
        ("local", ("worker.indexing", "worker.searching", "worker.models")),
        ("native", ("worker.indexing", "worker.searching", "worker.models", "worker.local")),
        ("native", ("worker.vectors", "worker.boxes")),
        ("vectors", ("worker.indexing", "worker.searching", "worker.models", "worker.local")),
        ("vectors/edge", ("worker.vectors.server", "worker.vectors.stores")),
        ("vectors/server", ("worker.vectors.edge", "worker.vectors.stores")),
    ],
)
def test_a_folder_imports_nothing_that_stands_beside_or_above_it(
    folder: str, never: tuple[str, ...]
) -> None:
    files = sorted((WORKER / folder).rglob("*.py"))
    assert files
    for path in files:
        names = imported(path)
        assert not within(names, *never), path
        assert not names & TOP, path


@pytest.mark.parametrize("folder", ["indexing", "searching"])
def test_no_stage_imports_its_pipeline(folder: str) -> None:
    for path in (WORKER / folder).glob("*.py"):
        assert f"worker.{folder}.pipeline" not in imported(path), path


@pytest.mark.parametrize(
    ("library", "folder"),
    [("qdrant_client", "vectors"), ("qdrant_edge", "vectors"), ("torch", "models")],
)
def test_a_library_is_imported_in_one_folder_only(library: str, folder: str) -> None:
    for path in WORKER.rglob("*.py"):
        if within(imported(path), library):
            assert path.is_relative_to(WORKER / folder), path
