"""How `needle` ends, its help and completion, where it looks for the service."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import click
import httpx
import pytest

import needle
from needle import __main__ as entry
from needle import cli
from needle.cli import ExitCode, base, values
from tests.conftest import REPO
from tests.unit.needle.cli.conftest import Run
from tests.unit.needle.fake_needle import FakeService, error


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["index", "nowhere.jpg"], 2, "There is no file or folder nowhere.jpg"),
        (["index", "empty"], 2, "There are no images"),
        (["index", "images", "-m", "shop"], 2, "is not KEY=VALUE"),
        (["index"], 2, "Missing argument"),
        (["search", "nowhere.jpg"], 2, "There is no file nowhere.jpg"),
        (["search"], 2, "an IMAGE, or --text"),
        (["search", "images/0.jpg", "--not", "nowhere.jpg"], 2, "no file nowhere.jpg"),
        (["search", "--text", "x", "--box", "0,0,1,1"], 2, "not to a text"),
        (["search", "x", "--box", "5,5,1,1"], 2, "is no box"),
        (["search", "x", "--box", "5,5"], 2, "four whole numbers"),
        (["search", "x", "--filter", "year"], 2, "is not KEY=VALUE"),
        (["search", "images/0.jpg", "-o", "x.unknown"], 2, "is not the name of an image file"),
        (["search", "images/0.jpg", "-o", "x.psd"], 2, "is not the name of an image file"),
        (["search", "images/0.jpg", "-o", "nowhere/x.png"], 2, "There is no folder nowhere"),
        (["--url", "http://a:b", "status"], 2, "is no address"),
        (["--url", "ftp://a", "status"], 2, "is no address"),
        (["--url", "a:99999", "status"], 2, "is no address"),
        (["search", "images/0.jpg", "-n", "0"], 2, "0 is not in the range"),
        (["search", "images/0.jpg", "--same-kind", "nan"], 2, "nan is no number"),
        (["index", "images", "--batch-size", "257"], 2, "257 is not in the range"),
        (["images", "-c", "Big Shop"], 2, "no name of a collection"),
        (["show", "../secret"], 2, "is no id"),
        (["jobs", ""], 2, "is no id"),
        (["search", "images", "--json"], 2, "the answer to one query"),
        (["search", "images", "-o", "x.png"], 2, "A sheet shows one query"),
        (["search", "images", "--box", "0,0,9,9"], 2, "belong to one query"),
        (["search", "empty", "-o", "x.csv"], 2, "There are no images"),
        (["search", "no*.jpg"], 2, "No file matches"),
        (["search", "images/0.jpg", "-o", "a.csv", "-o", "b.csv"], 2, "are of one sort"),
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


def test_what_is_out_of_range_is_not_sent(run: Run, service: FakeService) -> None:
    run("search", "images/0.jpg", "--min-score", "2")
    run("search", "images", "-o", "x.csv", "--min-probability", "1.5")
    assert not service.requests


def test_a_collection_that_is_not_there_is_an_error_with_those_that_are(
    run: Run, service: FakeService
) -> None:
    service.collections.append("trial")
    for words in (
        ["images"],
        ["export"],
        ["search", "images/0.jpg"],
        ["search", "images"],
        ["delete", "--all", "-y"],
        ["tag", "--name", "x", "a=b", "-y"],
        ["show", "0"],
        ["reindex"],
    ):
        ended = run(*words, "-c", "nope")
        assert ended.status == ExitCode.FAILED
        assert "There is no collection 'nope'. There are: default, trial." in ended.err


def test_a_refusal_ends_with_3(run: Run, service: FakeService) -> None:
    service.before = lambda request: error(409, "encoder_mismatch")
    ended = run("search", "images/0.jpg")
    assert ended.status == ExitCode.FAILED and "It is encoder_mismatch." in ended.err


def test_silence_ends_with_4(run: Run, service: FakeService) -> None:
    def silence(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    service.before = silence
    for words in (["status"], ["index", "images"], ["search", "--text", "x"], ["jobs", "j"]):
        ended = run(*words)
        assert ended.status == ExitCode.UNREACHABLE and "No Needle answers at" in ended.err


@pytest.mark.parametrize(
    "body", [{"ok": True}, [], {"status": "ready", "collections": 5}, {"total": "many"}]
)
def test_what_is_not_needle_is_called_so(run: Run, service: FakeService, body: object) -> None:
    service.before = lambda request: httpx.Response(200, json=body)
    for words in (["collections"], ["images"], ["jobs", "j"], ["search", "images/0.jpg"]):
        ended = run(*words)
        assert ended.status == ExitCode.UNREACHABLE and "is not Needle" in ended.err, words


def test_a_file_that_cannot_be_written_is_named_in_a_sentence(run: Run) -> None:
    ended = run("export", "-o", "nowhere/images.csv")
    assert ended.status == 2
    assert ended.err.strip() == "needle: nowhere/images.csv: No such file or directory."


def test_a_key_that_no_header_takes_is_refused_and_not_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEEDLE_KEY", "secret\n")
    ended = run("status")
    assert ended.status == ExitCode.USAGE and "secret" not in ended.err


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").out == f"needle {needle.__version__}\n"


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
    assert asked("models", "--url", "shop:8123") == "http://shop:8123/"


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("0.5", 0.5), ("true", True), ('"7"', "7"), ("Basel", "Basel"), ("[1]", "[1]")],
)
def test_values_are_numbers_where_they_look_like_numbers(text: str, value: object) -> None:
    assert values.scalar(text) == value


def test_who_stops_reading_is_no_error() -> None:
    reads, writes = os.pipe()
    os.close(reads)  # as `| head` has when it has read enough
    done = subprocess.run(
        [sys.executable, "-m", "needle", "completion", "bash"],
        cwd=REPO,
        stdout=writes,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (ExitCode.READER_GONE, b"")


def test_a_reader_who_leaves_while_people_are_told_something_is_told_from_nothing_found() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    shell = base.Shell("http://127.0.0.1:1")
    shell.err.file = Gone()
    with pytest.raises(BrokenPipeError):  # of which Rich makes a 1: nothing was found
        shell.say("12 ms")


def test_ctrl_c_ends_quietly_while_modules_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    handlers: list[object] = []
    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.default_int_handler)
    monkeypatch.setattr(signal, "signal", lambda number, handler: handlers.append(handler))
    monkeypatch.setattr(cli, "run", lambda: None)
    entry.run()
    first, last = handlers
    assert callable(first) and last is signal.default_int_handler
    first(signal.SIGINT, None)
    assert left == [130]


def test_a_name_that_is_no_text_is_sent_all_the_same(run: Run, service: FakeService) -> None:
    Path("odd").mkdir()
    odd = Path("odd", os.fsdecode(b"\xff[b].png"))
    try:
        odd.write_bytes(b"odd")
    except OSError:
        pytest.skip("this file system takes no such name")
    assert run("index", "odd").status == ExitCode.OK and service.uploads == [["odd/\ufffd[b].png"]]
    assert "1 already indexed" in run("index", "odd").out
    assert run("search", str(odd), "-o", "found.csv").status == ExitCode.OK
    assert "odd/\ufffd[b].png" in run("images", terminal=True).out
