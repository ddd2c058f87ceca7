"""An interrupted index goes on: what the service has, or is about to have, is not sent again."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from common import ids as service_ids
from needle import ids, resume
from needle.bulk import Bulk
from needle.journal import Journal
from needle.parcels import Address
from needle.resume import ResumableIndex
from needle.sources import Sources, find
from needle.tally import Outcome, Tally
from needle.watch import changes, stamps
from tests.unit.needle.fake_needle import FakeService

URL = "http://needle:8080"


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with six images."""
    made = tmp_path / "images"
    made.mkdir()
    for number in range(6):
        (made / f"{number}.jpg").write_bytes(b"image %d" % number)
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "state" / "j.sqlite", URL, None)
    yield made
    made.close()


def run(service: FakeService, journal: Journal, sources: Sources, **options: bool) -> Outcome:
    with service.needle() as needle:
        index = ResumableIndex(needle, journal, Address(), **options)
        return index.run(sources, lambda tally: None, lambda uploads: None)


def test_ids_are_the_services() -> None:
    for collection in ("default", "shop"):
        wanted = service_ids.image_id(b"image", collection)
        assert ids.image_id(ids.digest(b"image"), collection) == wanted
    assert ids.image_id("0") == ids.image_id("0", "default")


def test_the_second_run_sends_nothing(service: FakeService, journal: Journal, folder: Path) -> None:
    sources = find([str(folder)])
    assert run(service, journal, sources) == Outcome(indexed=6, image_ids=frozenset(service.images))
    assert run(service, journal, sources) == Outcome(skipped=6)
    assert len(service.uploads) == 1
    assert run(service, journal, sources, resume=False).unchanged == 6


def test_what_was_deleted_or_changed_is_sent(
    service: FakeService, journal: Journal, folder: Path
) -> None:
    sources = find([str(folder)])
    run(service, journal, sources)
    del service.images[ids.image_id(ids.digest(b"image 3"))]
    (folder / "4.jpg").write_bytes(b"another image")
    again = run(service, journal, sources)
    assert (again.indexed, again.skipped) == (2, 4)
    assert service.uploads[-1] == ["images/3.jpg", "images/4.jpg"]


def test_after_ctrl_c_the_rest_is_sent_and_what_is_under_way_awaited(
    service: FakeService, journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "REQUEST_FILES", 2)
    service.busy = True
    sources = find([str(folder)])
    sent = _interrupted(service, journal, sources, monkeypatch)
    assert sent == [["images/0.jpg", "images/1.jpg"], ["images/2.jpg", "images/3.jpg"]]
    service.finish("index-0")

    def ends_later(request: httpx.Request) -> None:
        if request.url.path == "/api/v1/images":  # asked after the jobs
            service.busy = False

    service.before = ends_later
    outcome = run(service, journal, sources)
    assert service.uploads[2:] == [["images/4.jpg", "images/5.jpg"]], "nothing is uploaded twice"
    assert (outcome.indexed, outcome.skipped) == (4, 2), "of the six, two had ended by then"
    assert run(service, journal, sources).skipped == 6 and not journal.open_jobs()


