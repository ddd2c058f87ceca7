"""What a job carries: written by web, read back as the same model, in whatever form it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from common.contract import orders
from common.contract.orders import DeleteOrder, IndexOrder, Order, SearchOrder
from common.contract.requests import ImageExample, UrlExample
from common.errors import IncompatibleJob
from common.jobs import Job, Kind, Status
from tests.conftest import REPO

FORM_1_SEARCH: dict[str, Any] = {
    "collection": "default", "url": None, "image_id": None, "text": None, "text_weight": 0.5,
    "box": [1, 2, 11, 12], "examples": [{"image_id": "a", "box": [0, 0, 5, 5]}],
    "negatives": [{"url": "http://example.org/a.jpg", "box": None}], "detect": False,
    "rotate": True, "same_kind": 0.5, "limit": 5, "hits_per_image": 3, "min_score": -1.0,
    "aggregate": "mean", "zoom": None, "verify": None, "verify_budget_ms": None,
    "filter": [
        {"key": "shop", "values": ["Basel"], "bounds": []},
        {"key": "tag", "values": ["a", "b"], "bounds": []},
        {"key": "even", "values": [True], "bounds": []},
        {"key": "year", "values": [], "bounds": [["gte", 2020.0], ["lt", 2025.0]]},
    ],
    "files": 2, "negative_files": 1, "filename": "small.jpg",
}  # fmt: skip
"""What 09cb43e recorded of a search."""
FORM_1_INDEX: dict[str, Any] = {
    "collection": "shelves", "metadata": {"shop": "Basel"}, "confidence_threshold": None,
    "batch_size": 4, "profile": "fast", "local_features": None, "source": "files",
}  # fmt: skip


def job(kind: Kind, details: dict[str, Any]) -> Job:
    return Job("j", kind, Status.QUEUED, 1, 0, 0, 0.0, None, None, details=details)


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        (Kind.INDEX, IndexOrder(collection="a", metadata={"year": 2020, "tags": ["x"]})),
        (Kind.SEARCH, SearchOrder(image_id="i", box=(0, 1, 2, 3), filter={"x": {"gt": 1.5}})),
        (Kind.SEARCH, SearchOrder(text="a", examples=[UrlExample(url="http://a.org/")])),
        (Kind.DELETE, DeleteOrder(collection="a", whole=True)),
    ],
)  # fmt: skip
def test_what_is_carried_is_read_back(kind: Kind, order: Order) -> None:
    assert orders.of(job(kind, order.details()), type(order)) == order


def test_a_search_of_the_form_before_is_read() -> None:
    order = orders.of(job(Kind.SEARCH, FORM_1_SEARCH), SearchOrder)
    assert (order.limit, order.aggregate, order.box) == (5, "mean", (1, 2, 11, 12))
    assert order.filter == {
        "shop": "Basel", "tag": ["a", "b"], "even": True, "year": {"gte": 2020.0, "lt": 2025.0}
    }  # fmt: skip
    assert order.examples == [ImageExample(image_id="a", box=(0, 0, 5, 5))]
    assert order.negatives == [UrlExample(url="http://example.org/a.jpg")]
    assert (order.files, order.negative_files, order.filename) == (2, 1, "small.jpg")


def test_a_search_of_before_its_options_were_there_has_their_defaults() -> None:
    newer = ("same_kind", "rotate", "detect", "examples", "negatives", "text_weight", "filename")
    details = {name: value for name, value in FORM_1_SEARCH.items() if name not in newer}
    order = orders.of(job(Kind.SEARCH, details), SearchOrder)
    assert (order.same_kind, order.rotate, order.detect) == (None, False, False)
    assert (order.examples, order.text_weight) == ([], 0.5)


def test_other_jobs_of_the_form_before_are_read() -> None:
    order = orders.of(job(Kind.INDEX, FORM_1_INDEX), IndexOrder)
    assert (order.collection, order.profile, order.batch_size) == ("shelves", "fast", 4)
    deletion = orders.of(job(Kind.DELETE, {"collection": "a", "whole": True}), DeleteOrder)
    assert deletion.whole


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"form": 3, "collection": "a"},
        {"form": 2, "collection": "a", "colour": "red"},
        {"collection": 7},
        {"collection": "a", "filter": [{"name": "shop"}]},
        {"collection": "a", "filter": [None]},
    ],
)
def test_what_cannot_be_read_is_an_error_with_a_sentence(details: dict[str, Any]) -> None:
    kind, order = (Kind.SEARCH, SearchOrder) if details else (Kind.DELETE, DeleteOrder)
    with pytest.raises(IncompatibleJob, match="another version of Needle") as caught:
        orders.of(job(kind, details), order)
    assert caught.value.code == "incompatible_job"


def test_nothing_else_reads_what_a_job_carries() -> None:
    for package in ("web", "worker"):
        for path in Path(REPO, package).rglob("*.py"):
            assert not re.search(r"\bdetails(\[|\.get\b)|job\.details", path.read_text()), path
