"""A search whose time was up goes on."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.contract import orders
from common.contract.orders import SearchOrder
from common.images import query_key
from common.services import Services
from tests.web.conftest import plain

SEARCH = "/api/v1/search"


def _searched(
    client: FlaskClient, services: Services, complete: bool = False, **fields: Any
) -> str:
    files = {"file": (io.BytesIO(plain(1)), "q.png"), "not_file": (io.BytesIO(plain(2)), "n.png")}
    answer = client.post(SEARCH, data={**files, "wait": "0", "limit": "7", **fields})
    job_id = str(answer.json["job_id"])
    verification = {"checked": 3, "verified": 0, "complete": complete}
    services.jobs.succeed(job_id, {"matches": [], "verification": verification})
    return job_id


def test_it_asks_the_same_as_a_patient_job_of_its_own(
    client: FlaskClient, services: Services
) -> None:
    first = _searched(client, services)
    answer = client.post(f"/api/v1/jobs/{first}/continue")
    assert (answer.status_code, answer.json["status"]) == (202, "queued")
    again = str(answer.json["job_id"])
    assert again != first
    assert answer.headers["Location"] == f"/api/v1/jobs/{again}"
    before, now = (orders.of(services.jobs.get(one), SearchOrder) for one in (first, again))
    assert now == before.model_copy(update={"patient": True})
    assert services.images.open(query_key(again)) == plain(1)
    assert services.images.open(query_key(again, negative=True)) == plain(2)


def test_asked_twice_under_one_key_it_goes_on_once(client: FlaskClient, services: Services) -> None:
    first = _searched(client, services)
    key = {"Idempotency-Key": "again"}
    made = [client.post(f"/api/v1/jobs/{first}/continue", headers=key).json for _ in range(2)]
    assert made[0]["job_id"] == made[1]["job_id"]


@pytest.mark.parametrize("why", ["complete", "running", "cancelled", "no search"])
def test_what_cannot_go_on_is_refused_and_makes_no_job(
    client: FlaskClient, services: Services, why: str
) -> None:
    if why == "no search":
        posted = client.post("/api/v1/images", data={"files": (io.BytesIO(plain(1)), "a.png")})
        job_id = posted.json["job_id"]
    elif why == "running":
        data = {"file": (io.BytesIO(plain(1)), "q.png"), "wait": "0"}
        job_id = client.post(SEARCH, data=data).json["job_id"]
    else:
        job_id = _searched(client, services, complete=True)
        if why == "cancelled":
            data = {"file": (io.BytesIO(plain(3)), "q.png"), "wait": "0"}
            job_id = client.post(SEARCH, data=data).json["job_id"]
            client.delete(f"/api/v1/jobs/{job_id}")
    before = client.get("/api/v1/jobs").json["total"]
    answer = client.post(f"/api/v1/jobs/{job_id}/continue")
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "nothing_to_continue")
    assert client.get("/api/v1/jobs").json["total"] == before


def test_a_search_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    assert client.post("/api/v1/jobs/0123456789abcdef/continue").status_code == 404