def _interrupted(
    service: FakeService, journal: Journal, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> list[list[str]]:
    """Press Ctrl-C when the second request is under way; return what was sent."""
    seen: list[int] = []
    look = Bulk._look

    def pressed(bulk: Bulk) -> None:
        if len(seen) == 1:
            monkeypatch.setattr(Bulk, "_look", look)
            raise KeyboardInterrupt
        seen.append(1)

    monkeypatch.setattr(Bulk, "_look", pressed)
    waited: list[int] = []
    with service.needle() as needle, pytest.raises(KeyboardInterrupt):
        index = ResumableIndex(needle, journal, Address(), in_flight=8)
        index.run(sources, lambda tally: None, waited.append)
    assert waited and waited[0] <= 2
    return sorted(service.uploads)


def test_a_job_that_the_service_has_forgotten_is_no_reason_to_wait(
    service: FakeService, journal: Journal, folder: Path
) -> None:
    journal.sent("long-gone", [ids.image_id(ids.digest(b"image 0"))])
    assert run(service, journal, find([str(folder)])).indexed == 6
    assert not journal.open_jobs()


def test_urls_that_became_images_are_skipped(service: FakeService, journal: Journal) -> None:
    sources = Sources(urls=("http://x/a.jpg", "http://x/b.jpg"))
    assert run(service, journal, sources).indexed == 2
    more = Sources(urls=(*sources.urls, "http://x/c.jpg"))
    again = run(service, journal, more)
    assert (again.indexed, again.skipped) == (1, 2)
    assert service.uploads == [list(sources.urls), ["http://x/c.jpg"]]


def test_images_in_archives_are_skipped_one_by_one(
    service: FakeService, journal: Journal, folder: Path
) -> None:
    run(service, journal, find([str(folder / "0.jpg")]))
    packed = folder / "all.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.glob("*.jpg")):
            archive.write(path, path.name)
    again = run(service, journal, find([str(packed)]))
    assert (again.indexed, again.skipped) == (5, 1)


def test_the_tally_leaves_out_what_is_skipped(
    service: FakeService, journal: Journal, folder: Path
) -> None:
    run(service, journal, find([str(folder / "0.jpg")]))
    told: list[Tally] = []
    with service.needle() as needle:
        index = ResumableIndex(needle, journal, Address())
        index.run(find([str(folder)]), told.append, lambda uploads: None)
    assert told[-1] == Tally(total=5, sent=5, done=5, skipped=1)


# ---- which images are known


@pytest.mark.parametrize("archived", [False, True])
def test_of_a_large_collection_only_what_is_sent_is_asked_for(
    service: FakeService, journal: Journal, folder: Path, archived: bool
) -> None:
    for number in range(120):
        (folder / f"{number:03}.jpg").write_bytes(b"photo %d" % number)
    if archived:  # nobody knows how many there are in it
        packed = folder.parent / "all.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(folder.glob("*.jpg")):
                archive.write(path, f"images/{path.name}")
        sources = find([str(packed)])
    else:
        sources = find([str(folder)])
    assert run(service, journal, sources).indexed == 126
    held, asked = 200_000, list[str]()

    def large(request: httpx.Request) -> httpx.Response | None:
        if request.method != "GET" or request.url.path != "/api/v1/images":
            return None
        asked.append(str(request.url.params))
        if "ids" in request.url.params:
            return None
        return httpx.Response(200, json={"images": [], "total": held})

    service.before = large
    assert run(service, journal, sources).skipped == 126
    assert ["ids=" in each for each in asked] == [False, True, True, True], "one to count them"
    asked.clear()
    (folder / "new.jpg").write_bytes(b"a new one")
    assert run(service, journal, find([str(folder / "new.jpg")])).indexed == 1
    assert len(asked) == 2


def test_of_a_small_collection_the_list_is_fetched_once(
    service: FakeService, journal: Journal, folder: Path
) -> None:
    run(service, journal, find([str(folder)]))
    service.requests.clear()
    assert run(service, journal, find([str(folder)])).skipped == 6
    assert service.asked("GET", "/api/v1/images") == 2, "how many there are, and the list"


# ---- watching


def test_a_watched_folder_yields_what_is_new_or_changed_once_it_rests(folder: Path) -> None:
    looks = [
        {"a": (1, 1)},
        {"a": (1, 1), "b": (5, 5)},  # b is being written
        {"a": (1, 1), "b": (9, 9)},
        {"a": (1, 1), "b": (9, 9)},  # b rests
        {},  # the folder is away for a moment
        {"a": (1, 1), "b": (9, 9)},
        {"a": (2, 2), "b": (9, 9)},
        {"a": (2, 2), "b": (9, 9)},  # a was changed
    ]
    left = iter([{Path(name): stamp for name, stamp in look.items()} for look in looks])
    pauses: list[float] = []
    found = changes(lambda: next(left), {Path("a"): (1, 1)}, every_s=3, sleep=pauses.append)
    assert next(found) == [Path("b")]
    assert len(pauses) == 4 and set(pauses) == {3}
    assert next(found) == [Path("a")]
    assert stamps([folder / "0.jpg", folder / "gone.jpg"]).keys() == {folder / "0.jpg"}


def test_the_same_bytes_under_another_name_are_sent_so_that_both_names_are_known(
    service: FakeService, journal: Journal, folder: Path
) -> None:
    run(service, journal, find([str(folder)]))
    (folder / "copy.jpg").write_bytes((folder / "0.jpg").read_bytes())
    again = run(service, journal, find([str(folder)]))
    assert (again.skipped, again.unchanged) == (6, 1)
    assert service.uploads[-1] == ["images/copy.jpg"]


def test_an_image_of_before_paths_were_kept_is_known_by_its_name(
    service: FakeService, journal: Journal, folder: Path
) -> None:
    run(service, journal, find([str(folder)]))
    for image in service.images.values():
        image["paths"] = [image["filename"]]
    assert run(service, journal, find([str(folder)])).skipped == 6
