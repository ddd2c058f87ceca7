"""What runs a command of `needle` against a service in memory."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from needle import cli
from needle.api import Needle
from needle.cli import ExitCode, base
from tests.unit.needle.cli.many import NAMES
from tests.unit.needle.fake_needle import HIT, FakeService


def image(number: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300), (number, 120, 120)).save(buffer, "PNG")
    return buffer.getvalue()


class Ran:
    """How a command ended."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def run(
    service: FakeService,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Return what runs a command against the service in memory, in a folder with two images.

    With `terminal`, people read what it prints and answer what it asks.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("NEEDLE_URL", "NEEDLE_PORT", "NEEDLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "images").mkdir()
    for number in range(2):
        (tmp_path / "images" / f"{number}.jpg").write_bytes(image(number))
    monkeypatch.chdir(tmp_path)

    def connect(url: str, *args: float, **options: Any) -> Needle:
        options |= {"transport": httpx.MockTransport(service), "sleep": lambda seconds: None}
        return Needle(url, *args, **options)

    monkeypatch.setattr(base, "Needle", connect)

    def ran(*words: str, stdin: bytes = b"", terminal: bool = False) -> Ran:
        monkeypatch.setattr(base, "terminal", lambda stream: terminal)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = cli.main(list(words))
        said = capsys.readouterr()
        return Ran(status, said.out, said.err)

    return ran


@pytest.fixture
def indexed(run: Run, service: FakeService) -> list[str]:
    """Return the ids of two images that are indexed."""
    assert run("index", "images").status == ExitCode.OK
    return list(service.images)


@pytest.fixture
def queries(indexed: list[str], service: FakeService) -> dict[str, bytes]:
    """Make a folder of queries; all are found in one of the two images, and nowhere else."""
    Path("logos").mkdir()
    made = {name: image(100 + number) for number, name in enumerate(NAMES)}
    for name, content in made.items():
        Path("logos", name).write_bytes(content)
    found = service.images[indexed[0]]
    sure = {**found, "score": 0.9, "probability": 0.97, "verified": True, "count": 2}
    doubt = {**service.images[indexed[1]], "score": 0.4, "probability": 0.02, "hits": [HIT]}
    local = {**HIT, "source": "local", "verified": True}
    hits = [local, {**HIT, "box": [0, 0, 400, 300]}, {**local, "box": [50, 50, 90, 90]}]
    service.result = {"found": True, "matches": [{**sure, "hits": hits}, doubt]}
    service.requests.clear()
    service.uploads.clear()
    return made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no request repeated."""
    monkeypatch.setattr(base.Shell.connect, "__kwdefaults__", {"patience_s": 0.0})
