"""The id of a request, and the job that it is about, on what it logs."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.log import _context
from tests.web.conftest import files, plain


class Kept(logging.Handler):
    """Keeps records with what they are about."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append({"logger": record.name, **_context.get()})


@pytest.fixture
def kept() -> Any:
    handler, audit = Kept(), logging.getLogger("needle.audit")
    audit.addHandler(handler)
    before = audit.level
    audit.setLevel("INFO")
    yield handler.records
    audit.removeHandler(handler)
    audit.setLevel(before)


def test_every_answer_has_an_id_that_a_proxy_may_have_given(client: FlaskClient) -> None:
    own = client.get("/livez").headers["X-Request-Id"]
    assert len(own) == 32 and client.get("/livez").headers["X-Request-Id"] != own
    given = client.get("/livez", headers={"X-Request-Id": "edge-1:a.b"})
    assert given.headers["X-Request-Id"] == "edge-1:a.b"
    for odd in ("a b", "x" * 129, '"},{'):
        assert client.get("/livez", headers={"X-Request-Id": odd}).headers["X-Request-Id"] != odd
    refused = client.get("/livez", headers={"Host": "evil.example"})
    assert refused.status_code == 421 and refused.headers["X-Request-Id"]


def test_a_request_that_makes_a_job_says_which(
    client: FlaskClient, kept: list[dict[str, Any]]
) -> None:
    answer = client.post("/api/v1/images", data=files(plain()))
    job_id = answer.json["job_id"] if answer.json else ""
    client.delete(f"/api/v1/jobs/{job_id}")
    assert [record["job_id"] for record in kept] == [job_id, job_id]
    assert kept[0]["request_id"] == answer.headers["X-Request-Id"] != kept[1]["request_id"]
    client.post("/api/v1/images", json={})
    assert "job_id" not in kept[2]  # nothing is left of the request before
