"""What the documents show works: README.md, docs/API.md and docs/needle.ipynb run as they stand.

Blocks marked `console` are not run: they install, start or serve.
"""

from __future__ import annotations

import ast
import asyncio
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from demo.samples import generate
from machine.setup.command import write_command
from machine.stack import Stack
from tests.conftest import REPO
from tests.end_to_end.conftest import scene, write_scenes

ADDRESS = "http://127.0.0.1:8080"
TIMEOUT_S = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the documents name."""
    made = tmp_path_factory.mktemp("documents")
    shelf, street, beach = write_scenes(made, range(3))
    shelf.rename(made / "shelf.jpg")
    street.rename(made / "street.jpg")
    with zipfile.ZipFile(made / "holiday.zip", "w") as archive:
        archive.write(beach, "beach.jpg")
    beach.unlink()
    scene(0).crop((160, 120, 320, 240)).save(made / "small.jpg")
    return made


@pytest.fixture(autouse=True)
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in that folder; what is imported and set there is forgotten afterwards."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(REPO), *sys.path])
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    yield


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with images as `make demo` draws them: smaller ones, and three."""
    made = tmp_path_factory.mktemp("samples")
    generate(made, scenes=3, size=(1200, 800))
    return made


@pytest.fixture
def checkout(
    tmp_path_factory: pytest.TempPathFactory,
    samples: Path,
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Return a folder like a checkout in which `make demo` has drawn its images, and go there.

    The command finds the service as if it were at the usual address.
    """
    made = tmp_path_factory.mktemp("checkout")
    shutil.copytree(samples, made / "data" / "samples")
    (made / ".venv" / "bin").mkdir(parents=True)
    (made / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (made / ".venv" / "bin" / "python").chmod(0o755)
    (made / "needle").symlink_to(REPO / "needle")
    write_command(made / ".venv")
    monkeypatch.chdir(made)
    monkeypatch.setenv("NEEDLE_URL", stack.base_url)
    monkeypatch.setenv("HOME", str(made / "home"))
    _write_phone(made / "home" / "Pictures")
    return made


def _write_phone(pictures: Path) -> None:
    """Write what the README takes for the reader's own: photos of a phone, a picture of a thing."""
    (pictures / "phone" / "2024").mkdir(parents=True)
    for path in write_scenes(pictures / "phone", range(20, 22)):
        turned = Image.open(path).rotate(90, expand=True)
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        turned.save(pictures / "phone" / "2024" / path.name, quality=92, exif=exif)
        path.unlink()
    (pictures / "phone" / "IMG_0003.MOV").write_bytes(b"a video")
    scene(21).crop((320, 240, 640, 480)).save(pictures / "mug.jpg")


def blocks(language: str, base_url: str, document: str = "docs/API.md") -> str:
    """Return all that a document shows in a language, as one program for that service."""
    text = (REPO / document).read_text().replace(ADDRESS, base_url)
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def needs(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


def execute(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_examples_for_the_shell(stack: Stack, folder: Path) -> None:
    needs("bash", "curl", "jq")
    own = f'needle() {{ "{sys.executable}" -m needle "$@"; }}\nexport PYTHONPATH="{REPO}"\n'
    said = execute("bash", "-euo", "pipefail", "-c", own + blocks("sh", stack.base_url))
    assert said.count("indexed") >= 4 and "shelf.jpg" in said
    assert (folder / "found.png").stat().st_size > 10_000
    assert (folder / "image.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert (folder / "query.jpg").read_bytes() == (folder / "small.jpg").read_bytes()
    with (folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {row["query"]: (row["found"], row["filename"]) for row in rows}
    assert found == {"logos/small.jpg": ("yes", "shelf.jpg"), "logos/street.jpg": ("no", "")}
    assert (folder / "found" / "query.png").exists() and list((folder / "found").glob("01-*.jpg"))


def test_the_examples_in_python(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    space: dict[str, Any] = {"__name__": "document"}
    exec(compile(blocks("python", stack.base_url), "docs/API.md", "exec"), space)
    space["needle"].close()
    said = capsys.readouterr().out
    assert "shelf.jpg" in said and "404 not_found" in said


def test_the_examples_in_javascript(stack: Stack, folder: Path) -> None:
    needs("node")
    program = folder / "example.mjs"
    program.write_text(blocks("js", stack.base_url))
    said = execute("node", str(program))
    assert "shelf.jpg indexed" in said or "shelf.jpg unchanged" in said
    assert "/crop?box=" in said and "small.jpg image/jpeg" in said


def test_the_notebook(stack: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = folder / "images"
    images.mkdir()
    write_scenes(images, range(10, 13))
    monkeypatch.setenv("NEEDLE_URL", stack.base_url)
    monkeypatch.setenv("PHOTOS", str(images))
    notebook = json.loads((REPO / "docs" / "needle.ipynb").read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    space: dict[str, Any] = {"__name__": "notebook"}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            run_cell("".join(cell["source"]), space)
    assert space["best"].filename == "scene010.jpg"
    assert space["iou"](space["best"].hits[0].box, space["box"]) > 0.5
    assert [each.best.filename for each in space["found"]] == [
        path.name for path in sorted(images.iterdir())
    ]
    space["needle"].close()


def run_cell(source: str, space: dict[str, Any]) -> None:
    """Run a cell as Jupyter does: `await` may stand outside of a function."""
    code = compile(source, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = types.FunctionType(code, space)()
    if asyncio.iscoroutine(made):
        asyncio.run(made)


def test_the_lines_of_the_readme_for_the_shell(stack: Stack, checkout: Path) -> None:
    needs("bash", "curl", "python3")
    program = blocks("sh", stack.base_url, "README.md")
    assert ".venv/bin/needle search" in program and "curl" in program and "jq" not in program
    said = execute("bash", "-euo", "pipefail", "-c", program)
    assert "2 indexed, 0 unchanged, 0 failed; left out: 1 .mov" in said
    assert sorted(os.listdir(checkout / "home/Pictures/found")) == ["01-scene021.jpg", "query.png"]
    assert "3 indexed" in said and '"found": true' in said
    assert '"kind":"index","status":"succeeded"' in said
    assert said.count("01-grocery.jpg") >= 2
    assert (checkout / "data" / "found.png").stat().st_size > 10_000


def test_the_lines_of_the_readme_in_python(
    stack: Stack, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space: dict[str, Any] = {"__name__": "document"}
    program = blocks("python", stack.base_url, "README.md")
    exec(compile(program, "README.md", "exec"), space)
    space["needle"].close()
    assert capsys.readouterr().out.startswith("02-meadow.jpg 0.9")


def test_what_is_shown_ends_and_starts_nothing_else() -> None:
    """The shell examples hold no command that would not end: they are run by a test."""
    assert "--watch" not in blocks("sh", "") and "needle up" not in blocks("sh", "")
    assert os.environ["XDG_STATE_HOME"]
