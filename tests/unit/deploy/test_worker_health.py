"""The health check of a worker's container: does it live, does it move?"""

from __future__ import annotations

import importlib.util
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from common.beacons import LIT, Beacons
from common.beats import beat, beat_file, forget_old
from common.redis import Client
from tests.unit.deploy.files import ROOT


def test_the_health_check_sees_the_beacon_of_a_worker_on_this_host(
    redis: Client, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = worker_health()
    monkeypatch.setenv("NEEDLE_REDIS_URL", redis_url)
    assert health.main(["index"]) == 1
    with monkeypatch.context() as once, pytest.raises(StopIteration):
        once.setattr("threading.Thread.start", lambda thread: thread.run())
        once.setattr("threading.Event.wait", _stop_waiting)
        Beacons(redis).light("index", {"name": "mini"})
    assert health.main(["index"]) == 0
    assert health.main(["search"]) == 1
    (said,) = [json.loads(redis.get(key)) for key in redis.zrange(LIT, 0, -1)]
    assert said.keys() == {"role", "models"}, "a web server of an earlier version knows no more"


def test_whether_a_worker_moves_is_told_without_redis_and_for_this_host_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = worker_health()
    monkeypatch.setenv("NEEDLE_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("NEEDLE_DATA_DIR", str(tmp_path))
    assert health.main(["index", "--moves"]) == 1, "it never moved"
    beat(beat_file(tmp_path, "index"))
    assert health.main(["index", "--moves"]) == 0
    assert health.main(["search", "--moves"]) == 1
    with monkeypatch.context() as there:
        there.setattr("socket.gethostname", lambda: "another")
        assert health.main(["index", "--moves"]) == 1
    with monkeypatch.context() as set_back:
        set_back.setattr("time.time", lambda: 0.0)
        assert health.main(["index", "--moves"]) == 0, "the clock that was set is not asked"
    stopped = time.monotonic() - health.STILL_S - 1
    os.utime(beat_file(tmp_path, "index"), (stopped, stopped))
    assert health.main(["index", "--moves"]) == 1
    to_come = time.monotonic() + 1000
    os.utime(beat_file(tmp_path, "index"), (to_come, to_come))
    assert health.main(["index", "--moves"]) == 1, "the host started anew"
    forget_old(tmp_path / "beats")
    assert beat_file(tmp_path, "index").exists()
    in_two_days = time.time() + 2 * 86_400
    monkeypatch.setattr("time.time", lambda: in_two_days)
    forget_old(tmp_path / "beats")
    assert not beat_file(tmp_path, "index").exists()


def worker_health() -> Any:
    """Return the module of the health check."""
    spec = importlib.util.spec_from_file_location("health", ROOT / "deploy/worker_health.py")
    assert spec and spec.loader
    health = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(health)
    return health


def _stop_waiting(event: object, timeout: float | None = None) -> bool:
    raise StopIteration
