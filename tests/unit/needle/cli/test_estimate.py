"""`needle index --dry-run`: what is counted, and what a sample says of the rest."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import httpx
import pytest

from needle.cli import ExitCode
from needle.estimate import extent
from needle.sources import Sources
from tests.unit.needle.cli.conftest import Run, image
from tests.unit.needle.fake_needle import FakeService, error

SHARD = "https://data.example/0.tar"


@pytest.fixture
def everything(run: Run, service: FakeService) -> list[str]:
    """Return words that name six images here, two in a bucket, one URL, an archive by URL."""
    with zipfile.ZipFile("a.zip", "w") as packed:
        packed.writestr("x/3.jpg", image(3))
        packed.writestr("notes.txt", "no image")
    with tarfile.open("b.tar.gz", "w:gz") as tar:
        for number in (4, 5, 6):
            content = image(number)
            member = tarfile.TarInfo(f"./{number}.jpg")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    home = "s3://photos/2024"
    service.objects = {
        home: [f"{home}/0.tar", f"{home}/7.jpg"],
        f"{home}/0.tar/": [f"{home}/0.tar#512+9/8.jpg", f"{home}/0.tar#1536+9/8.json"],
    }
    return ["images", "a.zip", "b.tar.gz", home, "http://x/9.jpg", SHARD]


def test_everything_is_counted_and_nothing_is_sent(
    run: Run, service: FakeService, everything: list[str]
) -> None:
    ended = run("index", *everything, "--dry-run")
    assert "9 images of " in ended.out and "; no index worker has said" in ended.out
    assert "not counted: 1 archive given by URL; left out: 1 .txt, 1 .json" in ended.out
    facts = run("index", *everything, "--dry-run", "--json").json
    files = [*Path("images").iterdir(), Path("a.zip"), Path("b.tar.gz")]
    assert (facts["images"], facts["uncounted"]) == (9, 1)
    assert facts["bytes"] == sum(path.stat().st_size for path in files) + 2 * 9
    assert service.uploads == []


def test_an_archive_that_cannot_be_read_is_said_and_not_counted(run: Run) -> None:
    Path("cut.zip").write_bytes(b"PK")
    Path("cut.tar").write_bytes(b"no archive")
    ended = run("index", "images", "cut.zip", "cut.tar", "--dry-run")
    assert ended.status == ExitCode.FAILED and "2 images" in ended.out
    assert "not counted cut.zip" in ended.err and "not counted cut.tar" in ended.err


def test_a_sample_is_indexed_elsewhere_and_says_what_all_of_it_would_take(
    run: Run, service: FakeService, everything: list[str]
) -> None:
    words = ("index", *everything, "-c", "shop", "--profile", "fast", "--dry-run")
    ended = run(*words, "--sample", "4")
    assert ended.status == 0
    assert "9 images of" in ended.out and "takes roughly 1 second" in ended.out
    assert "makes about 45 regions, judging by" in ended.out
    assert "by 4 images indexed on trial (" in ended.out and "5 regions each)" in ended.out
    assert sum(map(len, service.uploads)) == 4
    assert service.asked("DELETE", f"/api/v1/collections/{_made(service)}") == 1
    assert not service.images
    for request in service.requests:
        if (request.method, request.url.path) == ("POST", "/api/v1/images"):
            assert _made(service).encode() in request.content and b"fast" in request.content
            assert b"shop" not in request.content
    facts = run(*words, "--sample", "100", "--json").json
    assert (facts["images"], facts["regions"], facts["sample"]["images"]) == (9, 45, 9)
    assert facts["sample"]["seconds"] > 0 and facts["sample"]["failed"] == 0


def _made(service: FakeService) -> str:
    """Return the name of the collection that was made."""
    posted = [
        r for r in service.requests if (r.method, r.url.path) == ("POST", "/api/v1/collections")
    ]
    name = str(json.loads(posted[0].content)["name"])
    assert name.startswith("needle-sample-")
    return name


def test_images_of_a_sample_that_fail_count(run: Run, service: FakeService) -> None:
    for number in range(2):
        Path("images", f"x{number}.jpg").write_bytes(b"bad %d" % number)
    facts = run("index", "images", "--dry-run", "--sample", "4", "--json").json
    assert (facts["images"], facts["regions"], facts["sample"]["failed"]) == (4, 10, 2)
    for path in Path("images").glob("[0-9].jpg"):
        path.unlink()
    ended = run("index", "images", "--dry-run", "--sample", "4")
    assert ended.status == ExitCode.FAILED and "2 images tried, and none" in ended.out


def test_a_sample_is_indexed_as_all_of_it_would_be(run: Run, service: FakeService) -> None:
    words = ("--batch-size", "7", "--profile", "fast", "-m", "shop=Basel")
    assert run("index", "images", "--dry-run", "--sample", "2", *words).status == 0
    (posted,) = (
        r for r in service.requests if (r.method, r.url.path) == ("POST", "/api/v1/images")
    )
    assert b'name="batch_size"\r\n\r\n7\r\n' in posted.content and b"Basel" not in posted.content


def test_whatever_happens_the_collection_of_the_sample_is_removed(
    run: Run, service: FakeService
) -> None:
    def refused(request: httpx.Request) -> httpx.Response | None:
        posted = (request.method, request.url.path) == ("POST", "/api/v1/images")
        return error(409, "encoder_mismatch") if posted else None

    service.before = refused
    assert run("index", "images", "--dry-run", "--sample", "2").status == ExitCode.FAILED
    assert service.asked("DELETE", f"/api/v1/collections/{_made(service)}") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("images", "--sample", "2"), "goes with --dry-run"),
        ((SHARD, "--dry-run", "--sample", "2"), "nothing to draw a sample of"),
    ],
)
def test_a_sample_that_cannot_be_had_is_refused(
    run: Run, service: FakeService, words: tuple[str, ...], said: str
) -> None:
    ended = run("index", *words)
    assert ended.status == ExitCode.USAGE and said in ended.err
    assert not service.asked("POST", "/api/v1/")


def test_each_image_may_be_drawn(service: FakeService) -> None:
    found = Sources(urls=tuple(f"http://x/{n}.jpg" for n in range(40)))
    with service.needle() as needle:
        drawn = [extent(needle, found, draw=8).drawn for _ in range(60)]
    assert all(len(set(some)) == 8 for some in drawn)
    assert {url for some in drawn for url in some} == set(found.urls)


def test_a_sample_has_its_share_of_large_images(service: FakeService, tmp_path: Path) -> None:
    for number in range(16):
        (tmp_path / f"{number}.jpg").write_bytes(b"x" * (100 + number))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for number in range(4):
            packed.writestr(f"large-{number}.jpg", b"x" * (9000 + number))
    found = Sources(images=tuple(sorted(tmp_path.glob("*.jpg"))), archives=(tmp_path / "a.zip",))
    with service.needle() as needle:
        for _ in range(20):
            drawn = extent(needle, found, draw=5).drawn
            assert len(drawn) == 5 and sum(isinstance(one, tuple) for one in drawn) == 1
