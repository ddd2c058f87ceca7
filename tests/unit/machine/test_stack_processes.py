"""The life of the supervisor's processes: they become ready, die, start again and all end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from machine.stack import StackError, keeper
from machine.stack.services import ROOT, services
from tests.unit.machine.helpers import IDLE, NO_REDIS, STUBBORN, WEB, Maker, gone, until

BROKEN = """
import sys
print("2025-01-01 10:00:00 ERROR   worker.models The weights are not there.", flush=True)
print("bye")
sys.exit(3)
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Maker]:
    with Maker(tmp_path / "da ta") as maker:
        yield maker


def test_it_starts_becomes_ready_and_ends_every_process(make: Maker) -> None:
    states: list[object] = []
    with make(worker_index=IDLE, web=WEB) as stack:
        state = stack.wait_ready(10, states.append)
        pids = [child.pid for child in stack.children]
        assert [child.name for child in stack.children] == ["redis", "worker-index", "web"]
        assert state["status"] == "ready" and states[-1] == state
        assert state["workers"] == {"index": 1}
    assert all(pid and gone(pid) for pid in pids)
    stack.stop()  # once more does no harm


def test_a_process_that_dies_at_start_is_an_error_with_its_last_error_line(make: Maker) -> None:
    stack = make(NO_REDIS, worker_index=BROKEN)
    with pytest.raises(StackError) as caught, stack:
        stack.wait_ready(10)
    assert "worker-index ended (status 3): worker.models The weights are not there." in str(
        caught.value
    )
    assert caught.value.details["log"][-1] == "bye"  # type: ignore[index]
    assert not stack.children


def test_time_that_is_up_is_an_error_that_says_what_is_missing(make: Maker) -> None:
    with make(NO_REDIS, web=IDLE) as stack, pytest.raises(StackError, match="web server does not"):
        stack.wait_ready(0.2)


def test_a_process_that_ignores_term_is_killed_with_its_descendants(make: Maker) -> None:
    with make(NO_REDIS, worker_index=STUBBORN) as stack:
        child = stack.children[0]
        until(lambda: child.last_lines())
        grandchild = int(child.last_lines()[0].split()[1])
        assert not gone(grandchild)
    until(lambda: gone(grandchild))


def test_web_ends_first_and_redis_last(make: Maker, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    source = textwrap.dedent(
        f"""
        import os, signal
        def end(*_):
            with open({str(ended)!r}, "a") as file:
                file.write("%s\\n")
            os._exit(0)
        signal.signal(signal.SIGTERM, end)
        print("up", flush=True)
        while True:
            signal.pause()
        """
    )
    with make(worker_search=source % "search", web=source % "web") as stack:
        redis_log = stack.children[0].log
        until(lambda: all(child.last_lines() for child in stack.children))
    assert ended.read_text().split() == ["web", "search"]
    assert "ready to exit" in redis_log.read_text()


def test_a_process_that_dies_is_started_again_and_the_death_is_told(make: Maker) -> None:
    with make(NO_REDIS, worker_index=IDLE, web=WEB) as stack:
        stack.wait_ready(10)
        stack.supervise()
        worker = stack.children[0]
        first = worker.pid
        assert first
        os.kill(first, signal.SIGKILL)
        until(lambda: worker.running and worker.pid != first)
        assert make.events and "worker-index was killed" in make.events[0]


def test_a_process_that_hangs_is_ended_and_started_again(
    make: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keeper, "STILL_S", 0.5)
    beats = tmp_path / "beats"
    beating = f"""
import pathlib, time
while True:
    pathlib.Path({str(beats)!r}).touch()
    time.sleep(0.05)
"""
    with make(NO_REDIS, worker_index=beating, worker_search=IDLE) as stack:
        moving, silent = stack.children
        moving.command = replace(moving.command, beats=beats)
        silent.command = replace(silent.command, beats=tmp_path / "never")
        pids = moving.pid, silent.pid
        until(beats.exists)
        stack.supervise()
        assert pids[0] is not None
        time.sleep(1)  # twice as long as one that hangs may
        assert (moving.pid, silent.pid) == pids, "neither who moves nor who still starts"
        os.kill(pids[0], signal.SIGSTOP)
        until(lambda: moving.running and moving.pid != pids[0])
        assert "worker-index has not moved" in make.events[0]
        assert silent.pid == pids[1]


SUPERVISOR = """
import signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from machine.stack import Stack
from machine.stack.signals import as_interrupt
from tests.unit.machine import helpers
with as_interrupt(), Stack({{}}, data_dir=Path({data!r}), port={port}, grace_s=0.5,
           make_services=helpers.scripts(worker_index=helpers.STUBBORN, web=helpers.WEB)) as stack:
    stack.wait_ready(10)
    helpers.until(stack.children[1].last_lines)
    pids = [child.pid for child in stack.children]
    print(*pids, stack.children[1].last_lines()[0].split()[1], flush=True)
    signal.alarm(60)  # ends it should the test fail to
    signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_its_supervisor(make: Maker, number: signal.Signals) -> None:
    source = SUPERVISOR.format(root=str(ROOT), data=str(make.data_dir), port=make.port)
    supervisor = subprocess.Popen(
        [sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
    )
    assert supervisor.stdout
    pids = [int(pid) for pid in supervisor.stdout.readline().split()]
    assert len(pids) == 4 and not any(gone(pid) for pid in pids)
    supervisor.send_signal(number)
    supervisor.stdout.close()
    supervisor.wait(10)
    with make(web=WEB) as stack:  # waits for the leftovers to be gone
        assert all(gone(pid) for pid in pids)
        stack.wait_ready(10)


def test_the_real_service_is_two_workers_and_a_web_server() -> None:
    commands = services({"A": "b"})
    assert [c.argv[1:] for c in commands] == [
        ("-m", "worker", "search"),
        ("-m", "worker", "index"),
        ("-m", "web"),
    ]
    assert all(c.cwd == ROOT and c.env == {"A": "b"} for c in commands)


def test_several_workers_of_a_role_have_names_and_beats_of_their_own() -> None:
    env = {"NEEDLE_DATA_DIR": "/data", "NEEDLE_QDRANT_URL": "http://127.0.0.1:6333"}
    *workers, _web = services(env, index=1, search=2)
    assert [(one.name, one.argv[2:]) for one in workers] == [
        ("worker-search", ("worker", "search")),
        ("worker-search-2", ("worker", "search", "--name", "search-2")),
        ("worker-index", ("worker", "index")),
    ]
    assert len({one.beats for one in workers}) == 3


def test_several_workers_of_a_role_are_refused_where_one_owns_the_vectors() -> None:
    with pytest.raises(StackError, match="NEEDLE_QDRANT_URL"):
        services({}, search=2)
