"""Alert rules, scrape config and dashboard: valid, tested, and about metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from common.beacons import beacon_key
from common.metrics import meters
from common.metrics.exposing import build_info
from common.metrics.gpu import Gpus
from common.metrics.service import ServiceState
from common.redis import Client
from common.services import Services
from common.settings import Settings
from tests.unit.metrics.helpers import families
from tests.unit.metrics.test_exposing import Nvml

ROOT = Path(__file__).resolve().parents[3]
PROMETHEUS = ROOT / "deploy/prometheus"
TESTS = Path(__file__).with_name("alerts_test.yml")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
NAMES = re.compile(r"\b(needle_\w+)")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return list(group["rules"])


def dashboard_queries() -> list[str]:
    panels = json.loads((ROOT / "deploy/grafana/needle.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


@pytest.fixture
def shown(redis: Client, redis_url: str, tmp_path: Path) -> set[str]:
    """Return the names under which the processes show anything."""
    services = Services.build(Settings(redis_url=redis_url, data_dir=tmp_path))
    key = beacon_key("index", "a", 1)
    redis.set(key, json.dumps({"role": "index", "models": {}}))
    redis.zadd("needle:beacons", {key: 1.0})
    meters()
    sources = [generate_latest(), ServiceState(services).text(), Gpus(Nvml()).text()]
    names: set[str] = set()
    for family in (one for text in [*sources, build_info("web")] for one in families(text)):
        names |= {sample.name for sample in family.samples}
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        names |= {family.name + end for end in ends.get(family.type, ("",))}
    return {name for name in names if name.startswith("needle_")}


def test_every_query_of_dashboard_and_alerts_is_about_metrics_that_there_are(
    shown: set[str],
) -> None:
    queries = [*dashboard_queries(), *(rule["expr"] for rule in rules())]
    assert len(dashboard_queries()) > 30
    for query in queries:
        used = set(NAMES.findall(query))
        assert used or "up" in query or "ALERTS" in query
        assert used <= shown, query


def test_whatever_is_shown_is_on_the_dashboard(shown: set[str]) -> None:
    used = set(NAMES.findall(" ".join(dashboard_queries())))
    shapes = r"_(bucket|sum|count)$"
    assert {re.sub(shapes, "", name) for name in shown if not name.endswith("_created")} == {
        re.sub(shapes, "", name) for name in used
    }


def test_every_alert_is_explained_and_fires_in_a_test() -> None:
    operations = (ROOT / "docs/OPERATIONS.md").read_text()
    fired = {
        case["alertname"]
        for test in yaml.safe_load(TESTS.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
    }
    assert {rule["alert"] for rule in rules()} == fired
    for name in fired:
        assert f"| `{name}` |" in operations
    assert set(re.findall(r"^\| `(Needle\w+)` \|", operations, re.M)) == fired


@needs_promtool
def test_promtool_takes_the_files_and_the_alerts_fire_when_they_should(tmp_path: Path) -> None:
    for file in (PROMETHEUS / "alerts.yml", PROMETHEUS / "prometheus.yml", TESTS):
        shutil.copy(file, tmp_path)
    for words in (
        ("check", "config", "prometheus.yml"),
        ("test", "rules", TESTS.name),
    ):
        done = subprocess.run([str(PROMTOOL), *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_takes_every_query_of_the_dashboard(tmp_path: Path) -> None:
    """As the expressions of recording rules: it parses them."""
    queries = [query.replace("$__rate_interval", "5m") for query in dashboard_queries()]
    recorded = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
