"""The command line `needle`: what each command prints, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import httpx
import pytest
from PIL import Image

from client import cli, watch
from client.api import Needle
from client.cli import ExitCode, base, values
from client.draw import open_upright
from client.sheet import WIDTH
from tests.unit.fake_needle import HIT, FakeService, error


def picture(number: int = 0) -> bytes:
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
    """Return what runs a command against the service in memory, in a folder with two photos."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("NEEDLE_URL", "NEEDLE_PORT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "photos").mkdir()
    for number in range(2):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(picture(number))
    monkeypatch.chdir(tmp_path)

    def connect(url: str, *args: float, **options: Any) -> Needle:
        options |= {"transport": httpx.MockTransport(service), "sleep": lambda seconds: None}
        return Needle(url, *args, **options)

    monkeypatch.setattr(base, "Needle", connect)

    def ran(*words: str, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = cli.main(list(words))
        said = capsys.readouterr()
        return Ran(status, said.out, said.err)

    return ran


@pytest.fixture
def indexed(run: Run, service: FakeService) -> list[str]:
    """Return the ids of two photos that are indexed."""
    assert run("index", "photos").status == ExitCode.OK
    return list(service.images)


# ---- index


def test_a_folder_is_indexed_once(run: Run, service: FakeService) -> None:
    first, second = run("index", "photos"), run("index", "photos")
    assert (first.status, second.status) == (0, 0)
    assert "2 indexed, 0 unchanged, 0 failed" in first.out
    assert "0 indexed, 0 unchanged, 0 failed; 2 already indexed, skipped" in second.out
    assert len(service.uploads) == 1
    assert "2 unchanged" in run("index", "photos", "--no-resume").out


def test_photos_that_fail_are_named_and_the_status_says_so(run: Run) -> None:
    Path("photos", "x.jpg").write_bytes(b"bad")
    ended = run("index", "photos")
    assert ended.status == ExitCode.FAILED and "2 indexed, 0 unchanged, 1 failed" in ended.out
    assert "failed x.jpg: It is no picture." in ended.err
    counted = run("index", "photos", "--json").json
    assert (counted["skipped"], counted["failed"], counted["indexed"]) == (2, 1, 0)
    assert counted["failures"] == [{"name": "x.jpg", "reason": "It is no picture."}]


def test_options_reach_the_service(run: Run, service: FakeService) -> None:
    words = (
        "-c",
        "shop",
        "-m",
        "shop=Basel",
        "-m",
        "year=2024",
        "-m",
        'code="7"',
        "--profile",
        "fast",
    )
    assert run("index", "photos", *words).status == 0
    posted = next(r for r in service.requests if r.method == "POST")
    assert b'{"shop": "Basel", "year": 2024, "code": "7"}' in posted.content
    assert b"\r\nshop\r\n" in posted.content and b"\r\nfast\r\n" in posted.content


def test_a_list_of_urls_and_paths_comes_from_stdin(run: Run, service: FakeService) -> None:
    assert run("index", "-", stdin=b"photos/0.jpg\nhttp://x/a.jpg\n").status == 0
    assert sorted(service.uploads) == [["0.jpg"], ["http://x/a.jpg"]]


def test_a_watched_folder_is_indexed_again_and_again_until_ctrl_c(
    run: Run, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changes(look: Callable[[], Any], seen: Any) -> Any:
        assert list(seen) == [Path("photos/0.jpg"), Path("photos/1.jpg")]
        assert list(look()) == list(seen)
        Path("photos", "2.jpg").write_bytes(picture(2))
        yield [Path("photos/2.jpg")]
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "changes", changes)
    ended = run("index", "photos", "--watch")
    assert ended.status == ExitCode.INTERRUPTED
    assert service.uploads == [["0.jpg", "1.jpg"], ["2.jpg"]]
    assert "Watching" in ended.err and "the same command goes on" in ended.err


def test_without_a_place_for_its_journal_it_works_all_the_same(run: Run) -> None:
    Path("state").write_text("a file where the folder should be")
    ended = run("index", "photos")
    assert ended.status == 0 and "2 indexed" in ended.out and ended.err


def test_a_failure_list_is_cut(run: Run) -> None:
    for number in range(13):
        Path("photos", f"x{number}.jpg").write_bytes(b"bad %d" % number)
    assert "and 3 more failed" in run("index", "photos").err


# ---- search


@pytest.mark.usefixtures("indexed")
def test_a_search_prints_a_table_and_draws(run: Run) -> None:
    ended = run("search", "photos/0.jpg", "--out", "result.png")
    assert ended.status == ExitCode.OK and "Drawn in result.png" in ended.err
    assert "0.910" in ended.out and "10 10 40 30" in ended.out and "1.jpg" in ended.out
    assert open_upright("result.png").width == WIDTH


def test_a_search_says_it_in_json(run: Run, indexed: list[str]) -> None:
    found = run("search", "photos/0.jpg", "--json").json
    assert [match["image_id"] for match in found["matches"]] == indexed
    assert found["job_id"] and found["timings_ms"] == {"total": 5.0}


def test_a_search_that_finds_nothing_ends_with_1(run: Run, service: FakeService) -> None:
    service.result = {"matches": []}
    ended = run("search", "photos/0.jpg")
    assert ended.status == ExitCode.NOTHING and "Nothing was found" in ended.err
    assert ended.out == ""


def test_only_what_was_verified_is_wanted(run: Run, service: FakeService) -> None:
    first = {"image_id": "a", "score": 0.9, "hits": [HIT]}
    service.result = {"matches": [first, first | {"image_id": "b", "verified": True}]}
    ended = run("search", "--text", "x", "--verified", "--json")
    assert [match["image_id"] for match in ended.json["matches"]] == ["b"]
    assert run("search", "--text", "x").out.count("yes") == 1
    service.result = {"matches": [first]}
    assert run("search", "--text", "x", "--verified").status == ExitCode.NOTHING
    assert run("search", "--text", "x", "--no-verify").status == ExitCode.OK
    posted = json.loads(service.requests[-1].content)
    assert posted["verify"] is False


def test_anything_can_be_searched_for(run: Run, service: FakeService, indexed: list[str]) -> None:
    image_id = indexed[0]
    for words, wanted in [
        (("--text", "a red kettle"), {"text": "a red kettle"}),
        (("http://x/a.png",), {"url": "http://x/a.png"}),
        ((image_id, "--box", "0,0,9,9"), {"image_id": image_id, "box": [0, 0, 9, 9]}),
    ]:
        assert run("search", *words, "-o", "drawn.png").status == 0
        posted = [r for r in service.requests if r.method == "POST"][-1]
        assert json.loads(posted.content).items() >= wanted.items()
        assert open_upright("drawn.png").width == WIDTH
    assert run("search", "-", "-o", "drawn.png", stdin=picture()).status == 0
    posted = [r for r in service.requests if r.method == "POST"][-1]
    assert picture() in posted.content


def test_search_options_reach_the_service(run: Run, service: FakeService) -> None:
    words = ["-n", "3", "--hits", "2", "--min-score", "0.5", "--aggregate", "mean", "--zoom", "0"]
    words += ["-f", "shop=Basel", "-f", "tag=red,blue", "-f", "year>=2020", "-f", "year<2025"]
    run("search", "--text", "x", *words, "-f", '{"size": {"gt": 1}}')
    body = json.loads([r for r in service.requests if r.method == "POST"][-1].content)
    assert body == {
        "text": "x",
        "limit": 3,
        "hits_per_image": 2,
        "min_score": 0.5,
        "aggregate": "mean",
        "zoom": 0,
        "filter": {
            "shop": "Basel",
            "tag": ["red", "blue"],
            "year": {"gte": 2020, "lt": 2025},
            "size": {"gt": 1},
        },
        "wait": 10.0,
    }


@pytest.mark.usefixtures("indexed")
def test_the_drawing_is_opened(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(click, "launch", shown.append)
    assert run("search", "photos/0.jpg", "--open").status == 0
    assert open_upright(shown[0]).width == WIDTH


# ---- what is indexed


def test_photos_are_listed_shown_saved_and_deleted(
    run: Run, service: FakeService, indexed: list[str]
) -> None:
    listed = run("images", "-n", "1")
    assert indexed[1] in listed.out and indexed[0] not in listed.out
    assert "1 of 2 photos" in listed.err and "shop Basel" in listed.out
    assert [row["image_id"] for row in run("images", "--json").json["images"]] == indexed[::-1]
    assert "400 x 300 px" in run("show", indexed[0], "--save", "saved.jpg").out
    assert Path("saved.jpg").read_bytes() == picture()
    assert run("show", indexed[0], "--json").json["regions"] == 5
    assert "1 deleted" in run("delete", indexed[0]).out
    assert list(service.images) == [indexed[1]]
    assert run("show", indexed[0]).status == ExitCode.FAILED


@pytest.mark.usefixtures("indexed")
def test_everything_is_deleted_only_after_a_yes(run: Run, service: FakeService) -> None:
    kept = run("delete", "--all", stdin=b"n\n")
    assert kept.status == 0 and "Nothing is deleted" in kept.err and len(service.images) == 2
    assert "2 deleted" in run("delete", "--all", "--yes").out and not service.images
    assert run("delete").status == ExitCode.USAGE


def test_collections_are_listed(run: Run) -> None:
    assert "default" in run("collections").out
    assert run("collections", "--json").json[0]["encoder"] == "e"


# ---- jobs, export, status


@pytest.mark.usefixtures("indexed")
def test_the_last_jobs_are_those_of_this_machine_where_none_are_listed(
    run: Run, service: FakeService
) -> None:
    assert "index-0" in run("jobs").out
    service.lists_jobs = True
    service._new_job("index", [])
    assert [job["job_id"] for job in run("jobs", "--json").json] == ["index-1", "index-0"]


def test_a_job_is_shown_awaited_and_cancelled(run: Run, service: FakeService) -> None:
    Path("photos", "x.jpg").write_bytes(b"bad")
    run("index", "photos")
    shown = run("jobs", "index-0", "--items", "--wait")
    assert shown.status == 0 and "partial" in shown.out and "It is no picture." in shown.out
    rows = run("jobs", "index-0", "--items", "--json").json[0]["items"]
    assert [row["name"] for row in rows] == ["x.jpg", "0.jpg", "1.jpg"], "failures first"
    assert run("jobs", "index-0", "--cancel").status == 0
    assert run("jobs", "index-0").status == ExitCode.FAILED, "it was cancelled"
    assert run("jobs", "nope").status == ExitCode.FAILED
    assert run("jobs", "--cancel").status == ExitCode.USAGE


def test_photos_matches_and_outcomes_are_exported(run: Run, indexed: list[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(run("export").out)))
    assert [row["image_id"] for row in rows] == indexed[::-1]
    assert rows[0]["metadata.shop"] == "Basel"
    job_id = run("search", "photos/0.jpg", "--json").json["job_id"]
    said = run("export", job_id, "-o", "matches.jsonl")
    lines = [json.loads(line) for line in Path("matches.jsonl").read_text().splitlines()]
    assert [(line["rank"], line["hit"], line["x2"]) for line in lines][:2] == [
        (1, 1, 40),
        (1, 2, 40),
    ]
    assert "4 rows in matches.jsonl" in said.err
    outcomes = run("export", "index-0", "--format", "jsonl").out.splitlines()
    assert json.loads(outcomes[0])["status"] == "indexed"


def test_the_status_and_the_models_are_shown(run: Run, service: FakeService) -> None:
    assert run("status").status == ExitCode.OK
    assert "mini" in run("status").out and run("models", "--json").json["name"] == "mini"
    service.ready = {"status": "starting", "redis": False, "models": None}
    waiting = run("status", "--json")
    assert waiting.status == ExitCode.FAILED and waiting.json["status"] == "starting"
    assert run("models").status == ExitCode.FAILED


# ---- how it ends


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["index", "nowhere.jpg"], 2, "There is no file or folder nowhere.jpg"),
        (["index", "empty"], 2, "There are no pictures"),
        (["index", "photos", "-m", "shop"], 2, "is not KEY=VALUE"),
        (["index"], 2, "Missing argument"),
        (["search", "nowhere.jpg"], 2, "There is no file nowhere.jpg"),
        (["search"], 2, "an IMAGE or --text"),
        (["search", "photos/0.jpg", "--text", "x"], 2, "an IMAGE or --text"),
        (["search", "--text", "x", "--box", "0,0,1,1"], 2, "not to a text"),
        (["search", "x", "--box", "5,5,1,1"], 2, "is no box"),
        (["search", "x", "--box", "5,5"], 2, "four whole numbers"),
        (["search", "x", "--filter", "year"], 2, "is not KEY=VALUE"),
        (["search", "photos/0.jpg", "-o", "x.unknown"], 2, "no picture's name"),
        (["search", "photos/0.jpg", "-o", "nowhere/x.png"], 2, "There is no folder nowhere"),
        (["--url", "http://a:b", "status"], 2, "is no address"),
        (["fly"], 2, "No such command"),
    ],
)
@pytest.mark.usefixtures("indexed")
def test_a_mistake_of_ones_own_ends_with_2(
    run: Run, words: Sequence[str], status: int, sentence: str
) -> None:
    Path("empty").mkdir()
    ended = run(*words)
    assert ended.status == status and sentence in ended.err and "Traceback" not in ended.err


