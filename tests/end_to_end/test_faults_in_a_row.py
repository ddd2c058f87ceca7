"""A few faults in a row over an ingest; `make chaos` does many."""

from __future__ import annotations

import random
from pathlib import Path

from machine.stack import Stack
from needle import Needle
from tests.chaos.in_a_row import Row, write_photos
from tests.conftest import free_port

SEED = 18
ROUNDS = (["index child", "connections cut"], ["search worker"])


def test_everything_agrees_after_faults_in_a_row(tmp_path: Path) -> None:
    photos = write_photos(tmp_path, 24)
    settings = {"NEEDLE_CHUNK_SIZE": "4", "NEEDLE_PROFILE": "fast"}
    with (
        Stack(settings, data_dir=tmp_path / "data", port=free_port()) as stack,
        Needle(stack.base_url, patience_s=120) as needle,
    ):
        stack.wait_ready(120)
        stack.supervise()
        print(f"seed {SEED}")
        row = Row(stack, needle, random.Random(SEED))
        row.round(photos[:14], ROUNDS[0])
        row.round(photos[10:], ROUNDS[1])
    row.agree_in_the_index()
