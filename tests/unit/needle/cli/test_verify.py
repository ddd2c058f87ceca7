"""`needle verify`: what it says, and how it ends."""

from __future__ import annotations

import json

from needle.cli import ExitCode
from tests.unit.needle.cli.conftest import Run
from tests.unit.needle.fake_needle import FakeService

DAMAGED = {
    "images": 3,
    "whole": 1,
    "damaged": 2,
    "missing": {"points": 1, "file": 1},
    "damaged_images": [
        {"image_id": "one", "filename": "one.jpg", "missing": ["points"]},
        {"image_id": "two", "filename": "two.jpg", "missing": ["local_features", "words"]},
    ],
}


def test_what_is_whole_ends_well(run: Run, service: FakeService) -> None:
    service.verified = {"images": 3, "whole": 3}
    ended = run("verify")
    assert ended.status == ExitCode.OK and "default" in ended.out
    assert ended.err == "Everything is whole.\n"
    assert json.loads(service.requests[-2].content) == {"repair": False}


def test_damage_is_named_and_ends_with_a_failure(run: Run, service: FakeService) -> None:
    service.verified = DAMAGED
    ended = run("verify", "-c", "trial")
    assert ended.status == ExitCode.FAILED and "trial" in ended.out
    assert "trial: one.jpg (one) lacks its points" in ended.err
    assert "trial: two.jpg (two) lacks its local features, visual words" in ended.err
    assert "`needle verify --repair` repairs what it can." in ended.err
    assert run("verify", "--json").json[0]["missing"] == {"points": 1, "file": 1}


def test_a_repair_is_waited_for(run: Run, service: FakeService) -> None:
    run("index", "images")
    job_id = next(iter(service.jobs))
    service.verified = {**DAMAGED, "repair_job": job_id}
    ended = run("verify", "--repair")
    assert ended.status == ExitCode.OK and "Everything is repaired." in ended.err
    service.verified |= {"beyond_repair": ["two"]}
    ended = run("verify", "--repair")
    assert ended.status == ExitCode.FAILED
    assert "the original files of 1 image are lost; index these again: two" in ended.err
    assert "Not everything could be repaired." in ended.err


def test_what_was_not_removed_is_said(run: Run, service: FakeService) -> None:
    orphan = {"image_id": "three", "found": ["file", "words"]}
    service.verified = {"orphaned": 1, "orphaned_images": [orphan], "note": "Nothing was removed."}
    ended = run("verify", "--repair")
    assert ended.status == ExitCode.FAILED
    assert (
        "but this is left of it: file, visual words" in ended.err
        and "Nothing was removed." in ended.err
    )
