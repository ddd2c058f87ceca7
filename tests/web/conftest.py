"""The application on a real Redis; no worker takes the tasks, the tests look at them instead."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from common.beacons import beacon_key
from common.catalogue import ImageRecord
from common.geometry import Box
from common.images import image_key, regions_key, thumbnail_key
from common.redis import Client
from common.regions import ListedRegion, packed
from common.services import Services
from common.settings import Settings
from tests.conftest import REPO, free_port
from tests.web.serving import alive
from web.app import create_app


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    """Return settings with small limits."""
    return Settings(
        data_dir=tmp_path,
        redis_url=redis_url,
        max_file_bytes=100_000,
        max_request_bytes=2_000_000,
        max_image_pixels=1_000_000,
        max_items_per_job=50,
        max_queued_tasks=20,
        chunk_size=4,
    )


@pytest.fixture
def app(settings: Settings, redis: Client) -> Flask:
    """Return the application on an empty Redis."""
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client of the application."""
    return app.test_client()


@pytest.fixture
def tasks(redis: Client) -> Callable[[str], list[dict[str, Any]]]:
    """Return what reads the arguments of the tasks on a queue, oldest first."""

    def read(queue: str) -> list[dict[str, Any]]:
        import base64

        messages = [json.loads(text) for text in reversed(redis.lrange(queue, 0, -1))]
        return [json.loads(base64.b64decode(m["body"]))[1] for m in messages]

    return read


@pytest.fixture
def services(app: Flask) -> Services:
    """Return the application's services."""
    found: Services = app.extensions["needle"]
    return found


@pytest.fixture
def indexed(services: Services) -> ImageRecord:
    """Return an image as an index worker leaves it."""
    content = plain(5, size=(60, 40), kind="JPEG")
    record = ImageRecord("image-1", "default", "a.jpg", "image/jpeg", 60, 40, len(content))
    services.images.put(image_key("default", "image-1"), content)
    services.images.put(thumbnail_key("default", "image-1"), plain(kind="JPEG"))
    region = ListedRegion(Box(0, 0, 30, 20), "tile", None, None)
    services.images.put(regions_key("default", "image-1"), packed([region]))
    services.catalogue.add([record])
    done = record.indexed(regions=1, at=1.0, recipe="r")
    services.catalogue.mark_indexed("default", [done])
    return done


def plain(colour: int = 0, size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    """Return the bytes of an image or a query in one colour; another colour is another one."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (colour, 90, 200)).save(buffer, kind)
    return buffer.getvalue()


def files(*contents: bytes, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the multipart body of those files."""
    named = names or tuple(f"{n}.png" for n in range(len(contents)))
    return {"files": [(io.BytesIO(c), name) for c, name in zip(contents, named, strict=True)]}


def light(redis: Client, role: str, models: dict[str, Any], host: str = "a") -> None:
    """Light the beacon of a worker that lives."""
    key = beacon_key(role, host, 1)
    redis.set(key, json.dumps({"role": role, "models": models}))
    redis.zadd("needle:beacons", {key: time.time()})


@pytest.fixture
def port(running: tuple[int, int]) -> int:
    """Run the web server and return its port."""
    return running[0]


@pytest.fixture
def running(tmp_path: Path, redis_url: str, redis: Client) -> Iterator[tuple[int, int]]:
    """Run the web server and return its port, and the id of the process that answers."""
    found = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEEDLE_")}
    env |= {
        "NEEDLE_PORT": str(found),
        "NEEDLE_REDIS_URL": redis_url,
        "NEEDLE_DATA_DIR": str(tmp_path),
    }
    process = subprocess.Popen([sys.executable, "-m", "web"], cwd=REPO, env=env)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", found), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        alive(found, 30)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield found, int(children[0])
    finally:
        process.terminate()
        process.wait(20)
