"""Before the demo runs: what is asked of it, and the drawing of the sample photos."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from demo import pictures
from demo.errors import DemoError
from demo.plan import Plan, read_plan
from demo.samples import SampleSet
from machine.stack.services import ROOT
from tests.unit.demo.helpers import picture

# ---- what is asked


def test_without_variables_the_samples_are_searched_and_the_service_stays_up() -> None:
    assert read_plan({}) == Plan(ROOT / "data" / "demo", keep=True, own=None)


@pytest.mark.parametrize(("given", "keep"), [("0", False), ("no", False), ("1", True), ("", True)])
def test_keep_says_whether_the_service_stays_up(given: str, keep: bool) -> None:
    assert read_plan({"KEEP": given}).keep is keep


def test_own_pictures_get_an_index_of_their_own(tmp_path: Path) -> None:
    photo = picture(tmp_path / "my photos" / "deep" / "a.JPG")
    query = picture(tmp_path / "query.png")
    env = {"PHOTOS": str(tmp_path / "my photos"), "QUERY": str(query)}
    plan = read_plan(env)
    assert plan.own and plan.own.photos == (photo,) and plan.own.query == query
    assert plan.data_dir.parent == ROOT / "data"
    assert plan.data_dir.name.startswith("demo-my-photos-")
    assert read_plan(env).data_dir == plan.data_dir
    other = {**env, "PHOTOS": str(tmp_path / "my photos" / "deep")}
    assert read_plan(other).data_dir != plan.data_dir


def test_other_models_get_an_index_of_their_own(tmp_path: Path) -> None:
    plain = read_plan({"NEEDLE_DATA_DIR": str(tmp_path / "x")})
    other = read_plan({"NEEDLE_DATA_DIR": str(tmp_path / "x"), "NEEDLE_MODELS": "standard"})
    assert plain.data_dir == tmp_path / "x"
    assert other.data_dir.name.startswith("x-standard-")


def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path: Path) -> None:
    photo = str(picture(tmp_path / "photos" / "a.jpg"))
    torn, empty = tmp_path / "torn.jpg", tmp_path / "empty"
    torn.write_bytes(Path(photo).read_bytes()[:200])
    empty.mkdir()
    folder, nowhere = str(tmp_path / "photos"), str(tmp_path / "nowhere")
    for env, sentence in (
        ({"PHOTOS": folder}, "PHOTOS and QUERY go together"),
        ({"QUERY": photo}, "PHOTOS and QUERY go together"),
        ({"PHOTOS": nowhere, "QUERY": photo}, "There is no folder .*nowhere"),
        ({"PHOTOS": str(empty), "QUERY": photo}, "There are no pictures in"),
        ({"PHOTOS": folder, "QUERY": nowhere}, "There is no file .*nowhere"),
        ({"PHOTOS": folder, "QUERY": str(torn)}, "is not a picture that can be read"),
        ({"KEEP": "maybe"}, "KEEP=maybe is neither"),
    ):
        with pytest.raises(DemoError, match=sentence):
            read_plan(env)


# ---- the sample photos


def generator(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few lines stand in for `python -m demo.samples`."""
    popen = subprocess.Popen

    def start(argv: list[str], **options: Any) -> subprocess.Popen[str]:
        return popen([sys.executable, "-c", source], **options)

    monkeypatch.setattr(pictures.subprocess, "Popen", start)
    monkeypatch.setattr(pictures, "load", lambda folder: SampleSet((), ()))


def test_drawing_the_samples_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator("import sys; print('drew 3 of 12 photos', file=sys.stderr)", monkeypatch)
    told: list[tuple[int, int]] = []
    pictures.sample_pictures(tmp_path, lambda done, total: told.append((done, total)))
    assert told == [(3, 12)]


def test_samples_that_cannot_be_drawn_are_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator("raise OSError('the disk is full')", monkeypatch)
    with pytest.raises(DemoError, match="could not be drawn: OSError: the disk is full"):
        pictures.sample_pictures(tmp_path, lambda done, total: None)


def test_the_drawing_processes_end_with_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator(
        "import os, signal, sys; print('drew 1 of', os.getpid(), file=sys.stderr, flush=True);"
        "signal.alarm(60); signal.pause()",
        monkeypatch,
    )
    pids: list[int] = []

    def interrupt(done: int, pid: int) -> None:
        pids.append(pid)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pictures.sample_pictures(tmp_path, interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
