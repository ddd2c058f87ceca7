"""A run of the demo with a stand-in for the service: what it finds, shows and answers."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from demo import __main__ as command
from demo import run
from demo.errors import DemoError
from demo.findings import Finding, findings_table
from demo.plan import read_plan
from demo.samples import Query, SampleSet
from machine.stack.services import ROOT
from needle import Hit, Match, SearchResult
from needle.bulk import Failure, Outcome
from tests.unit.demo.helpers import picture

# ---- what was found


def match(filename: str, box: tuple[int, int, int, int] = (0, 0, 10, 10)) -> Match:
    return Match(
        image_id=filename,
        score=0.9,
        distance=0.1,
        filename=filename,
        width=60,
        height=40,
        hits=(Hit(box=box, score=0.9),),
    )


def finding(photo: str | None, *matches: Match) -> Finding:
    query = Query("q", Path("q.jpg"), photo, (0, 0, 10, 20) if photo else None, "exact crop")
    return Finding(query, SearchResult("j", matches))


def test_a_finding_is_held_against_the_truth() -> None:
    right = finding("a.jpg", match("a.jpg"), match("b.jpg"))
    wrong = finding("a.jpg", match("b.jpg"), match("a.jpg"))
    absent = finding(None, match("b.jpg"))
    nothing = finding("a.jpg")
    assert [f.right for f in (right, wrong, absent, nothing)] == [True, False, None, False]
    assert [f.iou for f in (right, wrong, absent, nothing)] == [0.5, None, None, None]
    assert [f.verdict for f in (right, wrong, absent, nothing)] == [
        "found",
        "wrong photo",
        "wrongly said to be found",
        "nothing found",
    ]
    told = Finding(absent.query, SearchResult("j", absent.result.matches, found=False))
    assert told.verdict == "rightly not found"
    assert findings_table([right, wrong, absent, nothing]).row_count == 4


def test_the_notice_names_the_pack_and_says_what_mini_is() -> None:
    assert "standard" in run.models_notice({"name": "standard"})
    assert "NEEDLE_MODELS=standard" in run.models_notice({"name": "mini"})
    assert "unknown" in run.models_notice({})


# ---- a run


class FakeStack:
    """Is ready at once, and notes how it was used."""

    base_url = "http://needle"
    used: list[str]

    def __init__(self, env: Mapping[str, str], *, data_dir: Path, on_event: Any) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        type(self).used = []

    def start(self) -> None:
        self.used.append("start")

    def wait_ready(self, timeout_s: float) -> Mapping[str, Any]:
        self.used.append("ready")
        return {"models": {"name": "mini"}}

    def supervise(self) -> None:
        self.used.append("supervise")

    def stop(self) -> None:
        self.used.append("stop")


class FakeNeedle:
    """Finds for each query what `found` says."""

    found: Mapping[str, tuple[Match, ...]] = {}
    photo = b""
    deleted: list[str]

    def __init__(self, base_url: str, *, patience_s: float) -> None:
        type(self).deleted = []

    def __enter__(self) -> FakeNeedle:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def search(self, query: Path, limit: int = 10) -> SearchResult:
        return SearchResult("j", self.found.get(query.name, ()), {"total": 12.0}, {"images": 2})

    def images(self) -> Iterable[Match]:
        return [match("a.jpg"), match("gone.jpg")]

    def delete(self, image_id: str) -> None:
        self.deleted.append(image_id)

    def file(
        self, image_id: str, collection: str | None = None, *, drawable: bool = False
    ) -> bytes:
        return self.photo


class Scene:
    """A demo whose service is a stand-in."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.needle = FakeNeedle
        self.outcome = Outcome(1, 1, (), frozenset({"a.jpg"}))
        FakeNeedle.photo = picture(folder / "a.jpg").read_bytes()
        query, absent = picture(folder / "one.jpg"), picture(folder / "none.jpg")
        samples = SampleSet(
            (folder / "a.jpg",),
            (
                Query("one", query, "a.jpg", (0, 0, 10, 10), "exact crop"),
                Query("absent", absent, None, None, "not in any photo"),
            ),
        )
        monkeypatch.setattr(run, "Stack", FakeStack)
        monkeypatch.setattr(run, "Needle", FakeNeedle)
        monkeypatch.setattr(run, "index_all", lambda *_, **__: self.outcome)
        monkeypatch.setattr(run, "sample_pictures", lambda *_: samples)
        for name in ("PHOTOS", "QUERY", "NEEDLE_MODELS", "NEEDLE_DETECTOR", "NEEDLE_ENCODER"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NEEDLE_DATA_DIR", str(folder / "demo"))
        monkeypatch.setenv("KEEP", "0")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


def test_it_ends_with_0_when_every_photo_was_found_first(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    FakeNeedle.found = {"one.jpg": (match("a.jpg"),), "none.jpg": (match("a.jpg"),)}
    assert command.main() == 0
    said = capsys.readouterr().out
    assert "1 of 1 queries found their photo first" in said and "wrongly said to be found" in said
    assert "result.png" in said.replace("\n", "") and (scene.folder / "demo/result.png").exists()
    assert list(dict.fromkeys(FakeStack.used)) == ["start", "ready", "supervise", "stop"]
    assert FakeNeedle.deleted == ["gone.jpg"], "only what is in the folder is found"


@pytest.mark.usefixtures("scene")
def test_it_ends_with_1_when_another_photo_came_first(capsys: pytest.CaptureFixture[str]) -> None:
    FakeNeedle.found = {"one.jpg": (match("b.jpg"),)}
    assert command.main() == 1
    assert "0 of 1 queries" in capsys.readouterr().out


def test_photos_that_failed_are_named_and_nothing_is_deleted(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    FakeNeedle.found = {"one.jpg": (match("a.jpg"),)}
    scene.outcome = Outcome(0, 0, tuple(Failure(f"{n}.jpg", "torn") for n in range(9)))
    assert command.main() == 0
    said = capsys.readouterr().out
    assert "0.jpg failed: torn" in said and "and 4 more failed" in said
    assert FakeNeedle.deleted == []


@pytest.mark.parametrize(("matches", "status"), [((match("a.jpg"),), 0), ((), 1)])
def test_own_pictures_end_with_whether_anything_was_found(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    matches: tuple[Match, ...],
    status: int,
) -> None:
    monkeypatch.setenv("PHOTOS", str(scene.folder))
    monkeypatch.setenv("QUERY", str(scene.folder / "one.jpg"))
    FakeNeedle.found = {"one.jpg": matches}
    assert command.main() == status
    assert ("a.jpg" if matches else "Nothing was found") in capsys.readouterr().out


@pytest.mark.usefixtures("scene")
def test_ctrl_c_ends_everything_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(run, "sample_pictures", interrupted)
    assert command.main() == 130
    assert list(dict.fromkeys(FakeStack.used)) == ["start", "stop"]
    assert "every process is ended" in capsys.readouterr().out


@pytest.mark.usefixtures("scene")
def test_with_keep_it_stays_up_until_ctrl_c_and_gives_a_search_to_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    FakeNeedle.found = {"one.jpg": (match("a.jpg"),)}
    monkeypatch.setenv("KEEP", "1")
    monkeypatch.setattr("signal.pause", lambda: signal.raise_signal(signal.SIGINT))
    console = Console(file=io.StringIO())
    demo = run.Demo(read_plan(os.environ), os.environ, console)
    assert demo.run() and FakeStack.used[-1] == "stop"
    assert "http://needle/?job=j\n" in console.file.getvalue()


class DeadTerminal(io.StringIO):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise OSError("Input/output error")


@pytest.mark.usefixtures("scene")
def test_every_process_ends_although_the_terminal_is_gone() -> None:
    console = Console(file=DeadTerminal(), force_terminal=True)
    with pytest.raises(OSError, match="Input/output"):
        run.Demo(read_plan(os.environ), os.environ, console).run()
    assert FakeStack.used[-1] == "stop"


@pytest.mark.usefixtures("scene")
def test_an_error_is_a_sentence_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise DemoError("It went wrong.")

    monkeypatch.setattr(run, "sample_pictures", fails)
    assert command.main() == 1
    assert capsys.readouterr().err == "needle: It went wrong.\n"
    assert FakeStack.used[-1] == "stop"


def test_a_bad_setting_is_a_sentence_in_a_real_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        env={**os.environ, "NEEDLE_PORT": "0", "NEEDLE_DATA_DIR": str(tmp_path / "d")},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "NEEDLE_PORT='0'" in done.stderr and "Traceback" not in done.stderr
