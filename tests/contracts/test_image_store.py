"""What every image store does: in a folder, and in a bucket of a real server of S3."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from common.errors import FetchFailed, ImageTooLarge, InvalidUrl, NotFound, StoreUnavailable
from common.images import FileImageStore, ImageStore, file_locks, open_store, redis_locks
from common.redis import Client
from common.s3.sources import SourceBuckets
from common.settings import Settings
from tests.conftest import REPO, free_port
from tests.object_store import BUCKET, ObjectStore, Proxy, credentials

STORES = ("files", "bucket")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Run a server of S3 for the module."""
    running = ObjectStore(tmp_path_factory.mktemp("s3"), free_port())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def bucket(
    server: ObjectStore, redis: Client, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ImageStore]:
    """Return what opens the store in the bucket, under a prefix."""
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)

    def opened(prefix: str = "a/b", **more: str) -> ImageStore:
        given = {**server.settings(prefix), "NEEDLE_REDIS_URL": redis_url, **more}
        settings = {name: v for name, v in given.items() if name.startswith("NEEDLE_")}
        return open_store(Settings.from_env(settings), redis)

    return opened


@pytest.fixture(params=STORES)
def store(
    request: pytest.FixtureRequest, tmp_path: Path, bucket: Callable[..., ImageStore]
) -> ImageStore:
    """Return each store in turn, empty."""
    return FileImageStore(tmp_path) if request.param == "files" else bucket(tmp_path.name)


def read(store: ImageStore, key: str, first: int = 0) -> bytes:
    with closing(store.stream(key, first)) as content:
        return b"".join(iter(lambda: content.read(1000), b""))


def test_what_is_put_is_read_whole_and_in_parts(store: ImageStore) -> None:
    content = bytes(range(256)) * 100
    store.put("images/c/ab/x y", content)
    assert store.open("images/c/ab/x y") == content
    assert read(store, "images/c/ab/x y") == content
    assert read(store, "images/c/ab/x y", 25_000) == content[25_000:]
    assert store.size("images/c/ab/x y") == len(content)
    assert store.exists("images/c/ab/x y")


def test_a_key_that_is_put_again_holds_the_new_bytes(store: ImageStore) -> None:
    store.put("k", b"old and longer")
    store.put("k", b"new")
    assert store.open("k") == b"new"


def test_an_empty_file_is_one(store: ImageStore) -> None:
    store.put("empty", b"")
    assert (store.open("empty"), store.size("empty"), store.exists("empty")) == (b"", 0, True)


def test_what_is_not_there_is_told(store: ImageStore) -> None:
    store.put("folder/key", b"1")
    for key in ("nothing", "folder/other", "folder/key/below", "folder"):
        with pytest.raises((NotFound, StoreUnavailable)):
            store.open(key)
    for key in ("nothing", "folder/other"):
        with pytest.raises(NotFound):
            store.stream(key)
        assert not store.exists(key) and store.size(key) is None
    assert store.names("nothing") == [] and store.sizes("nothing") == {}
    assert list(store.walk("nothing")) == []


def test_a_folder_is_listed_directly_and_to_the_bottom(store: ImageStore) -> None:
    for key in ("images/c/a/one", "images/c/b/two", "images/c/b/three", "images/cc/other"):
        store.put(key, key.encode())
    assert store.names("images/c") == ["a", "b"]
    assert store.names("images/c/b") == ["three", "two"]
    assert store.sizes("images/c/b") == {"three": 16, "two": 14}
    assert store.sizes("images/c") == {}
    assert dict(store.walk("images/c")) == {
        "images/c/a/one": 14, "images/c/b/three": 16, "images/c/b/two": 14,
    }  # fmt: skip


def test_a_key_is_removed_and_nothing_else(store: ImageStore) -> None:
    for key in ("q/1", "q/10", "q/1.more"):
        store.put(key, b"x")
    store.delete("q/1")
    store.delete("q/1")
    assert store.names("q") == ["1.more", "10"]


