"""`needle index`: what it sends, what it says, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from needle import watch
from needle.cli import ExitCode
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
    assert "2 images; no index worker has said" in run("index", "images", "--dry-run").out
    service.ready["models"] |= {
        "profile": "fast",
        "regions_per_image": {"fast": 64, "thorough": 1200},
        "seconds_per_image": {"fast": 0.5, "thorough": 4000.0},
    }
    assert "2 images, at most 64 regions each (fast)" in run("index", "images", "--dry-run").out
    long = run("index", "images", "--dry-run", "--profile", "thorough")
    assert long.status == 0 and "2 hours" in long.out
    assert service.uploads == []


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
