"""Hostile archives: bounded in time, memory and what they count; whatever is wrong is one item."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Iterator

import pytest
from werkzeug.datastructures import FileStorage

from common.errors import ClientLeft, NeedleError, TooLarge
from common.settings import Settings
from tests.fuzz.mutating import mutant
from tests.web.conftest import plain
from web.uploads import ImageFile, Refused, read_uploads

KINDS = ("zip", "deflated", "", "gz", "bz2", "xz")


def packed(kind: str, members: dict[str, bytes]) -> bytes:
    """Return an archive of that kind."""
    buffer = io.BytesIO()
    if kind in ("zip", "deflated"):
        method = zipfile.ZIP_STORED if kind == "zip" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode=f"w:{kind}", format=tarfile.PAX_FORMAT) as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def read(settings: Settings, *contents: bytes) -> Iterator[ImageFile | Refused]:
    """Read uploads of those bytes."""
    files = [FileStorage(io.BytesIO(content), f"{n}.zip") for n, content in enumerate(contents)]
    return read_uploads(files, settings)


def test_bytes_that_are_passed_over_count(settings: Settings) -> None:
    for kind in ("gz", "bz2", "xz", ""):
        skipped = packed(kind, {".hidden": bytes(3_000_000)})
        with pytest.raises(TooLarge):
            list(read(settings, skipped))


def test_passing_over_a_member_takes_as_long_as_unpacking_it(settings: Settings) -> None:
    roomy = settings.model_copy(update={"max_request_bytes": 2**30})
    tar = packed("", {".hidden": bytes(64 * 2**20)})
    began = time.process_time()
    gzip.decompress(small := gzip.compress(tar))
    least = time.process_time() - began
    assert len(small) < 100_000
    began = time.process_time()
    assert list(read(roomy, small)) == []
    assert time.process_time() - began < 1 + 10 * least


def test_it_ends_when_the_client_has_left(settings: Settings) -> None:
    roomy = settings.model_copy(update={"max_request_bytes": 2**30})
    file = FileStorage(io.BytesIO(packed("gz", {".hidden": bytes(20 * 2**20)})), "a.tgz")
    with pytest.raises(ClientLeft):
        list(read_uploads([file], roomy, is_there=lambda: False))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_refused_is_not_kept(settings: Settings, kind: str) -> None:
    roomy = settings.model_copy(update={"max_file_bytes": 2**22, "max_request_bytes": 2**30})
    bomb = packed(kind, {f"{n}.png": b"no image" + bytes(2_000_000) for n in range(20)})
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    found = list(read(roomy, bomb))
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(found) == 20
    assert held < 4_000_000  # of 40 MB


def test_a_member_that_is_too_large_is_refused_unread(settings: Settings) -> None:
    for kind in KINDS:
        members = {"large.png": bytes(settings.max_file_bytes + 1), "b.png": plain(1)}
        large, good = read(settings, packed(kind, members))
        assert isinstance(large, Refused) and large.error.code == "image_too_large"
        assert isinstance(good, ImageFile)


def test_more_members_than_a_request_may_hold_end_it(settings: Settings) -> None:
    for kind in ("zip", ""):
        many = packed(kind, {f".{n}": b"" for n in range(3 * settings.max_items_per_job)})
        with pytest.raises(TooLarge):
            list(read(settings.model_copy(update={"max_items_per_job": 5}), many))


def test_a_header_that_is_too_long_is_damage(settings: Settings) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**30
    (found,) = read(settings, info.tobuf() + bytes(1024))
    assert isinstance(found, Refused) and "too long" in found.error.message


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_member_that_is_larger_than_it_says_takes_no_memory(
    settings: Settings, method: int
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, archive.open("a.png", "w") as file:
        for _ in range(200):
            file.write(bytes(2**20))
    bomb = bytearray(buffer.getvalue())
    for at in (22, bomb.rfind(b"PK\x01\x02") + 24):
        struct.pack_into("<L", bomb, at, 1000)  # what it is said to unpack to
    tracemalloc.start()
    (found,) = read(settings, bytes(bomb))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found, Refused) and most < 20 * 2**20


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_other_methods_is_unpacked(settings: Settings, method: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for n in range(3):
            archive.writestr(f"{n}.png", plain(n))
    found = list(read(settings, buffer.getvalue()))
    assert [f.content for f in found if isinstance(f, ImageFile)] == [plain(n) for n in range(3)]


def holes(name: str, size: int) -> bytes:
    """Return a sparse member of a tar archive: so many bytes, none of which it holds."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    for at, number in ((386, size), (398, 0), (483, size)):
        head[at : at + 12] = b"%011o\0" % number
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def test_the_holes_of_a_sparse_file_count(settings: Settings) -> None:
    size = settings.max_file_bytes
    tar = b"".join(holes(f"{n}.png", size) for n in range(30)) + bytes(1024)
    assert len(tar) < size
    with pytest.raises(TooLarge):
        list(read(settings, gzip.compress(tar)))
    (found,) = read(settings, holes("a.png", size) + bytes(1024))
    assert isinstance(found, Refused) and found.error.code == "invalid_image"


def mutants(seed: int, count: int) -> Iterator[bytes]:
    """Yield damaged archives of every kind."""
    dice = random.Random(seed)
    members = {"a/b.png": plain(1), "ü.txt": b"hello" * 9, "c" * 120 + ".png": plain(2)}
    sound = [packed(kind, members) for kind in KINDS]
    for _ in range(count):
        yield mutant(dice.choice(sound), dice)


def survive(settings: Settings, seed: int, count: int) -> None:
    """Read so many mutants; only errors of ours may come out."""
    for content in mutants(seed, count):
        try:
            for found in read(settings, content):
                assert isinstance(found, ImageFile | Refused)
        except NeedleError:
            continue


def test_mutated_archives_end_as_items_or_as_a_refusal(settings: Settings) -> None:
    survive(settings, seed=18, count=400)
