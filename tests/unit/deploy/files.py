"""The files of the server form, read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILES = ["deploy/web.Dockerfile", "deploy/worker.Dockerfile"]


class Loader(yaml.SafeLoader):
    """YAML with Compose's own tags."""


Loader.add_constructor("!reset", lambda loader, node: None)


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load((ROOT / name).read_text(), Loader)
    return document


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    text = (ROOT / dockerfile).read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    return [(word.upper(), rest) for word, rest in pairs]


def locked(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9_.-]+)==", (ROOT / lock).read_text(), re.M))


def stages(dockerfile: str) -> list[list[tuple[str, str]]]:
    """Return the instructions of each stage; the last one becomes the image."""
    every: list[list[tuple[str, str]]] = []
    for word, rest in instructions(dockerfile):
        if word == "FROM":
            every.append([])
        if every:
            every[-1].append((word, rest))
    return every


def copied(dockerfile: str, stage: int = -1) -> list[str]:
    """Return what a stage takes from the checkout."""
    lines = [rest.split() for word, rest in stages(dockerfile)[stage] if word == "COPY"]
    return [source for line in lines if "--from" not in line[0] for source in line[:-1]]
