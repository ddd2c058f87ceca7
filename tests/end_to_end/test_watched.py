"""A real Prometheus scrapes the running service; an alert fires when a worker is stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from machine.stack import Stack
from needle import Needle
from tests.conftest import REPO, free_port
from tests.end_to_end.conftest import scene, write_scenes

BINARY = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(BINARY is None, reason="prometheus is not installed")
SHIPPED = REPO / "deploy/prometheus"
HURRY = {
    "15s": "1s",
    "scrape_timeout: 10s": "scrape_timeout: 1s",
    "for: 10m": "for: 1s",
    "for: 1m": "for: 1s",
    "> 3600": "> 1",
}
"""What the shipped files say, and what a test has time for."""


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that runs."""

    url: str

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, query: str) -> float:
        """Return the one value of a query, 0 where there is none."""
        found = self._get(f"query?{urllib.parse.urlencode({'query': query})}")["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def until(self, query: str, least: float = 1, timeout_s: float = 30) -> None:
        """Wait until a query's value is so large."""
        deadline = time.monotonic() + timeout_s
        while self.value(query) < least:
            assert time.monotonic() < deadline, query
            time.sleep(0.1)

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = self._get("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


def _every_line_is_json(stack: Stack, job_id: str) -> None:
    """Gunicorn's and Celery's lines are like ours, and a task's say its job."""
    about: dict[str, list[dict[str, Any]]] = {}
    for child in stack.children:
        if child.name != "redis":
            lines = [json.loads(line) for line in child.log.read_text().splitlines()]
            assert {line["process"] for line in lines} == {child.name.removeprefix("worker-")}
            about[child.name] = [line for line in lines if line.get("job_id") == job_id]
    assert {"celery.apps.worker"} <= {line["logger"] for line in lines} or about
    (task,) = [line for line in about["worker-index"] if line["message"].startswith("3 images")]
    assert task["task"] == "needle.index" and task["task_id"] and task["items"] == "0-2"
    (audit,) = about["web"]
    assert audit["logger"] == "needle.audit" and audit["request_id"]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Stack]:
    """Run a service that shows its metrics."""
    env = {"NEEDLE_REGIONS_PER_IMAGE": "120", "NEEDLE_METRICS_PORT": str(free_port())}
    env |= {"NEEDLE_LOG_FORMAT": "json"}
    with Stack(env, data_dir=tmp_path / "data", port=free_port()) as running:
        running.wait_ready(120)
        yield running


@pytest.fixture
def prometheus(watched: Stack, tmp_path: Path) -> Iterator[Prometheus]:
    """Run Prometheus on the shipped files, in a hurry."""
    port = free_port()
    for name in ("prometheus.yml", "alerts.yml"):
        text = (SHIPPED / name).read_text()
        for shipped, hurried in HURRY.items():
            text = text.replace(shipped, hurried)
        text = text.replace("web:9464", f"127.0.0.1:{watched.settings.metrics_port}")
        (tmp_path / name).write_text(text)
    command = [
        str(BINARY),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 30
        while not _answers(f"{url}/-/ready"):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        yield Prometheus(url)
    finally:
        process.kill()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_a_real_prometheus_sees_the_work_and_its_alerts_fire_in_a_drill(
    watched: Stack, prometheus: Prometheus, tmp_path: Path
) -> None:
    photos = write_scenes(tmp_path, range(3))
    query = tmp_path / "query.png"
    scene(1).crop((100, 100, 260, 260)).save(query)
    with Needle(watched.base_url) as needle:
        job_id = needle.index(photos).job_id
        needle.wait(job_id)
        needle.search(query)

        # Every process is found by the list, and what each did is there.
        for role in ("web", "index", "search"):
            prometheus.until(f'up{{job="needle", process="{role}"}}')
        prometheus.until('needle_items_total{process="search", status="indexed"}', 3)
        prometheus.until('sum(needle_searches_total{process="search"})', 1)
        for met in (
            'needle_index_stage_duration_seconds_count{process="index", stage="see"}',
            'needle_search_stage_duration_seconds_count{process="search", stage="verify"}',
            'needle_http_request_duration_seconds_count{route="/api/v1/search", status="200"}',
            'needle_index_batch_fill_ratio_count{process="index"}',
            'needle_indexed_regions_total{process="search"}',
            'needle_workers{role="index"}',
            "needle_models_info",
            "needle_disk_free_bytes",
        ):
            prometheus.until(met)
        assert not prometheus.firing()

        _every_line_is_json(watched, job_id)

        # The drill: the index worker is killed, and tasks wait.
        (worker,) = [child for child in watched.children if child.name == "worker-index"]
        os.killpg(worker.pid or 0, signal.SIGKILL)
        needle.index(write_scenes(tmp_path, range(10, 12)))
        wanted = {"NeedleProcessSilent", "NeedleQueueOld"}
        deadline = time.monotonic() + 30
        while not wanted <= prometheus.firing():
            assert time.monotonic() < deadline, prometheus.firing()
            time.sleep(0.1)
        prometheus.until('needle_queue_tasks{queue="index"}')
