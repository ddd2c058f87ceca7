"""Listings of tar archives that are read by ranges: ordinary ones whole."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Sequence

import pytest

from common.s3 import tars

KEY = "shards/000.tar"
FORMS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


class Stored:
    """An archive that is read by ranges, and what was asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[tuple[int, int]] = []

    def __call__(self, first: int, size: int) -> bytes:
        self.asked.append((first, size))
        return self.content[first : first + size]

    def listed(self, key: str = KEY, limit: int = 7) -> Sequence[tars.Member]:
        """Return what all the pages of a listing hold."""
        found: list[tars.Member] = []
        after: int | None = 0
        while after is not None:
            page, after = tars.members(key, self, len(self.content), after, limit)
            found += page
        return found


def packed(files: dict[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(5))
def test_headers_and_long_names_may_lie_across_the_ends_of_blocks(form: int, seed: int) -> None:
    chance = random.Random(seed)
    folder = "" if form == tarfile.USTAR_FORMAT else "a folder of a long name/" * 8
    sizes = [chance.randint(300, 60_000) for _ in range(100)]
    files = {f"{folder}{n:03}.jpg": chance.randbytes(size) for n, size in enumerate(sizes)}
    archive = Stored(packed(files, form))
    _, end = tars.members(KEY, archive, len(archive.content), 0, 1000)
    assert end is None and len(archive.asked) <= 2 * len(files)
    for limit in (7, 1000):
        found = archive.listed(limit=limit)
        assert {m.name: archive.content[m.first :][: m.size] for m in found} == files
