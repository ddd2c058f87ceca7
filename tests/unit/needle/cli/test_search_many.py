"""`needle search` with many queries: rows, and what is asked again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from needle.cli import ExitCode
from needle.draw import open_upright
from tests.unit.needle.cli.conftest import Run, image
from tests.unit.needle.cli.many import NAMES, asked, rows, searches
from tests.unit.needle.fake_needle import FakeService, error


@pytest.mark.usefixtures("queries")
def test_each_place_of_each_query_is_a_row(run: Run, service: FakeService) -> None:
    ended = run("search", "logos", "--out", "results.csv")
    assert ended.status == ExitCode.OK
    assert "4 asked: 4 found, 0 not found, 0 failed; 8 places in results.csv" in ended.err
    found = rows()
    assert [row["query"] for row in found] == [f"logos/{n}" for n in sorted(NAMES) for _ in "12"]
    first, second = found[:2]
    assert (first["path"], first["probability"], first["verified"]) == (
        "images/0.jpg",
        "0.97",
        "yes",
    )
    assert [first[corner] for corner in ("x1", "y1", "x2", "y2")] == ["10", "10", "40", "30"]
    assert (second["x1"], second["count"]) == ("50", "2"), "a place that is not verified is none"
    (post,) = searches(service)
    assert b'name="hits_per_image"\r\n\r\n100' in post.content
    assert first["metadata.shop"] == "Basel" and not Path("results.csv.part").exists()


@pytest.mark.usefixtures("queries")
def test_a_query_that_is_nowhere_and_one_that_is_no_image_have_a_row(
    run: Run, service: FakeService
) -> None:
    Path("logos", "b.png").write_bytes(b"bad")
    service.result = {"found": False, "matches": []}
    ended = run("search", "logos/[ab].png", "-o", "results.csv")
    assert ended.status == ExitCode.FAILED and "failed logos/b.png: It is no image." in ended.err
    assert [(row["found"], row["error"]) for row in rows()] == [
        ("no", ""),
        ("", "It is no image."),
    ]
    assert run("search", "logos/a.png", "logos/c.png").status == ExitCode.NOTHING


@pytest.mark.usefixtures("queries")
def test_a_name_is_no_formula_in_a_spreadsheet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("logos")
    assert run("search", "=d.png", "-o", "results.csv").status == ExitCode.OK
    assert rows()[0]["query"] == "'=d.png"


@pytest.mark.usefixtures("queries")
def test_queries_that_are_all_bad_fail_one_by_one(run: Run, service: FakeService) -> None:
    for name in NAMES:
        Path("logos", name).write_bytes(b"bad " + name.encode())
    assert run("search", "logos", "-o", "results.csv").status == ExitCode.FAILED
    assert [row["error"] for row in rows()] == ["It is no image."] * 4
    assert not asked(service)


@pytest.mark.usefixtures("queries")
def test_a_run_that_was_cut_off_goes_on_and_asks_nothing_twice(
    run: Run, service: FakeService
) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        return error(500, "internal") if request.url.path.endswith("/results") else None

    service.before = answer
    words = ("search", "logos", "-o", "results.csv")
    broken = run(*words)
    assert broken.status == ExitCode.FAILED and "the same command fetches" in broken.err
    assert not Path("results.csv").exists()
    with Path("results.csv.part").open("a") as file:
        file.write('{"query": "logos/b.pn')  # as a crash leaves it
    service.before = lambda request: None
    ended = run(*words)
    assert ended.status == ExitCode.OK and "4 asked: 4 found" in ended.err
    assert asked(service) == sorted(f"logos/{name}" for name in NAMES) and len(rows()) == 8
    assert not list(Path().glob("results.csv.*"))


@pytest.mark.usefixtures("queries")
@pytest.mark.parametrize("lost", ["forgotten", "cancelled"])
def test_a_job_that_is_gone_or_was_cancelled_is_made_again(
    run: Run, service: FakeService, lost: str
) -> None:
    service.before = lambda r: error(500, "internal") if "/jobs/" in r.url.path else None
    words = ("search", "logos", "-o", "results.csv")
    assert run(*words).status == ExitCode.FAILED
    service.before = lambda request: None
    if lost == "forgotten":
        service.jobs.clear()
    else:
        service.jobs = {name: job | {"status": lost} for name, job in service.jobs.items()}
    assert run(*words).status == ExitCode.OK
    assert len(searches(service)) == 2 and len(rows()) == 8


@pytest.mark.usefixtures("queries")
def test_what_is_asked_otherwise_or_has_changed_is_asked_again(
    run: Run, service: FakeService
) -> None:
    service.before = lambda r: error(500, "internal") if "/jobs/" in r.url.path else None
    words = ("search", "logos", "-o", "results.csv")
    run(*words)
    service.before = lambda request: None
    Path("logos", "a.png").write_bytes(image(7))
    assert run(*words).status == ExitCode.OK
    assert service.uploads[1:] == [["logos/a.png"]], "another image of that name"
    Path("results.csv.part").write_text('{"needle": 1, "plan": {"limit": 3}}\n')
    again = run(*words)
    assert again.status == ExitCode.OK and "was of another search" in again.err
    assert len(asked(service)) == 9, "all of them"


@pytest.mark.usefixtures("queries")
def test_urls_and_ids_are_a_job_of_their_own(
    run: Run, service: FakeService, indexed: list[str]
) -> None:
    url = "https://example.org/a.png"
    ended = run("search", url, "logos/a.png", indexed[0], "-o", "results.csv")
    assert ended.status == ExitCode.OK
    assert service.uploads[-2:] == [["logos/a.png"], [url, indexed[0]]]
    assert [row["query"] for row in rows()][::2] == [url, "logos/a.png", indexed[0]]


@pytest.mark.usefixtures("queries")
def test_what_is_found_is_drawn_into_a_folder_for_each_query(run: Run) -> None:
    ended = run("search", "logos/a.png", "logos/b.png", "-o", "all.csv", "-o", "drawn")
    assert ended.status == ExitCode.OK and "Drawn in drawn, a folder for each query" in ended.err
    assert sorted(str(path) for path in Path("drawn").rglob("*.*")) == [
        "drawn/logos-a/01-0.jpg",
        "drawn/logos-a/query.png",
        "drawn/logos-b/01-0.jpg",
        "drawn/logos-b/query.png",
    ]
    assert open_upright("drawn/logos-a/01-0.jpg").size == (400, 300)


def test_one_query_is_drawn_into_a_folder_without_look_alikes(
    run: Run, service: FakeService, queries: dict[str, bytes]
) -> None:
    assert run("search", "logos/a.png", "-o", "drawn").status == ExitCode.OK
    assert sorted(os.listdir("drawn")) == ["01-0.jpg", "query.png"]
    Path("logos", "e.heic").write_bytes(b"no format of Pillow's")
    assert run("search", "logos/e.heic", "-o", "he.ic/").status == ExitCode.OK
    assert sorted(os.listdir("he.ic")) == ["01-0.jpg", "query.heic"], "as it is"
    service.result = {"found": False, "matches": []}
    ended = run("search", "logos/a.png", "-o", "nothing")
    assert ended.status == ExitCode.NOTHING and "Nothing is drawn" in ended.err


@pytest.mark.usefixtures("queries")
def test_many_queries_are_a_table_for_people_and_lines_for_programs(
    run: Run, service: FakeService
) -> None:
    shown = run("search", "logos/a.png", "logos/b.png", terminal=True)
    assert "logos/b.png" in shown.out and "97 %" in shown.out and "10,10,40,30" in shown.out
    lines = run("search", "logos/a.png", "logos/b.png").out.splitlines()
    assert lines[0].split("\t")[:2] == ["query", "found"] and len(lines) == 5
    least = run("search", "logos", "--min-probability", "0.98", "-n", "3")
    assert least.status == ExitCode.NOTHING and "4 not found" in least.err
    assert b'name="limit"\r\n\r\n3' in searches(service)[-1].content


def test_who_ran_out_of_time_is_told_so(run: Run, service: FakeService, queries: Any) -> None:
    cut = {"checked": 7, "unchecked": 53, "complete": False}
    service.result = {**(service.result or {}), "verification": cut}
    assert "when 7 of 60 images had been double-checked" in run("search", "logos/a.png").err
    assert "In 4 time ran out" in run("search", "logos").err
    said = run("search", "logos/a.png", "--json")
    assert json.loads(said.out)["verification"]["complete"] is False


@pytest.mark.usefixtures("queries")
def test_a_job_of_many_queries_is_exported(run: Run, service: FakeService) -> None:
    Path("logos", "a.png").write_bytes(b"bad")
    run("search", "logos", "-o", "results.csv")
    job_id = next(name for name in service.jobs if name.startswith("searches"))
    assert run("export", job_id, "-o", "all.csv").status == ExitCode.OK
    found = rows("all.csv")
    assert [row["query"] for row in found].count("logos/b.png") == 4, "every hit, the doubtful too"
    told = [(row["path"], row["found"]) for row in found if row["query"] == "logos/b.png"]
    assert told == [("images/0.jpg", "yes")] * 3 + [("images/1.jpg", "no")], "no look-alike"
    assert [row["error"] for row in found if row["query"] == "logos/a.png"] == ["It is no image."]


@pytest.mark.usefixtures("queries")
def test_what_is_no_query_is_said_and_archives_are_not_unpacked(run: Run) -> None:
    Path("logos", "notes.txt").write_text("no image")
    assert "Left out: 1 .txt (no images)." in run("search", "logos").err
    Path("packed").mkdir()
    Path("packed", "a.ZIP").write_bytes(b"PK")
    ended = run("search", "packed")
    assert ended.status == ExitCode.USAGE
    assert "Left out: 1 .zip (no images; archives are not unpacked for a search)." in ended.err
    named = run("search", "logos", "packed/a.ZIP")
    assert named.status == ExitCode.USAGE and "a.ZIP is an archive" in named.err
