"""The server form, checked by every means that needs no Docker engine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import redis

from common.settings import PREFIX, Settings
from machine.setup import secrets
from machine.stack.redis_server import find_binary
from tests.unit.deploy.files import DOCKERFILES, ROOT, copied, instructions, read, stages
from tests.unit.deploy.schema import COMPOSE

OURS = ("web", "worker-index", "worker-search")
OBSERVING = ("prometheus", "grafana")
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read("docker-compose.yml")


def filled(value: str) -> str:
    """Return a value with its variables filled in, as Compose fills them in."""
    return re.sub(r"\$\{(\w+):\?[^}]*\}", r"of \1", value)


def test_the_file_has_the_form_of_a_compose_file(compose: dict[str, Any]) -> None:
    jsonschema.validate(compose, COMPOSE)
    assert set(compose["services"]) == {"redis", "qdrant", *OURS, *OBSERVING}
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source, _, *how = volume.split(":")
            mounted = source.startswith("./") and (ROOT / source).exists() and how == ["ro"]
            assert source in compose["volumes"] or mounted
        assert set(service.get("depends_on", {})) <= set(compose["services"])


def test_every_setting_can_be_given_and_nothing_else_is(compose: dict[str, Any]) -> None:
    for name in OURS:
        given = {v for v in compose["services"][name]["environment"] if v.startswith(PREFIX)}
        assert given <= SETTINGS
        assert given | {"NEEDLE_HOST", "NEEDLE_PORT"} == SETTINGS
    for file in [*DOCKERFILES, "docker-compose.yml", "deploy/docker-compose.cpu.yml"]:
        named = set(re.findall(r"NEEDLE_[A-Z0-9_]+", (ROOT / file).read_text()))
        assert named <= SETTINGS, file


def test_the_values_given_are_valid_settings(compose: dict[str, Any]) -> None:
    for name in OURS:
        environment = compose["services"][name]["environment"]
        fixed = {key: filled(str(v)) for key, v in environment.items() if v is not None}
        settings = Settings.from_env(fixed)
        assert settings.qdrant_url == "http://qdrant:6333"
        assert settings.qdrant_api_key == "of NEEDLE_QDRANT_API_KEY"
        assert settings.redis_url == "redis://:of REDIS_PASSWORD@redis:6379/0"
        assert str(settings.data_dir) == "/data"


def test_redis_loses_nothing_and_evicts_nothing(compose: dict[str, Any]) -> None:
    command = compose["services"]["redis"]["command"][-1]
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_nobody_is_root_or_writes_where_nothing_is_to_be_written(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["user"].partition(":")[0] not in ("", "0", "root"), name
        assert service["security_opt"] == ["no-new-privileges:true"]
        writable = [volume.split(":")[1] for volume in service["volumes"]]
        in_memory = [one.split(":")[0] for one in service.get("tmpfs", ())]
        # Another folder would be root's alone when Docker 20 starts the container again.
        assert set(in_memory) <= {"/tmp"}, name
        writable += in_memory
        assert len(set(writable)) == len(writable)
        assert "/tmp" in writable, name
    for name in OURS:
        uid = compose["services"][name]["user"].partition(":")[0]
        dockerfile = compose["services"][name]["build"]["dockerfile"]
        assert f"--uid {uid}" in (ROOT / dockerfile).read_text()
        assert "data:/data" in compose["services"][name]["volumes"]


def test_redis_and_qdrant_want_a_password_that_a_command_makes(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{(\w+):\?", text)) == set(secrets.NAMES)
    services = compose["services"]
    assert filled(services["redis"]["environment"]["REDISCLI_AUTH"]) == "of REDIS_PASSWORD"
    key = services["qdrant"]["environment"]["QDRANT__SERVICE__API_KEY"]
    assert filled(key) == "of NEEDLE_QDRANT_API_KEY"

    file = tmp_path / ".env"
    file.write_text("NEEDLE_PORT=8081")
    assert secrets.main(["--file", str(file)]) == 0
    first = file.read_text()
    assert first.startswith("NEEDLE_PORT=8081\n") and file.stat().st_mode & 0o077 == 0
    values = dict(line.split("=") for line in first.splitlines())
    assert set(values) == {"NEEDLE_PORT", *secrets.NAMES}
    assert all(re.fullmatch(r"[0-9a-f]{64}", values[name]) for name in secrets.NAMES)
    assert secrets.add_missing(file) == [] and file.read_text() == first  # data is kept with them
    ignored = subprocess.run(["git", "check-ignore", "-q", ".env"], cwd=ROOT, check=False)
    assert ignored.returncode in (0, 128)  # 128: no checkout


def test_the_command_of_redis_lets_nobody_in_without_the_password(tmp_path: Path) -> None:
    """Compose's own words, run by this machine's shell and server."""
    command = read("docker-compose.yml")["services"]["redis"]["command"]
    binary = find_binary(os.environ).path
    (tmp_path / "valkey-server").symlink_to(binary)
    script = command[-1].replace("$$", "$").replace("/tmp", str(tmp_path))
    script = script.replace("--dir /data", f"--dir {tmp_path} --port 0 --unixsocket redis.sock")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "REDISCLI_AUTH": "a1b2"}
    server = subprocess.Popen([*command[:-1], script], env=env, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not (tmp_path / "redis.sock").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(unix_socket_path=str(tmp_path / "redis.sock")).ping()
        let_in = redis.Redis(unix_socket_path=str(tmp_path / "redis.sock"), password="a1b2")
        assert let_in.ping() and let_in.config_get("appendonly") == {"appendonly": "yes"}
        assert "a1b2" not in Path(f"/proc/{server.pid}/cmdline").read_text()
    finally:
        server.terminate()
        server.wait(20)
    assert (tmp_path / "redis.conf").stat().st_mode & 0o077 == 0


def test_the_versions_are_pinned_and_qdrant_fits_its_client(compose: dict[str, Any]) -> None:
    images = {name: s["image"] for name, s in compose["services"].items() if "build" not in s}
    assert all(re.search(r":v?\d+\.\d+", image) for image in images.values())
    client = importlib.metadata.version("qdrant-client").split(".")[:2]
    assert images["qdrant"].rpartition(":v")[2].split(".")[:2] == client
    for file in DOCKERFILES:
        base = dict(instructions(file))["FROM"]
        assert re.fullmatch(r"python:3\.1[012]-slim-bookworm", base)


def test_the_index_worker_reserves_a_gpu_and_can_be_scaled(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker-index"]
    devices = worker["deploy"]["resources"]["reservations"]["devices"]
    assert devices[0]["capabilities"] == ["gpu"]
    assert "container_name" not in worker and "ports" not in worker


def test_without_a_gpu_both_workers_run_from_an_image_without_torch() -> None:
    override = read("deploy/docker-compose.cpu.yml")["services"]
    assert set(override) == {"worker-index", "worker-search"}
    assert override["worker-index"].pop("deploy") is None
    for worker in override.values():
        assert worker["environment"] == {"NEEDLE_DEVICE": "cpu"}
        assert worker["image"] != read("docker-compose.yml")["services"]["worker-index"]["image"]
        asked = worker["build"]["args"]["REQUIREMENTS"]
        assert asked == "${REQUIREMENTS:-requirements/cpu.txt}"
    steps = instructions("deploy/worker.Dockerfile")
    assert ("ARG", "REQUIREMENTS=requirements.txt") in steps  # what GPUs need, unless told
    assert "requirements/cpu.txt" in copied("deploy/worker.Dockerfile")
    assert any(word == "RUN" and '-r "$REQUIREMENTS"' in rest for word, rest in steps)


def test_only_the_web_server_is_published_and_to_this_machine_alone(
    compose: dict[str, Any],
) -> None:
    published = {name: s["ports"] for name, s in compose["services"].items() if "ports" in s}
    assert published.pop("web") == ["${NEEDLE_HOST:-127.0.0.1}:${NEEDLE_PORT:-8080}:8080"]
    assert set(published) == set(OBSERVING)
    assert all(port.startswith("127.0.0.1:") for (port,) in published.values())


def test_prometheus_and_grafana_are_started_when_asked_for_and_see_the_services(
    compose: dict[str, Any],
) -> None:
    asked = {name for name, s in compose["services"].items() if s.get("profiles") == ["observe"]}
    assert asked == set(OBSERVING)
    assert not [s for s in compose["services"].values() if set(s.get("depends_on", {})) & asked]
    scraped = read("deploy/prometheus/prometheus.yml")["scrape_configs"]
    port = compose["services"]["web"]["environment"]["NEEDLE_METRICS_PORT"]
    assert scraped[0]["http_sd_configs"][0]["url"] == f"http://web:{port}/targets"
    assert scraped[1]["static_configs"][0]["targets"] == [f"web:{port}"]
    (source,) = read("deploy/grafana/datasource.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    environment = compose["services"]["grafana"]["environment"]
    (provider,) = read("deploy/grafana/dashboards.yml")["providers"]
    assert environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].startswith(
        provider["options"]["path"]
    )
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"  # no admin/admin


def test_the_images_are_built_from_files_that_exist_and_reach_the_build(
    compose: dict[str, Any],
) -> None:
    builds = {compose["services"][name]["build"]["dockerfile"] for name in OURS}
    assert builds == set(DOCKERFILES)
    for file in DOCKERFILES:
        ignore = (ROOT / f"{file}.dockerignore").read_text().splitlines()
        rules = [line for line in ignore if not line.startswith("#")]
        assert rules[0] == "*" and rules[-1] == "**/__pycache__"
        let_in = {rule[1:] for rule in rules if rule.startswith("!")}
        every = {source for n in range(len(stages(file))) for source in copied(file, n)}
        assert let_in <= every
        assert {s for s in every if not let_in & {s, *map(str, Path(s).parents)}} == set()
        for source in copied(file):
            assert (ROOT / source).exists(), f"{file} copies {source}"
