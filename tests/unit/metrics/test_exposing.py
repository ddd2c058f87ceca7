"""The ports at which processes show their metrics."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from common.metrics.exposing import Exposed, expose
from common.metrics.gpu import Gpus
from common.metrics.targets import Targets, address_of
from common.redis import Client
from common.settings import Settings
from common.version import VERSION
from needle import __version__
from tests.conftest import free_port
from tests.unit.metrics.helpers import value


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def begun(ending: ExitStack, settings: Settings, role: str) -> Exposed | None:
    server = expose(settings, role)
    if server is not None:
        ending.callback(server.server_close)
        ending.callback(server.shutdown)
    return server


def read(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        content: bytes = answer.read()
    return content


def test_several_workers_on_one_machine_have_ports_of_their_own(
    redis: Client, redis_url: str, ending: ExitStack
) -> None:
    settings = Settings(redis_url=redis_url, metrics_port=free_port())
    first = settings.metrics_port or 0
    servers = [begun(ending, settings, role) for role in ("index", "index", "search", "web")]
    ports = [server.server_address[1] for server in servers if server]
    assert len(set(ports)) == 4 and ports[3] == first and min(ports[:3]) > first
    for port in ports:
        assert value(read(port, "/metrics"), "needle_build_info") == 0  # it has labels
    text = read(ports[0], "/metrics")
    assert value(text, "needle_build_info", version=VERSION, role="index") == 1


def test_the_web_servers_port_tells_prometheus_of_all(
    redis: Client, redis_url: str, ending: ExitStack
) -> None:
    settings = Settings(redis_url=redis_url, metrics_port=free_port())
    web = begun(ending, settings, "web")
    assert web
    targets = Targets(redis)
    targets.say("index", "10.0.0.7:9465")
    targets.say("index", "10.0.0.7:9465")
    redis.zadd("needle:metrics", {json.dumps({"role": "index", "address": "gone:1"}): 1.0})
    told = json.loads(read(web.server_address[1], "/targets"))
    assert {"targets": ["10.0.0.7:9465"], "labels": {"process": "index"}} in told
    assert not [one for one in told if one["targets"] == ["gone:1"]]
    targets.unsay("index", "10.0.0.7:9465")
    assert not [one for one in targets.every() if one["targets"] == ["10.0.0.7:9465"]]


def test_there_is_nothing_else_and_no_list_at_a_worker(
    redis: Client, redis_url: str, ending: ExitStack
) -> None:
    worker = begun(ending, Settings(redis_url=redis_url, metrics_port=free_port()), "index")
    assert worker
    for path in ("/", "/targets", "/api/v1/images"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            read(worker.server_address[1], path)


def test_without_redis_the_metrics_are_shown_and_the_list_is_not(ending: ExitStack) -> None:
    settings = Settings(redis_url="redis://127.0.0.1:1/0", metrics_port=free_port())
    web = begun(ending, settings, "web")
    assert web and b"needle_build_info" in read(web.server_address[1], "/metrics")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        read(web.server_address[1], "/targets")


def test_a_source_that_fails_hides_no_other(redis_url: str, ending: ExitStack) -> None:
    server = Exposed("127.0.0.1", 0, [lambda: 1 / 0, lambda: b"needle_x 1\n"], None)  # type: ignore
    ending.callback(server.server_close)
    server.start()
    ending.callback(server.shutdown)
    assert read(server.server_address[1], "/metrics") == b"needle_x 1\n"


def test_a_port_that_is_taken_is_no_reason_not_to_work(
    redis: Client, redis_url: str, ending: ExitStack
) -> None:
    settings = Settings(redis_url=redis_url, metrics_port=free_port())
    assert begun(ending, settings, "web") and begun(ending, settings, "web") is None
    assert expose(Settings(redis_url=redis_url), "web") is None  # off unless asked for


@pytest.mark.parametrize(
    ("host", "why"), [("127.0.0.1", "in use"), ("no-such-host.invalid", "not known")]
)
def test_the_log_says_why_no_metrics_are_shown(
    redis_url: str, ending: ExitStack, caplog: pytest.LogCaptureFixture, host: str, why: str
) -> None:
    taken = ending.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
    settings = Settings(redis_url=redis_url, metrics_port=taken, metrics_host=host)
    assert begun(ending, settings, "web") is None
    assert f"port {taken} of {host}" in caplog.text and why in caplog.text


def test_a_worker_leaves_the_public_port_alone(
    redis: Client, redis_url: str, ending: ExitStack
) -> None:
    port = free_port()
    settings = Settings(redis_url=redis_url, port=port, metrics_port=port - 1)
    server = begun(ending, settings, "index")
    assert server and server.server_address[1] > port


def test_who_takes_the_port_of_a_killed_worker_takes_its_place_in_the_list(redis: Client) -> None:
    targets = Targets(redis)
    targets.say("index", "127.0.0.1:9")
    targets.say("index", "127.0.0.1:10")
    targets.say("search", "127.0.0.1:9")
    told = [(one["targets"], one["labels"]) for one in targets.every()]
    assert told == [
        (["127.0.0.1:10"], {"process": "index"}),
        (["127.0.0.1:9"], {"process": "search"}),
    ]


@pytest.mark.parametrize(
    ("host", "redis", "address"),
    [
        ("127.0.0.1", "redis://10.1.2.3/0", "127.0.0.1:9"),
        ("10.0.0.7", "redis://10.1.2.3/0", "10.0.0.7:9"),
        ("0.0.0.0", "redis://127.0.0.1:6379/0", "127.0.0.1:9"),
        ("0.0.0.0", "unix:///tmp/redis.sock", "127.0.0.1:9"),
        ("::1", "redis://127.0.0.1/0", "[::1]:9"),
    ],
)
def test_others_are_told_an_address_that_they_reach(host: str, redis: str, address: str) -> None:
    assert address_of(host, 9, redis) == address


class Nvml:
    """Two GPUs, of the second of which the driver says nothing but its memory."""

    def nvmlDeviceGetCount_v2(self, count: object) -> int:
        count._obj.value = 2  # type: ignore[attr-defined]
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, number: int, handle: object) -> int:
        handle._obj.value = number + 1  # type: ignore[attr-defined]
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle: object, memory: object) -> int:
        memory._obj.total, memory._obj.used = 80 * 2**30, 2**30  # type: ignore[attr-defined]
        return 0

    def nvmlDeviceGetUtilizationRates(self, handle: object, use: object) -> int:
        use._obj.gpu = 75  # type: ignore[attr-defined]
        return 0 if handle.value == 1 else 3  # type: ignore[attr-defined]


def test_memory_and_use_of_gpus() -> None:
    text = Gpus(Nvml()).text()
    assert value(text, "needle_gpu_memory_used_bytes", gpu="1") == 2**30
    assert value(text, "needle_gpu_memory_total_bytes", gpu="0") == 80 * 2**30
    assert value(text, "needle_gpu_utilization_ratio", gpu="0") == 0.75
    assert b'needle_gpu_utilization_ratio{gpu="1"}' not in text


def test_the_service_and_its_client_have_one_version() -> None:
    assert __version__ == VERSION
