"""What a job asks for: the request's word where it has one, else the setting's."""

from __future__ import annotations

from typing import Any

import pytest

from common.contract.orders import SearchOrder
from common.jobs import Job, Kind, Status
from common.settings import Settings
from worker.searching.options import SearchOptions

SETTINGS = Settings(zoom_images=4, verify_images=60, verify_budget_ms=500)


def options(**details: Any) -> SearchOptions:
    order = SearchOrder(**details).details()
    job = Job("job", Kind.SEARCH, Status.QUEUED, 1, 0, 0, 0.0, None, None, details=order)
    return SearchOptions.of(job, SETTINGS)


def test_what_the_request_left_open_comes_from_the_settings() -> None:
    plain = options()
    assert (plain.zoom_images, plain.verify_images, plain.verify_budget_s) == (4, 60, 0.5)
    own = options(zoom=0, verify_budget_ms=50, verify=True)
    assert (own.zoom_images, own.verify_images, own.verify_budget_s) == (0, 60, 0.05)
    assert options(verify=False).verify_images == 0


@pytest.mark.parametrize("aggregate", ["mean", "sum", "min"])
def test_other_aggregates_look_at_no_single_place(aggregate: str) -> None:
    other = options(aggregate=aggregate, zoom=9, verify=True)
    assert (other.zoom_images, other.verify_images) == (0, 0)


def test_several_things_share_the_time_and_know_no_kind() -> None:
    alone, three = options(same_kind=0.5).among(1), options(same_kind=0.5).among(3)
    assert (alone.share, alone.same_kind) == (1.0, 0.5)
    assert (three.share, three.same_kind) == (pytest.approx(1 / 3), 0.0)
