"""The supervisor, with a real Redis and small stand-ins for the web server and the workers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.errors import InvalidSettings
from stack import Stack, StackError
from stack.process import Command
from stack.services import ROOT, services

WEB = """
import http.server, os, signal, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ready", "redis": true, "workers": {"index": 1}}')
    def log_message(self, *args):
        pass
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
http.server.HTTPServer(("127.0.0.1", int(os.environ["NEEDLE_PORT"])), Ready).serve_forever()
"""
IDLE = "import signal; signal.pause()"
STUBBORN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
print("child", child.pid, flush=True)
signal.pause()
"""
BROKEN = """
import sys
print("2025-01-01 10:00:00 ERROR   worker.models The weights are not there.", flush=True)
print("bye")
sys.exit(3)
"""


def until(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until `holds` says so; fail after `within_s`."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Tell whether a process has ended (a zombie that nobody has reaped yet has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scripts(**sources: str) -> Callable[[Mapping[str, str]], Sequence[Command]]:
    """Return stand-ins for the service's processes, one for each Python source."""

    def make(env: Mapping[str, str]) -> list[Command]:
        return [
            Command(name.replace("_", "-"), (sys.executable, "-S", "-c", source), env, ROOT)
            for name, source in sources.items()
        ]

    return make


class Maker:
    """Makes stacks in one folder and stops them at the end of the test."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.events: list[str] = []
        self.stacks: list[Stack] = []

    def __call__(self, settings: Mapping[str, str] | None = None, **sources: str) -> Stack:
        stack = Stack(
            {} if settings is None else settings,
            data_dir=self.data_dir,
            port=self.port,
            grace_s=0.5,
            on_event=self.events.append,
            make_services=scripts(**sources),
        )
        self.stacks.append(stack)
        return stack


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Maker]:
    maker = Maker(tmp_path / "da ta")
    yield maker
    for stack in maker.stacks:
        stack.stop()


NO_REDIS = {"NEEDLE_REDIS_URL": "redis://127.0.0.1:1/0"}


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


def test_redis_is_durable_never_evicts_and_asks_for_a_password(make: Maker) -> None:
    with make() as stack:
        assert stack.redis_url
        client = redis.Redis.from_url(stack.redis_url, decode_responses=True)
        wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
        assert client.config_get("dir")["dir"] == str(make.data_dir / "redis")
        client.close()
        port = int(stack.redis_url.rpartition(":")[2].partition("/")[0])
        stranger = redis.Redis(port=port, retry=Retry(NoBackoff(), 0))
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()
        stranger.close()
    assert (make.data_dir / "redis.conf").stat().st_mode & 0o077 == 0


def test_what_was_queued_outlives_redis_being_killed_and_the_service_restarted(make: Maker) -> None:
    with make() as stack:
        assert stack.redis_url and stack.children[0].pid
        client = redis.Redis.from_url(stack.redis_url)
        client.rpush("index", "task")
        client.set("needle:worker:index:host:1", "alive", ex=600)
        stack.supervise()
        os.kill(stack.children[0].pid, signal.SIGKILL)
        until(lambda: make.events)
        until(lambda: answers(client))
        assert client.llen("index") == 1
        client.close()
    with stack:
        again = redis.Redis.from_url(str(stack.redis_url))
        assert again.llen("index") == 1
        assert not again.exists("needle:worker:index:host:1"), "no worker of the last run lives"
        again.close()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_a_given_redis_is_used_and_none_is_started(make: Maker) -> None:
    source = "import os; print('got', os.environ['NEEDLE_REDIS_URL'])" + "\n" + IDLE
    with make(NO_REDIS, web=source) as stack:
        assert [child.name for child in stack.children] == ["web"]
        log = stack.children[0].log
        until(lambda: "got redis://127.0.0.1:1/0" in log.read_text())


def test_settings_come_from_the_caller_and_other_variables_are_inherited(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEEDLE_MODELS", "stray")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    source = "import os; print(sorted(os.environ.items()))" + "\n" + IDLE
    with make({**NO_REDIS, "NEEDLE_DEVICE": "cpu"}, web=source) as stack:
        log = stack.children[0].log
        until(lambda: log.read_text().endswith("]\n"))
        said = log.read_text()
    assert "('NEEDLE_DEVICE', 'cpu')" in said and "('CUDA_VISIBLE_DEVICES', '3')" in said
    assert f"('NEEDLE_PORT', '{make.port}')" in said
    assert f"('NEEDLE_DATA_DIR', '{make.data_dir}')" in said
    assert "stray" not in said


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


def test_a_port_in_use_is_refused_before_anything_is_started(make: Maker) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", make.port))
        other.listen()
        with pytest.raises(StackError, match=f"Port {make.port} .* NEEDLE_PORT"):
            make(web=IDLE).start()
    assert not list((make.data_dir / "logs").iterdir())


def test_a_second_service_on_the_same_folder_is_refused(make: Maker) -> None:
    refusal = rf"process {os.getpid()}\) is using .* NEEDLE_DATA_DIR"
    with make(NO_REDIS, web=IDLE), pytest.raises(StackError, match=refusal):
        make(NO_REDIS, web=IDLE).start()
    make(NO_REDIS).start()  # and the folder is free again afterwards


def test_bad_settings_are_refused_before_anything_is_started(make: Maker) -> None:
    with pytest.raises(InvalidSettings, match="NEEDLE_DEVICE"):
        make({"NEEDLE_DEVICE": "tpu"})
    assert not make.data_dir.exists()


def test_a_data_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="data folder cannot be used"):
        Stack(NO_REDIS, data_dir=tmp_path / "file" / "data", port=free_port()).start()


def test_without_a_redis_server_the_way_out_is_named(
    make: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("stack.supervisor.Watchdog", lambda lock, grace_s: None)
    with pytest.raises(StackError, match="NEEDLE_REDIS_URL"):
        make().start()


SUPERVISOR = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from stack import Stack
from stack.signals import as_interrupt
from tests.unit import test_stack as helpers
with as_interrupt(), Stack({{}}, data_dir=Path({data!r}), port={port}, grace_s=0.5,
           make_services=helpers.scripts(worker_index=helpers.STUBBORN, web=helpers.WEB)) as stack:
    stack.wait_ready(10)
    while not stack.children[1].last_lines():
        time.sleep(0.02)
    pids = [child.pid for child in stack.children]
    print(*pids, stack.children[1].last_lines()[0].split()[1], flush=True)
    time.sleep(60)
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


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [({"NEEDLE_PORT": "no"}, "NEEDLE_PORT='no'"), ({"NEEDLE_COLOUR": "red"}, "not a setting")],
)
def test_the_command_says_what_is_wrong_in_a_sentence(
    settings: Mapping[str, str], sentence: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stack", "up", "--data", str(tmp_path)],
        env={**os.environ, **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert sentence in done.stderr and "Traceback" not in done.stderr
