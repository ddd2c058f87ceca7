"""Listings of tar archives that are read by ranges: ordinary ones, and ones made to harm."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from common.s3 import tars
from needle import archives

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


@pytest.mark.parametrize("length", [100, 740, 800, 980])
def test_what_is_in_an_archive_of_a_long_key_has_a_name_that_fits(length: int) -> None:
    key = "k" * (length - 4) + ".tar"
    archive = Stored(packed({"é" * 200 + ".jpg": b"1" * 700}))
    (found,) = archive.listed(key)
    assert len(str(found).encode()) <= 1024 and found.name.endswith("é.jpg")
    assert tars.Member.of(str(found)) == found
    with pytest.raises(tars.NoTar, match="key is so long"):
        archive.listed("k" * 1015 + ".tar")


def longname(size: int) -> bytes:
    """Return the header of a long name of so many bytes."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, size
    return member.tobuf(tarfile.GNU_FORMAT)


def with_pax(**headers: str) -> bytes:
    """Return an archive of an image with such pax records."""
    member = tarfile.TarInfo("a.jpg")
    member.size, member.pax_headers = 512, headers
    return member.tobuf(tarfile.PAX_FORMAT) + bytes(512 + 1024)


HARMFUL = {
    "names of names": (longname(512) + b"x".ljust(512, b"\0")) * 600 + packed({"a.jpg": b"1"}),
    "no map": with_pax(**{"GNU.sparse.map": "x"}),
    "a name of 64 GiB": longname(2**36) + packed({"a.jpg": b"1"}),
    "a name beyond all files": longname(2**70) + packed({"a.jpg": b"1"}),
    "a size below 0": with_pax(size="-512"),
    "a size back to the start": with_pax(size="-1536"),
}


@pytest.mark.parametrize("what", HARMFUL)
def test_an_archive_made_to_harm_is_none(what: str, tmp_path: Path) -> None:
    with pytest.raises(tars.NoTar):
        Stored(HARMFUL[what]).listed()
    path = tmp_path / "a.tar"
    path.write_bytes(HARMFUL[what])
    for read in (archives.names, archives.members):
        with pytest.raises(archives.DamagedArchive):
            list(read(path))


def test_no_listing_begins_where_no_file_reaches() -> None:
    archive = Stored(packed({"a.jpg": b"1"}))
    with pytest.raises(tars.NoTar):
        tars.members(KEY, archive, len(archive.content), 10**1000, 7)
