"""The demo's decisions, with a stand-in for the service: what it asks, shows and answers."""

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
from PIL import Image
from rich.console import Console

from client import Hit, Match, SearchResult
from client.bulk import Failure, Outcome
from demo import __main__ as command
from demo import pictures, run
from demo.errors import DemoError
from demo.findings import Finding, findings_table
from demo.plan import Plan, read_plan
from samples import Query, SampleSet
from stack.services import ROOT

GREY = (120, 120, 120)


def picture(path: Path, width: int = 60, height: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), GREY).save(path)
    return path


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
    folder = str(tmp_path / "photos")
    for env, sentence in (
        ({"PHOTOS": folder}, "PHOTOS and QUERY go together"),
        ({"QUERY": photo}, "PHOTOS and QUERY go together"),
        ({"PHOTOS": "/nowhere", "QUERY": photo}, "There is no folder /nowhere"),
        ({"PHOTOS": str(empty), "QUERY": photo}, "There are no pictures in"),
        ({"PHOTOS": folder, "QUERY": "/nowhere"}, "There is no file /nowhere"),
        ({"PHOTOS": folder, "QUERY": str(torn)}, "is not a picture that can be read"),
        ({"KEEP": "maybe"}, "KEEP=maybe is neither"),
    ):
        with pytest.raises(DemoError, match=sentence):
            read_plan(env)


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
        "best guess only",
        "nothing found",
    ]
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

    def file(self, image_id: str, collection: str | None = None) -> bytes:
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
    assert "1 of 1 queries found their photo first" in said and "best guess only" in said
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
def test_with_keep_it_stays_up_until_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeNeedle.found = {"one.jpg": (match("a.jpg"),)}
    monkeypatch.setenv("KEEP", "1")
    monkeypatch.setattr("signal.pause", lambda: signal.raise_signal(signal.SIGINT))
    demo = run.Demo(read_plan(os.environ), os.environ, Console(quiet=True))
    assert demo.run() and FakeStack.used[-1] == "stop"


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


# ---- the sample photos


def generator(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few lines stand in for `python -m samples`."""
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
        "import os, sys, time; print('drew 1 of', os.getpid(), file=sys.stderr, flush=True);"
        "time.sleep(60)",
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
