"""`needle tag`: the tags of images that are indexed."""

from __future__ import annotations

import pytest

from needle.cli import ExitCode
from tests.unit.needle.cli.conftest import Run
from tests.unit.needle.fake_needle import FakeService


def test_values_are_replaced_added_and_taken_away(run: Run, service: FakeService) -> None:
    run("index", "images")
    first, second = service.images
    assert run("tag", first, "shop=", "year=2024", 'code="7"').status == ExitCode.OK
    assert service.images[first]["metadata"] == {"year": 2024, "code": "7"}
    assert service.images[second]["metadata"] == {"shop": "Basel"}


def test_images_may_be_named_by_what_they_are_called(run: Run, service: FakeService) -> None:
    run("index", "images")
    assert (
        "Nothing is changed"
        in run("tag", "--name", "images/", "a=b", stdin=b"n\n", terminal=True).err
    )
    changed = run("tag", "--name", "images/", "a=b", "--yes", "--json").json
    assert [image["metadata"] for image in changed] == [{"shop": "Basel", "a": "b"}] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("an-id",), "KEY=VALUE"),
        (("a=b",), "by their ids, or by"),
        (("an-id", "a=b", "--name", "x"), "by their ids, or by"),
        (("an-id", "=b"), "is not KEY=VALUE"),
    ],
)
def test_what_makes_no_sense_is_said(run: Run, words: tuple[str, ...], said: str) -> None:
    ended = run("tag", *words)
    assert ended.status == ExitCode.USAGE and said in ended.err


def test_an_image_that_is_not_there_is_said(run: Run) -> None:
    assert run("tag", "nothing", "a=b").status == ExitCode.FAILED


def test_a_tag_may_have_several_values(run: Run, service: FakeService) -> None:
    service.requests.clear()
    run("index", "images", "-m", 'sizes=["S", "M"]')
    posted = next(r for r in service.requests if r.method == "POST")
    assert b'{"sizes": ["S", "M"]}' in posted.content
    first = next(iter(service.images))
    assert run("tag", first, 'colours=["red", "blue"]', "code=[1]").status == ExitCode.OK
    assert service.images[first]["metadata"]["colours"] == ["red", "blue"]
    assert service.images[first]["metadata"]["code"] == "[1]", "no list of texts"
