"""What is indexed, jobs, export, status: the commands that show and delete."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from needle.cli import ExitCode
from needle.cli.tables import jobs_table
from needle.jobs import Job
from tests.unit.needle.cli.conftest import Run, image
from tests.unit.needle.fake_needle import FakeService


def test_images_are_listed_shown_saved_and_deleted(
    run: Run, service: FakeService, indexed: list[str]
) -> None:
    listed = run("images", "-n", "1")
    assert indexed[1] in listed.out and indexed[0] not in listed.out
    assert "1 of 2 images" in listed.err and '{"shop": "Basel"}' in listed.out
    assert [row["image_id"] for row in run("images", "--json").json["images"]] == indexed[::-1]
    assert "tags" in run("show", indexed[0], terminal=True).out
    assert "width\t400\n" in run("show", indexed[0], "--save", "saved.jpg").out
    assert Path("saved.jpg").read_bytes() == image()
    assert run("show", indexed[0], "--json").json["regions"] == 5
    assert "1 deleted" in run("delete", indexed[0], indexed[0], "-y").out
    assert list(service.images) == [indexed[1]]
    assert run("show", indexed[0]).status == ExitCode.FAILED


def test_the_list_for_programs_has_every_path_of_an_image(
    run: Run, service: FakeService, indexed: list[str]
) -> None:
    service.images[indexed[0]]["paths"] = ["images/0.jpg", "copies/zero.jpg"]
    two, one = csv.DictReader(
        io.StringIO(run("images").out), delimiter="\t", quoting=csv.QUOTE_NONE
    )
    both = {row["image_id"]: row["paths"] for row in (two, one)}
    assert json.loads(both[indexed[0]]) == ["images/0.jpg", "copies/zero.jpg"]
    assert both[indexed[1]] == ""


def test_an_image_is_deleted_only_after_a_yes_where_there_is_somebody_to_say_it(
    run: Run, service: FakeService, indexed: list[str]
) -> None:
    assert run("delete", indexed[0], stdin=b"n\n", terminal=True).status == 0
    alone = run("delete", indexed[0], stdin=b"y\n")
    assert alone.status == ExitCode.USAGE and "--yes" in alone.err and len(service.images) == 2
    gone = run("delete", indexed[0], "00000000", "-y")
    assert gone.status == ExitCode.FAILED and len(service.images) == 2, "one of them is not there"
    assert run("delete", indexed[0], stdin=b"y\n", terminal=True).status == 0
    assert list(service.images) == [indexed[1]]


@pytest.mark.usefixtures("indexed")
def test_everything_is_deleted_only_after_a_yes(run: Run, service: FakeService) -> None:
    kept = run("delete", "--all", stdin=b"n\n", terminal=True)
    assert kept.status == 0 and "Nothing is deleted" in kept.err and len(service.images) == 2
    assert "Delete 2 images of 'default' (images/1.jpg, images/0.jpg)?" in kept.err
    assert "2 deleted" in run("delete", "--all", "--yes").out and not service.images
    assert run("delete").status == ExitCode.USAGE


def test_the_list_is_narrowed_by_name_and_metadata(run: Run, service: FakeService) -> None:
    service.collections.append("trial")
    run("images", "--name", "shelf", "-f", "shop=Basel", "-c", "trial")
    asked = service.requests[-1].url.params
    assert (asked["name"], asked["collection"]) == ("shelf", "trial")
    assert json.loads(asked["filter"]) == {"shop": "Basel"}


@pytest.mark.usefixtures("indexed")
def test_collections_are_listed_created_and_deleted(run: Run, service: FakeService) -> None:
    assert "default" in run("collections").out
    assert run("collections", "--json").json[0]["encoder"] == "e"
    service.busy = False
    assert run("collections", "--create", "trial").status == 0
    assert b'{"name":"trial"}' in next(
        r.content for r in service.requests if r.url.path.endswith("/collections") and r.content
    ).replace(b" ", b"")
    assert run("collections", "--delete", "trial", "-y").status == ExitCode.FAILED, "there is none"
    service.collections.append("trial")
    assert run("collections", "--delete", "trial", stdin=b"n\n", terminal=True).status == 0
    assert run("collections", "--delete", "trial", stdin=b"y\n").status == ExitCode.USAGE
    assert service.images, "only after a yes"
    assert run("collections", "--delete", "trial", "-y").status == 0
    assert not service.images


# ---- jobs, export, status


@pytest.mark.usefixtures("indexed")
def test_the_last_jobs_are_those_of_this_machine_where_none_are_listed(
    run: Run, service: FakeService
) -> None:
    assert "index-0" in run("jobs").out
    service.lists_jobs = True
    service._new_job("index", [])
    assert [job["job_id"] for job in run("jobs", "--json").json] == ["index-1", "index-0"]
    run("jobs", "--kind", "index", "--status", "failed")
    asked = service.requests[-1].url.params
    assert (asked["kind"], asked["status"]) == ("index", "failed")


def test_a_job_is_shown_awaited_and_cancelled(run: Run, service: FakeService) -> None:
    Path("images", "x.jpg").write_bytes(b"bad")
    run("index", "images")
    shown = run("jobs", "index-0", "--items", "--wait", terminal=True)
    assert shown.status == 0 and "partial" in shown.out and "It is no image." in shown.out
    piped = run("jobs", "index-0", "--items").out.splitlines()
    assert piped[1].split("\t")[2:] == ["images/x.jpg", "failed", "", "It is no image.", ""]
    rows = run("jobs", "index-0", "--items", "--json").json[0]["items"]
    assert [row["name"] for row in rows] == ["images/x.jpg", "images/0.jpg", "images/1.jpg"], (
        "failures first"
    )
    assert run("jobs", "index-0", "--cancel").status == 0
    assert run("jobs", "index-0").status == ExitCode.FAILED, "it was cancelled"
    assert run("jobs", "nope").status == ExitCode.FAILED
    assert run("jobs", "--cancel").status == ExitCode.USAGE


def test_images_matches_and_outcomes_are_exported(run: Run, indexed: list[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(run("export").out)))
    assert [row["image_id"] for row in rows] == indexed[::-1]
    assert rows[0]["metadata.shop"] == "Basel"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}Z", rows[0]["indexed_at"])
    job_id = run("search", "images/0.jpg", "--json").json["job_id"]
    said = run("export", job_id, "-o", "matches.jsonl")
    lines = [json.loads(line) for line in Path("matches.jsonl").read_text().splitlines()]
    assert [(line["rank"], line["hit"], line["x2"]) for line in lines][:2] == [
        (1, 1, 40),
        (1, 2, 40),
    ]
    assert "4 rows in matches.jsonl" in said.err
    outcomes = run("export", "index-0", "--format", "jsonl").out.splitlines()
    assert json.loads(outcomes[0])["status"] == "indexed"


def test_the_status_and_the_models_are_shown(run: Run, service: FakeService) -> None:
    assert run("status").status == ExitCode.OK
    assert "mini" in run("status").out and run("models", "--json").json["name"] == "mini"
    service.ready["problems"] = [{"code": "disk_full", "message": "The disk is full."}]
    full = run("status")
    assert (full.status, full.err.strip()) == (ExitCode.OK, "The disk is full.")
    assert "problems" not in full.out
    service.ready = {"status": "starting", "redis": False, "models": None}
    waiting = run("status", "--json")
    assert waiting.status == ExitCode.FAILED and waiting.json["status"] == "starting"
    assert run("models").status == ExitCode.FAILED


@pytest.mark.parametrize("width", [80, 110])
@pytest.mark.parametrize("status", ["succeeded", "started"])
def test_on_a_narrow_terminal_nothing_of_a_job_is_cut_off(width: int, status: str) -> None:
    ended = {"finished_at": 1.0} if status == "succeeded" else {}
    facts = {"job_id": "0d04804c990c42bf921d4133ea5ffe77", "kind": "searches", "status": status}
    progress = {"total": 12_000, "done": 8_654, "failed": 21, "rate_per_s": 51.2, "eta_s": 65.0}
    job = Job.from_json({**facts, "progress": progress, "created_at": 1.0, **ended})
    text = io.StringIO()
    Console(file=text, width=width).print(jobs_table([job]))
    said = text.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in said
    assert "searches" in said and status in said and "8,654 of 12,000, 21 failed" in said
    first = "".join(
        line.split("\N{BOX DRAWINGS LIGHT VERTICAL}")[1].strip()
        for line in said.splitlines()
        if line.startswith("\N{BOX DRAWINGS LIGHT VERTICAL}")
    )
    assert first == job.job_id
    assert ("65 s" in said) is ("items/s" in said) is (status == "started")


def test_people_read_no_names_of_fields(run: Run, service: FakeService) -> None:
    service.ready["models"] |= {"has_text": False, "means": {"regions": 7}}
    service.ready["bulk_count"] = 0
    for command in ("status", "models"):
        said = run(command, terminal=True).out
        assert "has_text" not in said and "means" not in said and "bulk_count" not in said
        assert "False" not in said
    assert "searches by text" in run("models", terminal=True).out
    assert "has_text\tno" in run("models").out