def test_a_refusal_ends_with_3(run: Run, service: FakeService) -> None:
    service.before = lambda request: error(409, "encoder_mismatch")
    ended = run("search", "photos/0.jpg")
    assert ended.status == ExitCode.FAILED and "It is encoder_mismatch." in ended.err


def test_silence_ends_with_4(run: Run, service: FakeService) -> None:
    def silence(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    service.before = silence
    for words in (["status"], ["index", "photos"], ["search", "--text", "x"], ["jobs", "j"]):
        ended = run(*words)
        assert ended.status == ExitCode.UNREACHABLE and "No Needle answers at" in ended.err


def test_ctrl_c_ends_with_130(run: Run, service: FakeService) -> None:
    def pressed(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    service.before = pressed
    ended = run("status")
    assert ended.status == ExitCode.INTERRUPTED and "interrupted" in ended.err


def test_the_console_script_ends_with_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    for status in (3, 130):
        monkeypatch.setattr(cli.app, "main", lambda status=status: status)
        with pytest.raises(SystemExit) as ended:
            cli.run()
        assert ended.value.code == status
    assert left == [130], "threads that wait for answers are not waited for"


# ---- help, completion, addresses, values


def test_every_command_has_help_and_examples(run: Run) -> None:
    top = run("--help")
    assert top.status == 0 and "130  Ctrl-C" in top.out
    for name, command in cli.cli.commands.items():
        assert f"  {name}" in top.out
        text = run(name, "--help").out
        assert "Examples:" in text and f"needle {name}" in text
        assert isinstance(command, base.Command)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(run: Run, shell: str) -> None:
    script = run("completion", shell)
    assert script.status == 0 and "_NEEDLE_COMPLETE" in script.out


def test_collections_are_completed_from_the_service(run: Run, service: FakeService) -> None:
    context = SimpleNamespace()
    complete = base.complete_collection
    found = complete(context, click.Option(["-c"]), "de")  # type: ignore[arg-type]
    assert [item.value for item in found] == ["default"]
    service.before = lambda request: error(500, "internal")
    assert complete(context, click.Option(["-c"]), "") == []  # type: ignore[arg-type]


def test_the_address_is_an_option_or_comes_from_the_environment(
    run: Run, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*words: str) -> str:
        run(*words)
        return str(service.requests[-1].url.copy_with(path="/"))

    assert asked("models") == "http://127.0.0.1:8080/"
    monkeypatch.setenv("NEEDLE_PORT", "8123")
    assert asked("models") == "http://127.0.0.1:8123/"
    monkeypatch.setenv("NEEDLE_URL", "https://needle.example")
    assert asked("models") == "https://needle.example/"
    assert asked("--url", "http://a", "models") == "http://a/"
    assert asked("models", "--url", "http://b") == "http://b/"


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("0.5", 0.5), ("true", True), ('"7"', "7"), ("Basel", "Basel"), ("[1]", "[1]")],
)
def test_values_are_numbers_where_they_look_like_numbers(text: str, value: object) -> None:
    assert values.scalar(text) == value


# ---- needle up


def test_up_runs_the_service_on_the_folder_of_the_checkout(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import stack.__main__ as stack

    asked: list[Sequence[str]] = []

    def started(words: Sequence[str]) -> int:
        asked.append(words)
        return len(asked) - 1

    monkeypatch.setattr(stack, "main", started)
    monkeypatch.delenv("NEEDLE_DATA_DIR", raising=False)
    assert run("up").status == ExitCode.OK
    assert run("up", "--port", "8123", "--data", "here").status == ExitCode.FAILED
    root = Path(stack.__file__).resolve().parents[1]
    assert asked == [
        ["up", "--data", str(root / "data")],
        ["up", "--data", "here", "--port", "8123"],
    ]
