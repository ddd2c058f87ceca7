"""`make chaos`: an ingest of many small photos, and something goes wrong again and again."""

from __future__ import annotations

import os
import random
from functools import partial
from pathlib import Path

import pytest

from common.disk import Disk
from machine.stack import Stack
from machine.stack.services import services
from needle import Needle
from tests.chaos.in_a_row import CLOCK_OFF_S, IN_THE_MIDDLE, QDRANT, Row, write_photos
from tests.clocks import HINT, ProcessClock
from tests.conftest import free_port
from tests.qdrant_server.running import QdrantServer
from tests.small_disk import small_disk

PHOTOS, EACH = 1000, 50
LEAST = 128 * 2**20
EVERY = [
    "index child", "index worker", "search worker", "redis", "web", "connections cut",
    "stop index worker", "stop search worker", "stop redis",
]  # fmt: skip
OF_QDRANT = ["qdrant killed", *(f"qdrant {what}" for what in QDRANT)]
SEEDS = [int(seed) for seed in os.environ.get("NEEDLE_TEST_SEEDS", "1").split(",")]


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_agrees_after_every_fault(tmp_path: Path, seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    photos = write_photos(tmp_path, PHOTOS)
    with small_disk(tmp_path, 2048) as small:
        home = (small or tmp_path) / "data"
        clock = ProcessClock.made(tmp_path)
        if clock is None:
            print(f"no clock is set: {HINT}")
        every = [*EVERY, *(["disk full"] if small else []), *(CLOCK_OFF_S if clock else [])]
        settings = {
            "NEEDLE_CHUNK_SIZE": "4", "NEEDLE_PROFILE": "fast", "NEEDLE_MIN_FREE_BYTES": str(LEAST),
            **(clock.env if clock else {}),
        }  # fmt: skip
        with (
            Stack(settings, data_dir=home, port=free_port()) as stack,
            Needle(stack.base_url, patience_s=120) as needle,
        ):
            stack.wait_ready(120)
            stack.supervise()
            needle.collections()  # a client that was never answered gives up at once
            row = Row(stack, needle, chance, Disk(home, LEAST) if small else None, clock=clock)
            # Each at least once, then at random; one takes minutes to be taken back.
            names = chance.sample([*every, IN_THE_MIDDLE], len(every) + 1)
            for start in range(0, PHOTOS, EACH):
                while len(names) < 2:
                    names.append(chance.choice(every))
                some = photos[start : start + EACH]
                again = chance.sample(photos[:start], min(5, start))
                row.round([*some, *again], [names.pop() for _ in range(2)])
        row.agree_in_the_index()


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_agrees_after_every_fault_of_a_qdrant_server(tmp_path: Path, seed: int) -> None:
    """Two workers of each role, and faults of Qdrant's beside those of the processes."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    every = [*OF_QDRANT, "index child", "search worker", "redis", "web"]
    names = chance.sample([*every, *OF_QDRANT], len(every) + len(OF_QDRANT))
    photos = write_photos(tmp_path, EACH * (len(names) // 2))
    with QdrantServer(tmp_path / "qdrant") as qdrant:
        settings = {
            "NEEDLE_CHUNK_SIZE": "4", "NEEDLE_PROFILE": "fast",
            "NEEDLE_QDRANT_URL": qdrant.url, "NEEDLE_QDRANT_TIMEOUT_S": "3",
            # A task that a killed worker had is taken up again after this, and a minute.
            "NEEDLE_TASK_TIME_LIMIT_S": "30",
        }  # fmt: skip
        many = partial(services, index=2, search=2)
        with (
            Stack(
                settings, data_dir=tmp_path / "data", port=free_port(), make_services=many
            ) as stack,
            Needle(stack.base_url, patience_s=120) as needle,
        ):
            stack.wait_ready(120)
            stack.supervise()
            needle.collections()  # a client that was never answered gives up at once
            row = Row(stack, needle, chance, qdrant=qdrant)
            for start in range(0, len(photos), EACH):
                again = chance.sample(photos[:start], min(5, start))
                row.round([*photos[start : start + EACH], *again], [names.pop(), names.pop()])
            assert needle.verify().sound
        row.agree_in_the_index()
