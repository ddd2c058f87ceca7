"""The images that ours are built on: from a registry, or stand-ins of Debian's packages.

A stand-in has the name of the image that it stands for, the programs of it that are used here, and
its users and folders; its versions are Debian's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from machine.setup.fresh import CERTIFICATES, HANDED_ON, PATH, mirror
from tests.conftest import REPO
from tests.containers.engine import Engine, Missing

PULL_S = 300
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class StandIn:
    """What stands for an image: a release of Debian, packages, and a command to run in its root."""

    suite: str
    packages: tuple[str, ...]
    then: str = "true"


STAND_INS = {
    # pip writes into Debian's own folders, which no one else uses in an image.
    "python": StandIn("bookworm", ("ca-certificates", "python3-pip", "python-is-python3")),
    "valkey/valkey": StandIn(
        "trixie", ("valkey-server", "valkey-tools"), "install -d -o valkey -g valkey /data"
    ),
}


def wanted() -> list[str]:
    """Return the names of the images of others that the files name, Qdrant's apart."""
    dockerfiles = [path.read_text() for path in sorted((REPO / "deploy").glob("*.Dockerfile"))]
    names = {name for text in dockerfiles for name in re.findall(r"^FROM (\S+)", text, re.M)}
    compose = (REPO / "docker-compose.yml").read_text()
    return sorted(names | set(re.findall(r"image: (valkey/\S+)", compose)))


def qdrant() -> str:
    """Return the name of Qdrant's image."""
    (name,) = re.findall(r"image: (qdrant/\S+)", (REPO / "docker-compose.yml").read_text())
    return str(name)


def has(engine: Engine, name: str) -> bool:
    """Get an image from its registry; tell whether that can be done."""
    if not engine.has_image(name):
        try:
            engine.docker("pull", "-q", name, check=False, timeout_s=PULL_S)
        except subprocess.TimeoutExpired:
            return False
    return engine.has_image(name)


def make_stand_in(engine: Engine, name: str, folder: Path) -> None:
    """Make what stands for an image. Raises Missing."""
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        raise Missing(
            f"No registry is reached that has {name}; root can make something that stands for it "
            "with mmdebstrap (on Debian: apt-get install mmdebstrap)."
        )
    one = STAND_INS[name.partition(":")[0]]
    archive = folder / "root.tar"
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    command += ["--include=" + ",".join(one.packages), f'--customize-hook=chroot "$1" {one.then}']
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    if bundle and "ca-certificates" in one.packages:  # an index behind a proxy of its own
        command += [f"--customize-hook=upload {bundle} {CERTIFICATES}"]
    command += [one.suite, str(archive), f"deb {mirror()} {one.suite} main"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"mmdebstrap cannot make what stands for {name}: {done.stderr[-1000:]}")
    changes = [f"--change=ENV {key}={value}" for key, value in _variables().items()]
    engine.docker("import", *changes, str(archive), name)
    archive.unlink()


def _variables() -> dict[str, str]:
    """Return the environment of a stand-in: how this machine reaches the package index."""
    given = {name: v for name, v in os.environ.items() if HANDED_ON.fullmatch(name)}
    if "PIP_CERT" in os.environ or "SSL_CERT_FILE" in os.environ:
        given["PIP_CERT"] = CERTIFICATES
    return {**given, "PATH": PATH, "PIP_BREAK_SYSTEM_PACKAGES": "1", "LANG": "C.UTF-8"}
