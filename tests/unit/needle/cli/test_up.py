"""`needle up` runs the service, and a restore says what it restored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from needle.cli import ExitCode
from tests.unit.needle.cli.conftest import Run


def test_up_runs_the_service_on_the_folder_of_the_checkout(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import machine.__main__ as machine

    asked: list[Sequence[str]] = []

    def started(words: Sequence[str]) -> int:
        asked.append(words)
        return len(asked) - 1

    monkeypatch.setattr(machine, "main", started)
    monkeypatch.delenv("NEEDLE_DATA_DIR", raising=False)
    assert run("up").status == ExitCode.OK
    assert run("up", "--port", "8123", "--data", "here").status == ExitCode.FAILED
    root = Path(machine.__file__).resolve().parents[1]
    assert asked == [
        ["up", "--data", str(root / "data")],
        ["up", "--data", "here", "--port", "8123"],
    ]


@pytest.mark.parametrize(("collections", "words"), [(1, "1 collection"), (2, "2 collections")])
def test_a_restore_says_what_it_restored(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    collections: int,
    words: str,
) -> None:
    import machine.__main__ as machine

    head = SimpleNamespace(images=14, collections=collections, image_store=None, has_vectors=True)
    monkeypatch.setattr(machine, "restore", lambda *_: head)
    (tmp_path / "needle.tar").write_bytes(b"")
    machine.main(["restore", str(tmp_path / "needle.tar"), "--data", str(tmp_path / "new")])
    assert f"14, in {words}." in capsys.readouterr().out
