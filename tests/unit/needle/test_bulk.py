"""Very many images: several requests in flight, failures named, nothing sent without need."""

from __future__ import annotations

import io
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from needle import Needle, NeedleApiError, index_all, parcels, uploads
from needle.bulk import Bulk
from needle.parcels import Address, Parcel
from needle.progress import clock, tally_bar
from needle.tally import Tally
from tests.unit.needle.fake_needle import FakeService, error


def images(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_bytes(name.encode())
    return [folder / name for name in names]


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def two_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels.parcels, "__kwdefaults__", {"max_bytes": 10**9, "max_files": 2})


@pytest.mark.usefixtures("two_a_request")
def test_a_bulk_index_counts_and_names_failures(service: FakeService, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    paths = images(tmp_path, "a.jpg", "bad b.jpg", "bad c.jpg", "bad d.jpg", "e.jpg")
    with service.needle() as needle:
        outcome = index_all(needle, paths, on_progress=lambda d, f: seen.append((d, f)))
        again = index_all(needle, paths[:1])
    assert (outcome.indexed, outcome.unchanged, len(outcome.image_ids)) == (2, 0, 2)
    assert {(f.name, f.reason) for f in outcome.failures} == {
        (f"{tmp_path.name}/{name}", "It is no image.")
        for name in ("bad b.jpg", "bad c.jpg", "bad d.jpg")
    }
    assert seen[-1] == (2, 3)
    assert (again.indexed, again.unchanged, again.failures) == (0, 1, ())


@pytest.mark.usefixtures("two_a_request")
def test_several_uploads_are_in_flight(service: FakeService, tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=20)

    def all_at_once(request: httpx.Request) -> None:
        if request.method == "POST":
            together.wait()  # passes only when three requests are here at the same time

    service.before = all_at_once
    paths = images(tmp_path, *(f"{n}.jpg" for n in range(6)))
    with service.needle() as needle:
        assert index_all(needle, paths, in_flight=3).indexed == 6


def test_a_request_that_is_too_large_goes_in_halves(service: FakeService, tmp_path: Path) -> None:
    def small_only(request: httpx.Request) -> httpx.Response | None:
        files = request.content.count(b"filename=")
        large = b"huge" in request.content or files > 2
        return error(413, "too_large") if request.method == "POST" and large else None

    service.before = small_only
    names = ["a.jpg", "b.jpg", "huge.jpg", "d.jpg", "e.jpg"]
    with service.needle() as needle:
        outcome = index_all(needle, images(tmp_path, *names))
    assert outcome.indexed == 4
    assert [failure.name for failure in outcome.failures] == [f"{tmp_path.name}/huge.jpg"]


def test_a_file_that_goes_away_fails_alone(service: FakeService, tmp_path: Path) -> None:
    here, gone = (uploads.upload(path) for path in images(tmp_path, "a.jpg", "b.jpg"))
    missing = uploads.upload(images(tmp_path, "never.jpg")[0])
    (tmp_path / "b.jpg").unlink()
    (tmp_path / "never.jpg").unlink()
    told: list[Tally] = []
    with service.needle() as needle:
        bulk = Bulk(needle, Address(), on_tally=told.append)
        bulk.expect(3)
        outcome = bulk.run([Parcel(files=(here, gone)), Parcel(files=(missing,))])
        unreadable = index_all(needle, [tmp_path / "b.jpg"])
    assert outcome.indexed == 1
    assert {failure.name for failure in outcome.failures} == {"b.jpg", "never.jpg"}
    assert told[-1] == Tally(total=3, sent=1, done=1, failed=2)
    assert unreadable.failures[0].reason == "No such file or directory"


def test_a_bulk_index_stops_when_the_service_itself_refuses(
    service: FakeService, tmp_path: Path
) -> None:
    service.before = lambda request: error(409, "encoder_mismatch")
    with service.needle() as needle, pytest.raises(NeedleApiError, match="encoder_mismatch"):
        index_all(needle, images(tmp_path, "a.jpg"))


def test_a_connection_that_breaks_in_an_upload_is_tried_again(
    service: FakeService, tmp_path: Path
) -> None:
    broken = [httpx.ReadError("lost")]

    def breaks_once(request: httpx.Request) -> None:
        if request.method == "POST" and broken:
            raise broken.pop()

    with service.needle(sleep=lambda _: None) as needle:
        needle.ready()  # it is known to be Needle that answers
        needle.count()
        service.before = breaks_once
        assert index_all(needle, images(tmp_path, "a.jpg")).indexed == 1


def test_folders_are_searched_for_images(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    top = images(tmp_path, "b.JPG")
    wanted = top + images(tmp_path / "deep" / "er", "a.png")
    images(tmp_path, "notes.txt", ".c.jpg")
    images(tmp_path / ".hidden", "d.jpg")
    assert uploads.find_images([tmp_path]) == sorted(wanted)
    assert uploads.find_images([tmp_path], recursive=False) == top
    assert uploads.find_images([tmp_path / "notes.txt"]) == [tmp_path / "notes.txt"]
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        uploads.find_images([tmp_path / "nowhere"])


# ---- progress


def test_the_bar_shows_rate_time_left_and_failures() -> None:
    out = io.StringIO()
    now = [100.0]
    console = Console(file=out, force_terminal=True, width=120, get_time=lambda: now[0])
    with tally_bar(console) as told:
        now[0] += 10
        told(Tally(total=100, done=49, failed=1))
    said = out.getvalue()
    assert "50/100" in said and "1 failed" in said
    assert "5.0 images/s" in said and "0:10 left" in said


def test_what_nobody_had_counted_may_fail_and_no_more_than_all_is_done(
    service: FakeService, tmp_path: Path
) -> None:
    told: list[Tally] = []
    with service.needle() as needle:
        bulk = Bulk(needle, Address(), on_tally=told.append)
        bulk.expect(1)
        bulk.fault("https://x/a.tar", "It cannot be downloaded.")
        bulk.run([Parcel(files=(uploads.upload(images(tmp_path, "a.jpg")[0]),))])
    assert told[-1] == Tally(total=2, sent=1, done=1, failed=1)


def test_nothing_is_shown_while_there_is_nothing_to_index() -> None:
    out = io.StringIO()
    with tally_bar(Console(file=out, force_terminal=True, width=120)) as told:
        told(Tally(total=0, skipped=100))
    assert "Indexing" not in out.getvalue()


@pytest.mark.parametrize(("seconds", "said"), [(5.4, "0:05"), (61, "1:01"), (3723, "1:02:03")])
def test_times_are_written_as_clocks_do(seconds: float, said: str) -> None:
    assert clock(seconds) == said


def test_one_source_or_several_or_a_folder_are_indexed(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    first, second = tmp_path / "a.jpg", tmp_path / "deep" / "b.png"
    for path in (first, second, tmp_path / "notes.txt"):
        path.write_bytes(b"x")

    def names(sources: Any) -> list[str]:
        return [file.name for file in uploads.each(sources)]

    home = tmp_path.name
    assert names(str(first)) == names([first]) == [f"{home}/a.jpg"]
    assert names(tmp_path) == names([str(tmp_path)]) == [f"{home}/a.jpg", f"{home}/deep/b.png"]
    assert names(("a.jpg", b"x")) == ["a.jpg"]
    assert names((b"x", b"y")) == ["image-0", "image-1"]
    with pytest.raises(FileNotFoundError, match="There is no file or folder shelf"):
        list(uploads.each("shelf"))


def test_a_misspelt_option_is_refused_before_anything_is_sent() -> None:
    with Needle("http://127.0.0.1:1") as needle, pytest.raises(TypeError, match="'profil'"):
        needle.index([b"x"], profil="fast")  # type: ignore[call-arg]


@pytest.mark.usefixtures("two_a_request")
def test_nothing_more_is_sent_while_the_service_has_enough_to_do(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("needle.bulk.MOST_WAITING", 2)
    polls: Counter[str] = Counter()
    posted, under_way = 0, []

    def slowly(request: httpx.Request) -> httpx.Response | None:
        nonlocal posted
        if request.method == "POST":
            under_way.append(posted - sum(count > 3 for count in polls.values()))
            posted += 1
        elif "/items" not in request.url.path:
            job_id = request.url.path.rpartition("/")[2]
            polls[job_id] += 1
            if polls[job_id] <= 3:
                state = {"job_id": job_id, "kind": "index", "status": "started"}
                return httpx.Response(200, json={**state, "progress": {"total": 2}})
        return None

    service.before = slowly
    paths = images(tmp_path, *(f"{n}.jpg" for n in range(12)))
    with service.needle() as needle:
        assert index_all(needle, paths, in_flight=1).indexed == 12
    assert len(under_way) == 6 and max(under_way) <= 2
