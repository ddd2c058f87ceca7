"""The whole service in containers, by the project's own Compose files, and what may befall them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from common.deliveries import DELIVERIES
from machine.setup import secrets
from tests.conftest import REPO
from tests.containers import bases
from tests.containers.engine import Engine

PROJECT = "needle-containers"
INDEX_WORKERS = 3
HEALTHY_S = 300
OURS = ("web", "worker-index", "worker-search")
QDRANT_STAND_IN = REPO / "tests" / "qdrant_server"
FILES = ("docker-compose.yml", "deploy/docker-compose.cpu.yml")
SETTINGS = {"NEEDLE_CHUNK_SIZE": "4", "NEEDLE_PROFILE": "fast"}
"""Containers are tested, not regions: `fast` makes few."""

IMAGES = {name: f"{PROJECT}-{name.partition('-')[0]}" for name in OURS}
"""Names of our own: those that a user built stay as they are."""
STAND_IN = """
FROM {worker}
USER 0
COPY requirements/web.txt requirements/web.txt
RUN pip install --no-deps --require-hashes -r requirements/web.txt
COPY tests/qdrant_server tests/qdrant_server
RUN install -d -o 1000 -g 1000 /qdrant/storage
USER 1000:1000
ENTRYPOINT ["python", "-m", "tests.qdrant_server", "--host", "0.0.0.0"]
"""


def until(holds: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait until it holds and return the seconds that it took; fail when it does not in time."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds:g} s"
        time.sleep(0.2)
    return time.monotonic() - began


class Service:
    """The containers of one service; `stood_in` names the images that only stand for others."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._secrets = folder / "env"
        self._vectors = "qdrant"
        self._made: list[str] = []
        self.stood_in: list[str] = []
        self.key = ""
        self.url = ""

    def prepare(self) -> None:
        """Get the images of others and build ours. Raises Missing."""
        secrets.add_missing(self._secrets)
        for name in bases.wanted():
            if not bases.has(self._engine, name):
                bases.make_stand_in(self._engine, name, self._folder)
                self.stood_in.append(name)
                self._made.append(name)
        self._override()
        self._compose("build", "web", "worker-index")  # both workers have one image
        self._made += sorted(set(IMAGES.values()))
        if not bases.has(self._engine, bases.qdrant()):
            self._stand_in_for_qdrant()

    def check(self, *files: str) -> None:
        """Hold Compose files against the specification: Compose does it, with its own schema."""
        named = [word for file in files for word in ("-f", str(REPO / file))]
        self._engine.compose(*named, "--env-file", str(self._secrets), "config", "--quiet")

    def start(self) -> float:
        """Start everything and return the seconds until all of it was healthy."""
        make = ("run", "-T", "--rm", "--no-deps", "web", "python", "-m", "web", "keys", "make")
        self.key = self._compose(*make, "containers", "--scope", "admin")
        began = time.monotonic()
        scale = f"worker-index={INDEX_WORKERS}"
        self._compose("up", "-d", "--no-build", "--scale", scale)
        until(self._healthy, "every container is healthy", HEALTHY_S)
        self.url = "http://" + self._compose("port", "web", "8080")
        return time.monotonic() - began

    def remove(self) -> None:
        """Remove the containers, their volumes, and every image that was made."""
        if self._secrets.exists():
            self._compose("down", "--volumes", "--remove-orphans", "-t", "5", check=False)
        for name in reversed(self._made):
            self._engine.docker("rmi", "-f", name, check=False)

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's containers that run."""
        return self._compose("ps", "-q", service).split()

    def held(self) -> set[str]:
        """Return what all workers have under way."""
        told = self.inside("redis", "valkey-cli", "--raw", "HKEYS", DELIVERIES, check=False)
        return set(told.splitlines())

    def held_by(self, container: str) -> set[str]:
        """Return what a worker has under way: a delivery's name has the host in it."""
        return {name for name in self.held() if name.split("|")[1:2] == [container[:12]]}

    def inside(self, service: str, *words: str, check: bool = True) -> str:
        """Run a command in a service's first container and return what it printed."""
        return self._compose("exec", "-T", service, *words, check=check)

    def kill(self, container: str) -> None:
        """End a container without a chance to tidy up."""
        self._engine.docker("kill", container)

    def cut_off(self, container: str) -> None:
        """Take a container off the network, without a word on any connection."""
        self._engine.docker("network", "disconnect", f"{PROJECT}_default", container)

    def join(self, container: str) -> None:
        """Put it back."""
        self._engine.docker("network", "connect", f"{PROJECT}_default", container)

    def restart(self, service: str) -> None:
        """Restart a service's container."""
        self._compose("restart", service)

    def log(self, service: str) -> str:
        """Return what a service's containers have logged."""
        return self._compose("logs", "--no-color", "--no-log-prefix", service)

    def sizes_mb(self) -> dict[str, int]:
        """Return the sizes of our images, in millions of bytes."""
        names = sorted(set(IMAGES.values()))
        told = {name: self._engine.docker("image", "inspect", name) for name in names}
        return {name: json.loads(text)[0]["Size"] // 10**6 for name, text in told.items()}

    def _healthy(self) -> bool:
        told = self._compose("ps", "-a", "--format", "json").splitlines()
        states = [json.loads(line) for line in told]
        expected = {"redis", *OURS, *([self._vectors] if self._vectors else [])}
        return {s["Service"] for s in states} == expected and all(
            state["Health"] == "healthy" for state in states
        )

    def _stand_in_for_qdrant(self) -> None:
        name = bases.qdrant()
        if not QDRANT_STAND_IN.is_dir():
            self._vectors = ""  # the index is then Qdrant Edge, inside the search worker
            self._override()
            return
        recipe = self._folder / "qdrant.Dockerfile"
        recipe.write_text(STAND_IN.format(worker=IMAGES["worker-index"]))
        key = secret(self._secrets, "NEEDLE_QDRANT_API_KEY")
        build = {"context": str(REPO), "dockerfile": str(recipe), "network": "host"}
        command = ["--api-key", key, "--folder", "/qdrant/storage"]
        self._override({"build": build, "command": command})
        self._compose("build", "qdrant")
        self._made.append(name)
        self.stood_in.append(name)

    def _override(self, qdrant: Mapping[str, object] | None = None) -> None:
        """Write what is other here than for a user: names, a free port, the build's network."""
        lines = ["services:"]
        for name in OURS:
            given = dict(SETTINGS) if self._vectors else {**SETTINGS, "NEEDLE_QDRANT_URL": ""}
            lines += [
                f"  {name}:",
                f"    image: {IMAGES[name]}",
                "    build: {network: host}",
                f"    environment: {json.dumps(given)}",
            ]
            if not self._vectors:
                lines.append("    depends_on: !override {redis: {condition: service_healthy}}")
            if name == "web":
                lines.append('    ports: !override ["127.0.0.1::8080"]')
        if not self._vectors:
            lines.append("  qdrant: !reset null")
        elif qdrant:
            lines.append(f"  qdrant: {json.dumps(qdrant)}")
        (self._folder / "override.yml").write_text("\n".join(lines) + "\n")

    def _compose(self, *words: str, check: bool = True) -> str:
        files = [word for file in FILES for word in ("-f", str(REPO / file))]
        own = ["-f", str(self._folder / "override.yml"), "--env-file", str(self._secrets)]
        named = ["--project-directory", str(REPO), "-p", PROJECT]
        return self._engine.compose(*files, *own, *named, *words, check=check)


def secret(file: Path, name: str) -> str:
    """Return one of the secrets of a file."""
    return dict(line.split("=") for line in file.read_text().splitlines())[name]
