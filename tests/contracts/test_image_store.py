"""What every image store does: in a folder, and in a bucket of a real server of S3."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from common.errors import NotFound, StoreUnavailable
from common.images import FileImageStore, ImageStore, file_locks, redis_locks
from tests.conftest import REPO

STORES = ("files", "bucket")


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


def test_who_keeps_images_in_files_does_not_import_boto3() -> None:
    script = (
        "import sys; from common.settings import Settings; from common.services import Services; "
        "import web.app, web.page; Services.build(Settings()); "
        "sys.exit(any(name.startswith('boto') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=REPO, check=False).returncode == 0
