"""The import law: who may import whom, and what web never loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import REPO


def test_importing_web_loads_no_model_library_and_no_vector_store() -> None:
    heavy = [
        "torch",
        "transformers",
        "yolov5",
        "torchvision",
        "qdrant_client",
        "qdrant_edge",
        "numpy",
    ]
    program = (
        "import sys, web, web.app, web.__main__;"
        f"print([name for name in {[*heavy, 'worker']} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert not set([*heavy, "worker"]) & set(eval(result.stdout)), result.stdout


def test_packages_import_only_what_the_law_allows() -> None:
    allowed = {
        "common": {"common"},
        "web": {"web", "common"},
        "worker": {"worker", "common"},
        "needle": {"needle"},
        "machine": {"machine", "common"},
        "machine/setup": {"machine", "common"},
        "demo": {"demo", "needle", "machine", "common"},
        "demo/samples": {"demo"},
    }
    ours = {path.parent.name for path in Path(REPO).glob("*/__init__.py")}
    assert ours >= {"common", "web", "worker", "needle", "machine", "demo", "lab"}
    for package, may in allowed.items():
        sources = list(Path(REPO, package).rglob("*.py"))
        assert sources, package
        for path in sources:
            assert _imported(path) & ours <= may, path


def _imported(path: Path) -> set[str]:
    import ast

    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names
