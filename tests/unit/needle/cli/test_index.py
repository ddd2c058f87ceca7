"""`needle index`: what it sends, what it says, how it ends."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from needle import watch
from needle.cli import ExitCode
from needle.journal import Journal
from tests.unit.needle.cli.conftest import Run, image
from tests.unit.needle.fake_needle import FakeService


def test_a_folder_is_indexed_once(run: Run, service: FakeService) -> None:
    first, second = run("index", "images"), run("index", "images")
    assert (first.status, second.status) == (0, 0)
    assert "2 indexed, 0 unchanged, 0 failed" in first.out
    assert "0 indexed, 0 unchanged, 0 failed; 2 already indexed, skipped" in second.out
    assert len(service.uploads) == 1
    assert "2 unchanged" in run("index", "images", "--no-resume").out


def test_images_that_fail_are_named_and_the_status_says_so(run: Run) -> None:
    Path("images", "x.jpg").write_bytes(b"bad")
    ended = run("index", "images")
    assert ended.status == ExitCode.FAILED and "2 indexed, 0 unchanged, 1 failed" in ended.out
    assert "failed images/x.jpg: It is no image." in ended.err
    counted = run("index", "images", "--json").json
    assert (counted["skipped"], counted["failed"], counted["indexed"]) == (2, 1, 0)
    assert counted["failures"] == [{"name": "images/x.jpg", "reason": "It is no image."}]


def test_options_reach_the_service(run: Run, service: FakeService) -> None:
    words = (
        "-c",
        "shop",
        "-m",
        "shop=Basel",
        "-m",
        "year=2024",
        "-m",
        'code="7"',
        "--profile",
        "fast",
    )
    assert run("index", "images", *words).status == 0
    posted = next(r for r in service.requests if r.method == "POST")
    assert b'{"shop": "Basel", "year": 2024, "code": "7"}' in posted.content
    assert b"\r\nshop\r\n" in posted.content and b"\r\nfast\r\n" in posted.content


def test_a_list_of_urls_and_paths_comes_from_stdin(run: Run, service: FakeService) -> None:
    assert run("index", "-", stdin=b"images/0.jpg\nhttp://x/a.jpg\n").status == 0
    assert sorted(service.uploads) == [["http://x/a.jpg"], ["images/0.jpg"]]


def test_a_watched_folder_is_indexed_again_and_again_until_ctrl_c(
    run: Run, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changes(look: Callable[[], Any], seen: Any) -> Any:
        assert list(seen) == [Path("images/0.jpg"), Path("images/1.jpg")]
        assert list(look()) == list(seen)
        Path("images", "2.jpg").write_bytes(image(2))
        assert Path("images/2.jpg") in look()
        yield [Path("images/2.jpg")]
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "changes", changes)
    ended = run("index", "images", "--watch")
    assert ended.status == ExitCode.INTERRUPTED
    assert service.uploads == [["images/0.jpg", "images/1.jpg"], ["images/2.jpg"]]
    assert "Watching" in ended.err and "the same command goes on" in ended.err


def test_without_a_place_for_its_journal_it_works_all_the_same(run: Run) -> None:
    Path("state").write_text("a file where the folder should be")
    ended = run("index", "images")
    assert ended.status == 0 and "2 indexed" in ended.out and ended.err


def test_a_failure_list_is_cut(run: Run) -> None:
    for number in range(13):
        Path("images", f"x{number}.jpg").write_bytes(b"bad %d" % number)
    assert "and 3 more failed" in run("index", "images").err


def test_a_dry_run_counts_and_estimates_and_sends_nothing(run: Run, service: FakeService) -> None:
    out = run("index", "images", "--dry-run").out
    assert out.startswith("2 images of ") and "; no index worker has said" in out
    service.ready["models"] |= {
        "profile": "fast",
        "regions_per_image": {"fast": 64, "thorough": 1200},
        "seconds_per_image": {"fast": 0.5, "thorough": 4000.0},
    }
    out = run("index", "images", "--dry-run").out
    assert "at most 64 regions each (profile fast)" in out
    assert "The networks alone take up to about 1 second; --sample 5" in out
    long = run("index", "images", "--dry-run", "--profile", "thorough")
    assert long.status == 0 and "2 hours" in long.out
    assert service.uploads == []


def test_archives_in_a_folder_are_unpacked_as_on_the_page(run: Run, service: FakeService) -> None:
    with zipfile.ZipFile("images/more.zip", "w") as packed:
        packed.writestr("holiday/packed.jpg", image(9))
        packed.writestr("holiday/note.pdf", b"x")
    Path("images", ".hidden.zip").write_bytes(b"x")
    assert run("index", "images", "--dry-run").out.startswith("3 images of ")
    ended = run("index", "images")
    assert "left out: 1 .pdf" in ended.out and ".zip" not in ended.out
    assert "holiday/packed.jpg" in [name for names in service.uploads for name in names]


def test_what_is_left_out_is_said_at_the_end(run: Run) -> None:
    for name in ("a.pdf", "b.pdf", "c.mov", "Thumbs.db"):
        Path("images", name).write_bytes(b"x")
    ended = run("index", "images")
    assert "2 indexed, 0 unchanged, 0 failed; left out: 2 .pdf, 1 .mov" in ended.out
    assert ended.status == 0
    assert run("index", "images", "--json").json["left_out"] == {".pdf": 2, ".mov": 1}
    Path("papers").mkdir()
    Path("papers", "a.pdf").write_bytes(b"x")
    assert "no images in what was named; left out: 1 .pdf" in run("index", "papers").err


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows of a table of tab-separated values, without their times."""
    head, *lines = (line.split("\t") for line in text.splitlines())
    assert head == ["name", "status", "image_id", "reason", "at"]
    return [dict(zip(head[:4], line[:4], strict=True)) for line in lines]


