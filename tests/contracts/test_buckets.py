"""What only a bucket has: limits, faults, signed URLs, and images that lie there already."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import httpx
import pytest
from botocore.exceptions import ClientError

from common.errors import (
    BadRequest,
    FetchFailed,
    ImageTooLarge,
    InvalidUrl,
    NotFound,
    StoreUnavailable,
)
from common.images import ImageStore
from common.s3.errors import BucketRefused, translated
from common.s3.sources import Found, SourceBuckets, path_of
from common.settings import Settings
from tests.object_store import BUCKET, ObjectStore, Proxy


def test_more_keys_than_one_request_takes_are_removed(
    bucket: Callable[..., ImageStore], server: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.images.s3.DELETED_TOGETHER", 4)
    store = bucket("many")
    for number in range(10):
        store.put(f"queries/job/{number}", b"x")
    store.delete_folder("queries/job")
    assert server.objects("many") == []


def test_a_bucket_may_be_used_without_a_prefix(
    bucket: Callable[..., ImageStore], server: ObjectStore
) -> None:
    store = bucket("")
    store.put("images/c/key", b"1")
    assert server.objects("images") == ["images/c/key"]
    store.delete_folder("images")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"NEEDLE_IMAGE_STORE": "s3://elsewhere"}, "no such bucket"),
        ({"NEEDLE_S3_ENDPOINT": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "refuses the credentials"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    bucket: Callable[..., ImageStore], monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str], said: str,
) -> None:  # fmt: skip
    for name, value in settings.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    store = bucket(**{n: v for n, v in settings.items() if n.startswith("NEEDLE_")})
    for call in (
        lambda: store.put("k", b"1"),
        lambda: store.open("k"),
        lambda: store.names("images"),
        lambda: store.delete_folder("images"),
    ):
        with pytest.raises(StoreUnavailable, match=said):
            call()


def test_a_server_that_is_busy_hangs_or_cuts_off_is_unavailable_and_then_goes_on(
    server: ObjectStore, bucket: Callable[..., ImageStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.s3.client.READ_TIMEOUT_S", 0.3)
    proxy = Proxy(server.port)
    store = bucket("faults", NEEDLE_S3_ENDPOINT=proxy.url)
    store.put("k", content := bytes(200_000))
    proxy.fault = "busy"
    with pytest.raises(StoreUnavailable, match=r"503 \(SlowDown\)"):
        store.put("k", b"other")
    proxy.fault = "cut"
    with pytest.raises(StoreUnavailable, match="connection failed"):
        store.open("k")
    proxy.fault = None
    with server.hanging(), pytest.raises(StoreUnavailable, match="in time"):
        store.open("k")
    assert store.open("k") == content
    proxy.close()


def test_a_signed_url_is_read_by_whoever_has_it(bucket: Callable[..., ImageStore]) -> None:
    store = bucket("signed", NEEDLE_SIGNED_URLS="on")
    store.put("images/c/a b", b"1234")
    url = store.signed_url("images/c/a b", "image/png")
    assert url is not None and httpx.get(url).content == b"1234"
    for other in (url.partition("?")[0], url.replace("a%20b", "b")):
        assert httpx.get(other).status_code in (400, 403)
    assert httpx.get(url, headers={"Range": "bytes=1-2"}).content == b"23"
    etag = httpx.get(url).headers["etag"]
    assert httpx.get(url, headers={"If-None-Match": etag}).status_code == 304
    named = bucket("signed", NEEDLE_SIGNED_URLS="on", NEEDLE_S3_PUBLIC_ENDPOINT="https://p.example")
    assert str(named.signed_url("k", "image/png")).startswith("https://p.example/needle/signed/k?")
    assert bucket("signed").signed_url("k", "image/png") is None


def test_objects_of_an_allowed_prefix_are_listed_and_read_and_no_others(
    bucket: Callable[..., ImageStore], server: ObjectStore
) -> None:
    store = bucket("photos")
    for name in ("2024/a b.jpg", "2024/c.jpg", "2024/deep/d.png", "2024x/e.jpg", "2025/e.jpg"):
        store.put(name, name.encode())
    base, allowed = f"s3://{BUCKET}/photos", f"{BUCKET}/photos/2024, nope"
    given = {"NEEDLE_S3_ENDPOINT": server.url, "NEEDLE_SOURCE_BUCKETS": allowed}
    sources = SourceBuckets(Settings.from_env(given))
    first, after = sources.page(f"{base}/2024", None, 2)
    assert [each.url for each in first] == [f"{base}/2024/a b.jpg", f"{base}/2024/c.jpg"]
    rest, end = sources.page(f"{base}/2024", after, 2)
    assert ([each.url for each in rest], end) == ([f"{base}/2024/deep/d.png"], None)
    assert rest[0].bytes == 15
    assert sources.read(f"{base}/2024/a b.jpg", 100) == b"2024/a b.jpg"
    with pytest.raises(ImageTooLarge):
        sources.read(f"{base}/2024/c.jpg", 5)
    with pytest.raises(FetchFailed, match="does not hold"):
        sources.read(f"{base}/2024/gone.jpg", 5)
    led_out = ("../2025/e.jpg", "./c.jpg", "deep/../../2025/e.jpg", "..", "x" * 1025, "\udcff")
    for key in led_out:  # a server that refuses such a key would be asked for it for ever
        with pytest.raises(InvalidUrl, match="can be in a bucket"):
            sources.read(f"{base}/2024/{key}", 100)
    for other in (f"{base}/2025/e.jpg", f"{base}/2024x/e.jpg", "s3://elsewhere/e.jpg"):
        with pytest.raises(InvalidUrl, match="NEEDLE_SOURCE_BUCKETS"):
            sources.read(other, 100)
    with pytest.raises(NotFound, match="NEEDLE_SOURCE_BUCKETS"):
        sources.page(f"{base}/2025", None, 2)
    with pytest.raises(FetchFailed, match="no such bucket"):
        sources.page("s3://nope", None, 2)


def test_what_a_server_never_takes_is_not_to_be_tried_again() -> None:
    answer = {"Error": {"Code": "KeyTooLongError"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    with pytest.raises(BucketRefused, match="does not take this"), translated("be read"):
        raise ClientError(answer, "GetObject")


def packed(files: dict[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar archive of files, with a folder, a link and what file managers leave."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, kind in (("shelf", tarfile.DIRTYPE), ("link.jpg", tarfile.SYMTYPE)):
            other = tarfile.TarInfo(name)
            other.type, other.linkname = kind, "elsewhere.jpg"
            tar.addfile(other)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


LONG = "a folder of a long name/" * 8 + "é.jpg"
FILES = {
    "./0001.jpg": b"1" * 700,
    "0001.json": b"{}",
    LONG: b"2" * 70_000,
    "__MACOSX/._0001.jpg": b"x",
    "../../0003.jpg": b"3" * 512,
}
"""Names as tar archives have them, and sizes that end within a block and with one."""


@pytest.fixture
def sources(bucket: Callable[..., ImageStore], server: ObjectStore) -> SourceBuckets:
    """Return the buckets, of which a prefix may be read; the credentials are in place."""
    bucket("tars")
    given = {"NEEDLE_S3_ENDPOINT": server.url, "NEEDLE_SOURCE_BUCKETS": f"{BUCKET}/tars"}
    return SourceBuckets(Settings.from_env(given))


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_the_files_in_an_archive_are_listed_page_by_page_and_read_by_themselves(
    bucket: Callable[..., ImageStore], sources: SourceBuckets, form: int, limit: int
) -> None:
    bucket("tars").put("shard.tar", packed(FILES, form))
    found: list[Found] = []
    after: str | None = None
    while True:
        page, after = sources.page(f"s3://{BUCKET}/tars/shard.tar/", after, limit)
        assert len(page) <= limit
        found += page
        if after is None:
            break
    wanted = ["0001.jpg", "0001.json", LONG, "0003.jpg"]
    assert [each.url.rpartition("+")[2].partition("/")[2] for each in found] == wanted
    contents = [FILES[name] for name in ("./0001.jpg", "0001.json", LONG, "../../0003.jpg")]
    assert [sources.read(each.url, 10**6) for each in found] == contents
    assert [each.bytes for each in found] == list(map(len, contents))
    assert path_of(found[0].url) == f"{BUCKET}/tars/shard.tar/0001.jpg"
    with pytest.raises(ImageTooLarge):
        sources.read(found[2].url, 69_999)


def test_an_empty_file_in_an_archive_is_said_to_be(
    bucket: Callable[..., ImageStore], sources: SourceBuckets
) -> None:
    bucket("tars").put("shard.tar", packed({"empty.jpg": b""}))
    ((empty,), _) = sources.page(f"s3://{BUCKET}/tars/shard.tar/", None, 100)
    with pytest.raises(FetchFailed, match="is empty"):
        sources.read(empty.url, 100)


def test_a_listing_that_takes_long_says_that_there_is_more(
    bucket: Callable[..., ImageStore], sources: SourceBuckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.s3.tars.LISTING_S", -1.0)
    bucket("tars").put("slow.tar", packed(FILES))
    url = f"s3://{BUCKET}/tars/slow.tar/"
    first, after = sources.page(url, None, 100)
    assert len(first) < 4 and after is not None
    monkeypatch.undo()
    sources.page(url, after, 100)


def test_an_archive_that_is_none_damaged_or_changed_is_said_to_be(
    bucket: Callable[..., ImageStore], sources: SourceBuckets
) -> None:
    store, home = bucket("tars"), f"s3://{BUCKET}/tars"
    whole = packed(FILES)
    store.put("none.tar", b"no archive at all" * 100)
    second = whole.index(b"0001.json")
    store.put("damaged.tar", whole[:second] + b"\1" * 512 + whole[second + 512 :])
    store.put("shard.tar", whole)
    for name in ("none", "damaged"):
        with pytest.raises(FetchFailed, match=rf"{name}\.tar cannot be read"):
            sources.page(f"{home}/{name}.tar/", None, 100)
    found, _ = sources.page(f"{home}/shard.tar/", None, 100)
    store.put("shard.tar", whole[:1000])
    with pytest.raises(FetchFailed):
        sources.read(found[-1].url, 10**6)
    with pytest.raises(BadRequest, match="no place"):
        sources.page(f"{home}/shard.tar/", "x", 100)
    with pytest.raises(NotFound, match="NEEDLE_SOURCE_BUCKETS"):
        sources.page(f"s3://{BUCKET}/elsewhere/shard.tar/", None, 100)
    with pytest.raises(InvalidUrl, match="NEEDLE_SOURCE_BUCKETS"):
        sources.read(found[0].url.replace("/tars/", "/elsewhere/"), 100)


def test_a_folder_may_be_called_like_an_archive(
    bucket: Callable[..., ImageStore], sources: SourceBuckets
) -> None:
    bucket("tars").put("folder.tar/a.jpg", b"1")
    found, _ = sources.page(f"s3://{BUCKET}/tars/folder.tar/", None, 100)
    assert [each.url for each in found] == [f"s3://{BUCKET}/tars/folder.tar/a.jpg"]


def test_a_single_archive_may_be_all_that_is_allowed(
    bucket: Callable[..., ImageStore], server: ObjectStore
) -> None:
    store, home = bucket("tars"), f"s3://{BUCKET}/tars"
    for name in ("one.tar", "other.tar"):
        store.put(name, packed(FILES))
    allowed = f"{BUCKET}/tars/one.tar, {BUCKET}/tars/other.tar/shelf"
    given = {"NEEDLE_S3_ENDPOINT": server.url, "NEEDLE_SOURCE_BUCKETS": allowed}
    sources = SourceBuckets(Settings.from_env(given))
    for named in (f"{home}/one.tar", f"{home}/one.tar/"):
        found, _ = sources.page(named, None, 100)
        assert sources.read(found[0].url, 10**6) == FILES["./0001.jpg"]
    for other in (
        f"{home}/other.tar#0+512/shelf/a.jpg",
        f"{home}/one.tar.bak",
        f"{home}/other.tar",
    ):
        with pytest.raises(InvalidUrl):
            sources.read(other, 10**6)
