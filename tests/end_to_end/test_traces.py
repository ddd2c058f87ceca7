"""From POST to point: the spans of all processes, as a collector gets them. Needs its packages."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from machine.stack import Stack
from needle import Needle
from tests.conftest import free_port
from tests.end_to_end.conftest import corner, write_scenes

pytest.importorskip("opentelemetry.sdk")
trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
TRACE = "0af7651916cd43dd8448eb211c80319c"
PATIENCE_S = 30


class Collector:
    """Takes traces by OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        self.come = threading.Condition()
        self.port = free_port()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    content = gzip.decompress(content)
                collector.take(trace_service.ExportTraceServiceRequest.FromString(content))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, message: Any) -> None:
        with self.come:
            for each in message.resource_spans:
                (name,) = (a for a in each.resource.attributes if a.key == "service.name")
                for scope in each.scope_spans:
                    self.spans += [(name.value.string_value, span) for span in scope.spans]
            self.come.notify_all()

    def of(self, trace: str, last: set[str]) -> dict[str, tuple[str, Any]]:
        """Return the spans of a trace by name, once those named have come."""
        with self.come:

            def there() -> dict[str, tuple[str, Any]]:
                wanted = bytes.fromhex(trace)
                return {s.name: (who, s) for who, s in self.spans if s.trace_id == wanted}

            assert self.come.wait_for(lambda: last <= there().keys(), PATIENCE_S), there().keys()
            return there()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    env = {
        "NEEDLE_REGIONS_PER_IMAGE": "40",
        "NEEDLE_TRACES_ENDPOINT": f"http://127.0.0.1:{collector.port}",
    }
    folder = tmp_path_factory.mktemp("traced")
    with Stack(env, data_dir=folder, port=free_port()) as running:
        running.wait_ready(120)
        yield running


def parents(found: dict[str, tuple[str, Any]], name: str) -> list[str]:
    """Return the names of what a span is a part of, the nearest first."""
    by_id = {span.span_id: span for _, span in found.values()}
    span, names = found[name][1], []
    while (span := by_id.get(span.parent_span_id)) is not None:
        names.append(span.name)
    return names


def test_an_image_is_followed_from_its_request_to_its_points(
    traced: Stack, collector: Collector, tmp_path: Path
) -> None:
    (path,) = write_scenes(tmp_path, range(900, 901))
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    files = {"files": (path.name, path.read_bytes())}
    posted = httpx.post(f"{traced.base_url}/api/v1/images", files=files, headers=headers)
    with Needle(traced.base_url) as needle:
        needle.wait(needle.job(posted.json()["job_id"]), timeout_s=60)
        post, stages = "POST /api/v1/images", {"find", "load", "describe", "see", "hand_over"}
        found = collector.of(TRACE, {post, "needle.index", "needle.commit", "commit", *stages})
        assert parents(found, "needle.index") == [post]
        for stage in stages:
            assert parents(found, stage) == ["needle.index", post]
        assert parents(found, "commit") == ["needle.commit", "hand_over", "needle.index", post]
        assert found[post][0] == "needle-web" and found["see"][0] == "needle-index"
        assert found["commit"][0] == "needle-search"
        (job,) = (a for a in found["needle.commit"][1].attributes if a.key == "job_id")
        assert job.value.string_value == posted.json()["job_id"]
        query = httpx.post(
            f"{traced.base_url}/api/v1/search",
            files={"file": ("q.png", corner(path))},
            headers={"traceparent": headers["traceparent"].replace(TRACE, TRACE[::-1])},
        )
        assert query.status_code == 200
        found = collector.of(TRACE[::-1], {"POST /api/v1/search", "needle.search", "verify"})
        assert parents(found, "verify") == ["needle.search", "POST /api/v1/search"]