def test_what_became_of_each_image_is_a_table_of_this_run_and_the_ones_before(
    run: Run, service: FakeService
) -> None:
    Path("images", "x.jpg").write_bytes(b"bad")
    first = run("index", "images", "http://x/a.jpg", "--outcomes", "-")
    assert "3 indexed" in first.err and "3 indexed" not in first.out
    found = {row["name"]: row for row in rows(first.out)}
    assert [row["status"] for row in found.values()] == ["indexed"] * 3 + ["failed"]
    assert found["images/x.jpg"]["reason"] == "It is no image."
    assert {found[name]["image_id"] for name in ("images/0.jpg", "http://x/a.jpg")} < {
        *service.images
    }
    Path("images", "x.jpg").write_bytes(image(3))
    assert run("index", "images", "http://x/a.jpg", "--outcomes", "o.tsv").status == 0
    second = {row["name"]: row for row in rows(Path("o.tsv").read_text())}
    assert [row["status"] for row in second.values()] == ["indexed"] * 4, "skipped ones were before"
    assert second["images/x.jpg"]["reason"] == ""
    run("index", "images/0.jpg", "--no-resume", "--outcomes", "o.csv")
    head, line = Path("o.csv").read_text().splitlines()
    assert head == "name,status,image_id,reason,at" and line.startswith("images/0.jpg,unchanged,")


def test_the_table_is_written_after_ctrl_c_and_where_the_service_fails(
    run: Run, service: FakeService
) -> None:
    for number in range(2, 30):
        Path("images", f"{number}.jpg").write_bytes(image(number))
    posts = 0

    def stop(request: httpx.Request) -> None:
        nonlocal posts
        posts += request.method == "POST"
        if request.method == "GET" and "/jobs/" in request.url.path and posts > 1:
            raise KeyboardInterrupt

    service.before = stop
    Path("images", "bad.jpg").write_bytes(b"bad")
    (Path("images") / "gone.jpg").symlink_to("nowhere")
    ended = run("index", "images", "--in-flight", "1", "--outcomes", "o.tsv")
    assert ended.status == ExitCode.INTERRUPTED
    statuses = Counter(row["status"] for row in rows(Path("o.tsv").read_text()))
    assert statuses == {"indexed": 20, "failed": 1}, "of the second request nobody knows"
    service.before = lambda request: None
    assert run("index", "images", "--outcomes", "o.tsv").status == ExitCode.FAILED
    found = {row["name"]: row["status"] for row in rows(Path("o.tsv").read_text())}
    assert len(found) == 32
    assert {name for name, status in found.items() if status == "failed"} == {
        "images/bad.jpg",
        "images/gone.jpg",
    }


def test_a_table_that_cannot_be_written_in_the_end_is_said_and_the_journal_is_closed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Journal] = []
    close = Journal.close

    def noted(journal: Journal) -> None:
        closed.append(journal)
        close(journal)

    monkeypatch.setattr(Journal, "close", noted)
    Path("o.csv.new").mkdir()
    ended = run("index", "images", "--outcomes", "o.csv")
    assert ended.status == ExitCode.USAGE and "o.csv.new" in ended.err and len(closed) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--outcomes", "o.xlsx"), "neither .csv nor .tsv"),
        (("--outcomes", "nowhere/o.csv"), "no folder nowhere"),
        (("--outcomes", "-", "--json"), "both be on standard output"),
        (("--outcomes", "o.csv", "--dry-run"), "does not go with --dry-run"),
    ],
)
def test_a_table_that_could_not_be_written_is_refused_before_anything_is_sent(
    run: Run, service: FakeService, words: tuple[str, ...], said: str
) -> None:
    ended = run("index", "images", *words)
    assert ended.status == ExitCode.USAGE and said in ended.err and not service.uploads
