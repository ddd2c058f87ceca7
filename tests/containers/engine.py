"""Docker: the engine of this machine, or one of our own that ends with the tests, and Compose."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from machine.setup.fresh import mirror

START_S = 60
COMPOSE_FROM = "trixie"
"""The release of Debian that has Compose 2; its program runs on older ones as well."""
PLUGINS = [
    Path("/usr/libexec/docker/cli-plugins/docker-compose"),
    Path("/usr/lib/docker/cli-plugins/docker-compose"),
    Path("/usr/local/lib/docker/cli-plugins/docker-compose"),
]


class Missing(Exception):
    """This machine cannot run containers; the message is the sentence for the user."""


@dataclass(frozen=True)
class Engine:
    """Runs `docker` and Compose. `env` says where the engine listens."""

    env: Mapping[str, str]
    compose_command: Sequence[str]

    def docker(self, *words: str, check: bool = True, timeout_s: float = 1800) -> str:
        """Run a command of Docker and return what it printed."""
        return self._run(["docker", *words], check=check, timeout_s=timeout_s)

    def compose(self, *words: str, check: bool = True, timeout_s: float = 3600) -> str:
        """Run a command of Compose and return what it printed."""
        return self._run([*self.compose_command, *words], check=check, timeout_s=timeout_s)

    def has_image(self, name: str) -> bool:
        """Tell whether an image is there."""
        return bool(self.docker("images", "-q", name))

    def _run(self, command: Sequence[str], *, check: bool, timeout_s: float) -> str:
        done = subprocess.run(
            command, env=dict(self.env), capture_output=True, text=True, timeout=timeout_s
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-8000:]}")
        return done.stdout.strip()


class OwnEngine:
    """A Docker engine whose images and containers lie in a folder of ours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"unix://{folder}/docker.sock"

    def start(self) -> None:
        """Start it and wait until it answers. Raises Missing."""
        if os.geteuid() != 0:
            raise Missing("No Docker engine answers here, and only root can start one.")
        if shutil.which("dockerd") is None:
            raise Missing(
                "There is no Docker engine on this machine (on Debian: apt-get install docker.io)."
            )
        home, log = self._folder, self._folder / "dockerd.log"
        self._log = log.open("wb")
        command = ["dockerd", "--data-root", f"{home}/data", "--exec-root", f"{home}/exec"]
        command += ["--pidfile", f"{home}/docker.pid", "--host", self.address]
        self._process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, start_new_session=True
        )
        deadline = time.monotonic() + START_S
        while not answers(self.address):
            if self._process.poll() is not None or time.monotonic() > deadline:
                last = log.read_text(errors="replace")[-1500:]
                self.stop()
                raise Missing(f"dockerd does not start here:\n{last}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End it and remove what it kept."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
        if self._log is not None:
            self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def answers(address: str | None) -> bool:
    """Tell whether an engine listens at the address; None: where Docker looks by itself."""
    done = subprocess.run(["docker", "info"], env=environment(address), capture_output=True)
    return done.returncode == 0


def environment(address: str | None) -> dict[str, str]:
    """Return the environment of Docker's commands: no settings of Needle by accident."""
    env = {name: v for name, v in os.environ.items() if not name.startswith("NEEDLE_")}
    return env | ({"DOCKER_HOST": address} if address else {}) | {"DOCKER_BUILDKIT": "1"}


def find_compose(folder: Path) -> list[str]:
    """Return the command of Compose 2, which is fetched into `folder` where there is none.

    Raises Missing.
    """
    if _works(["docker", "compose"]):
        return ["docker", "compose"]
    found = [str(path) for path in PLUGINS if _works([str(path)])]
    return [found[0] if found else str(_fetched(folder))]


def _works(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run([*command, "version"], capture_output=True, text=True)
    except OSError:
        return False
    return done.returncode == 0 and "v1." not in done.stdout


def _fetched(folder: Path) -> Path:
    """Take Compose out of a package of a newer Debian, without installing it. Raises Missing."""
    if shutil.which("apt-get") is None:
        raise Missing("There is no Compose 2 here (the package docker-compose-plugin has it).")
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb {mirror()} {COMPOSE_FROM} main\n")
    options = {
        "Dir::Etc::sourcelist": sources, "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists", "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }  # fmt: skip
    apt = ["apt-get", "-qq", *(word for pair in options.items() for word in _option(*pair))]
    for words in (["update"], ["download", "docker-compose"]):
        done = subprocess.run([*apt, *words], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise Missing(f"There is no Compose 2 here, and apt has none: {done.stderr[-500:]}")
    (package,) = folder.glob("docker-compose_*.deb")
    subprocess.run(["dpkg", "-x", str(package), str(folder / "compose")], check=True)
    (program,) = (folder / "compose").rglob("cli-plugins/docker-compose")
    return program


def _option(name: str, value: object) -> tuple[str, str]:
    return "-o", f"{name}={value}"
