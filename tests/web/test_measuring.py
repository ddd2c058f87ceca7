"""Requests are counted by the pattern of their route."""

from __future__ import annotations

from flask.testing import FlaskClient

from tests.unit.metrics.helpers import Counted

HTTP = "needle_http_request_duration_seconds_count"


def test_requests_are_counted_by_pattern_and_never_by_path(client: FlaskClient) -> None:
    route = "/api/v1/jobs/<job_id>"
    jobs = Counted(HTTP, method="GET", route=route, status="404")
    stray = Counted(HTTP, method="GET", route="none", status="404")
    errors = Counted("needle_http_errors_total", code="not_found")
    for path in ("/api/v1/jobs/a", "/api/v1/jobs/b", "/no/such/page"):
        client.get(path)
    assert (jobs.more, stray.more, errors.more) == (2, 1, 3)


def test_what_is_refused_at_the_door_is_counted(client: FlaskClient) -> None:
    refused = Counted(HTTP, method="GET", route="/livez", status="421")
    assert client.get("/livez", headers={"Host": "evil.example"}).status_code == 421
    assert refused.more == 1


def test_the_public_face_shows_no_metrics(client: FlaskClient) -> None:
    assert client.get("/metrics").status_code == 404
