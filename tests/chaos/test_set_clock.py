"""The clock of the whole machine set by hours, in the middle of an ingest and of searches."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from machine.stack import Stack
from needle import Needle
from tests.chaos.in_a_row import CLOCK_OFF_S, Row, write_photos
from tests.clocks import HINT, ProcessClock
from tests.conftest import free_port

EACH = 40


def test_a_clock_that_is_set_holds_up_nothing(tmp_path: Path) -> None:
    """Searches end as ever, no task is done twice, and no request is taken for abandoned."""
    clock = ProcessClock.made(tmp_path)
    if clock is None:
        pytest.skip(HINT)
    photos = write_photos(tmp_path, EACH * 4)
    settings = {"NEEDLE_CHUNK_SIZE": "4", "NEEDLE_PROFILE": "fast", **clock.env}
    with (
        Stack(settings, data_dir=tmp_path / "data", port=free_port()) as stack,
        Needle(stack.base_url, patience_s=120) as needle,
    ):
        stack.wait_ready(120)
        stack.supervise()
        row = Row(stack, needle, random.Random(1), clock=clock)
        row.round(photos[:EACH], [])
        searching = Searching(needle, photos[0])
        forward, back = CLOCK_OFF_S
        for start, name in zip(range(EACH, EACH * 4, EACH), (forward, back, forward), strict=True):
            row.round(photos[start : start + EACH], [name])
        searches = searching.end()
        log = "".join(path.read_text() for path in (tmp_path / "data" / "logs").rglob("*.log"))
    row.agree_in_the_index()
    assert searches > 3
    for sentence in ("were taken over", "never ended", "were lost", "the process ends"):
        assert sentence not in log


class Searching:
    """Searches, one after the other, in a thread of its own; each has to find its photo."""

    def __init__(self, needle: Needle, photo: Path) -> None:
        self._needle, self._photo = needle, photo
        self._over, self._count = threading.Event(), 0
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> int:
        """Return how many there were, all of them well."""
        self._over.set()
        self._thread.join()
        if self._fault is not None:
            raise self._fault
        return self._count

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                found = self._needle.search(self._photo, limit=1)
                assert [Path(match.path).name for match in found.matches] == [self._photo.name]
                self._count += 1
        except BaseException as fault:
            self._fault = fault