def test_a_folder_is_removed_and_nothing_beside_it(store: ImageStore) -> None:
    for key in ("q/job/1", "q/job/deep/er/2", "q/job2/1", "q/jo"):
        store.put(key, b"x")
    store.delete_folder("q/job")
    store.delete_folder("q/job")
    assert sorted(key for key, _ in store.walk("q")) == ["q/jo", "q/job2/1"]


def test_a_local_folder_is_taken_in(store: ImageStore, tmp_path: Path) -> None:
    files = tmp_path / "made"
    (files / "vectors").mkdir(parents=True)
    (files / "head").write_bytes(b"h")
    (files / "vectors" / "shard").write_bytes(bytes(3_000_000))
    store.adopt(files, "backups/job")
    assert dict(store.walk("backups")) == {
        "backups/job/head": 1,
        "backups/job/vectors/shard": 3_000_000,
    }
    assert not (files / "vectors" / "shard").exists()


def test_one_at_a_time_changes_an_image(store: ImageStore) -> None:
    inside: list[int] = []
    most: list[int] = []

    def change(number: int) -> None:
        with store.changing("c", ["same", f"own{number}"]) as held:
            inside.append(number)
            most.append(len(inside))
            held.check()
            threading.Event().wait(0.005)
            inside.remove(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(change, range(12)))
    assert max(most) == 1 and len(most) == 12


def test_who_changes_other_images_goes_on_and_who_changes_all_waits(store: ImageStore) -> None:
    order: list[str] = []
    asked = threading.Event()

    def every() -> None:
        asked.set()
        with store.changing_all("c"):
            order.append("all")

    with store.changing("c", ["a"]):
        with store.changing("c", ["b", "c"]):
            order.append("others")
        with store.changing_all("other"):
            order.append("elsewhere")
        waiting = threading.Thread(target=every)
        waiting.start()
        asked.wait(5)
        waiting.join(0.1)
        order.append("a")
    waiting.join(10)
    assert order == ["others", "elsewhere", "a", "all"]


def test_two_that_want_the_same_in_another_order_both_get_it(store: ImageStore) -> None:
    def change(names: list[str]) -> None:
        for _ in range(10):
            with store.changing("c", names):
                pass

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(change, [["a", "b", "c"], ["c", "b", "a"]]))


@pytest.mark.parametrize("module", [file_locks, redis_locks])
def test_who_waits_too_long_is_told(
    module: object, tmp_path: Path, bucket: Callable[..., ImageStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    store = FileImageStore(tmp_path) if module is file_locks else bucket()
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    with store.changing("c", ["a"]):
        for again in (store.changing("c", ["b", "a"]), store.changing_all("c")):
            with pytest.raises(StoreUnavailable, match="Others are at work"), again:
                pass
    with store.changing_all("c"), pytest.raises(StoreUnavailable), store.changing("c", ["z"]):
        pass
    with store.changing("c", ["a"]), store.changing("c", ["b"]):
        pass


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


def test_who_keeps_images_in_files_does_not_import_boto3() -> None:
    script = (
        "import sys; from common.settings import Settings; from common.services import Services; "
        "import web.app, web.page; Services.build(Settings()); "
        "sys.exit(any(name.startswith('boto') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=REPO, check=False).returncode == 0


def test_objects_of_an_allowed_prefix_are_listed_and_read_and_no_others(
    bucket: Callable[..., ImageStore], server: ObjectStore
) -> None:
    store = bucket("photos")
    for name in ("2024/a b.jpg", "2024/c.jpg", "2024/deep/d.png", "2025/e.jpg"):
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
    for other in (f"{base}/2025/e.jpg", f"{base}/2024x/e.jpg", "s3://elsewhere/e.jpg"):
        with pytest.raises(InvalidUrl, match="NEEDLE_SOURCE_BUCKETS"):
            sources.read(other, 100)
    with pytest.raises(NotFound, match="NEEDLE_SOURCE_BUCKETS"):
        sources.page(f"{base}/2025", None, 2)
    with pytest.raises(FetchFailed, match="no such bucket"):
        sources.page("s3://nope", None, 2)
