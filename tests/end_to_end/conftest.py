"""The whole service: the real processes, over HTTP, with the pack that ships."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from machine.stack import Stack
from machine.stack.process import Command
from machine.stack.services import services
from needle import Needle
from tests.conftest import free_port


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a service of its own for the module."""
    env = {
        "NEEDLE_REGIONS_PER_IMAGE": "120",
        "NEEDLE_CHUNK_SIZE": "4",
        # What is found is not to depend on how busy the machine is.
        "NEEDLE_VERIFY_BUDGET_MS": "15000",
        "NEEDLE_ZOOM_BUDGET_MS": "15000",
    }
    folder = tmp_path_factory.mktemp("service")
    running = Stack(env, data_dir=folder, port=free_port())
    with running:
        running.wait_ready(120)
        running.supervise()
        yield running


@pytest.fixture
def needle(stack: Stack) -> Iterator[Needle]:
    """Return a client of the service."""
    with Needle(stack.base_url) as client:
        yield client


def scene(seed: int) -> Image.Image:
    """Return a photo of 640 x 480 pixels: coloured blocks and discs, another for each seed."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    photo = np.asarray(Image.fromarray(ground).resize((640, 480), Image.Resampling.BICUBIC)).copy()
    places = np.mgrid[0:480, 0:640]
    for _ in range(25):
        x, y, r = rng.integers(0, 640), rng.integers(0, 480), rng.integers(12, 60)
        part = np.s_[max(y - r, 0) : y + r, max(x - r, 0) : x + r]
        rows, columns = (axis[part] for axis in places)
        inside = (columns - x) ** 2 + (rows - y) ** 2 < r**2
        if rng.random() < 0.5:
            inside = (abs(columns - x) < r) & (abs(rows - y) < r * rng.uniform(0.3, 1))
        photo[part][inside] = rng.integers(0, 256, 3)
    return Image.fromarray(photo)


def write_scenes(folder: Path, seeds: range) -> list[Path]:
    """Write photos as JPEG files and return their paths."""
    paths = []
    for seed in seeds:
        path = folder / f"scene{seed:03}.jpg"
        scene(seed).save(path, quality=92)
        paths.append(path)
    return paths


def corner(path: Path) -> bytes:
    """Return a part of a photo."""
    buffer = io.BytesIO()
    with Image.open(path) as photo:
        photo.crop((320, 240, 640, 480)).save(buffer, "PNG")
    return buffer.getvalue()


def apart(env: Mapping[str, str], *, index: int = 1, search: int = 1) -> list[Command]:
    """Return the processes of the service, each with a data folder of its own."""
    commands = []
    for command in services(env, index=index, search=search):
        own = {**env, "NEEDLE_DATA_DIR": f"{env['NEEDLE_DATA_DIR']}/{command.name}"}
        commands.append(replace(command, env=own, beats=None))
    return commands
