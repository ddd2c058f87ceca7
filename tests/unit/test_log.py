"""The log's two forms, and what its records are about."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common import log as logs
from machine.stack.logs import reason

log = logging.getLogger("needle.tests")


@pytest.fixture
def configured() -> Iterator[None]:
    """Put the root logger back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    logs.begin_context()


def test_json_is_an_object_a_line_with_all_that_is_known(
    configured: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", "json", process="index")
    logs.begin_context(task="needle.index", task_id="t1")
    with logs.log_context(job_id="j1"):
        log.info("two\nlines of %s", "text")
        try:
            raise ValueError("odd")
        except ValueError:
            log.exception("it failed")
    log.info("outside")
    said, failed, outside = map(json.loads, capsys.readouterr().err.splitlines())
    assert said["message"] == "two\nlines of text" and said["level"] == "INFO"
    assert said["logger"] == "needle.tests" and said["process"] == "index"
    assert (said["job_id"], said["task"], said["task_id"]) == ("j1", "needle.index", "t1")
    assert said["time"].endswith("Z") and len(said["time"]) == len("2026-01-01T00:00:00.000Z")
    assert failed["exception"].endswith("ValueError: odd") and failed["message"] == "it failed"
    assert "job_id" not in outside and outside["task_id"] == "t1"


def test_text_says_the_job_and_leaves_what_is_for_machines(
    configured: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO")
    logs.begin_context(task_id="t1")
    with logs.log_context(job_id="j1", items="0-3"):
        log.info("4 images")
    line = capsys.readouterr().err
    assert line.endswith("INFO    needle.tests job_id=j1 items=0-3 4 images\n")


def test_the_threads_that_work_for_a_task_say_its_job(
    configured: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", "json")
    with logs.log_context(job_id="j1"):
        say = logs.with_context(log.info)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(say, ["a", "b"]))
        pool.submit(log.info, "c").result()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {line["message"]: line.get("job_id") for line in lines} == {
        "a": "j1",
        "b": "j1",
        "c": None,
    }


def test_the_supervisor_reads_why_a_process_ended_in_either_form(tmp_path: Path) -> None:
    file = tmp_path / "web.log"
    for line in (
        '{"level": "ERROR", "logger": "worker", "message": "The pack is gone."}',
        "2026-01-01 00:00:00,000 ERROR   worker The pack is gone.",
    ):
        file.write_text(f'{line}\n{{"level": "INFO", "message": "ERROR no more"}}\n')
        assert str(reason(file)).endswith("The pack is gone.")


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_celery_says_by_itself_is_in_our_form(form: str) -> None:
    code = (
        "import sys; import celery.apps.worker as celery; from common import log; "
        "from worker.__main__ import _log_as_we_do; "
        f"log.configure('INFO', '{form}', process='index'); _log_as_we_do(); "
        "celery.safe_say('worker: Warm shutdown (MainProcess)', sys.__stdout__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "" and done.stderr.count("\n") == 1
    if form == "json":
        line = json.loads(done.stderr)
        assert (line["message"], line["process"]) == (
            "worker: Warm shutdown (MainProcess)",
            "index",
        )
    else:
        assert "Warm shutdown" in done.stderr
