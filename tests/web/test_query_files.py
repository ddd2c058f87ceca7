"""The files of a query, for whoever opens the link of its search."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from common.catalogue import ImageRecord
from common.images import query_key
from common.job_keys import ENDED
from common.redis import Client
from common.services import Services
from tests.web.conftest import plain

SEARCH = "/api/v1/search"


def _search(client: FlaskClient, *contents: bytes, **fields: Any) -> str:
    files = [(io.BytesIO(content), f"q{n}.png") for n, content in enumerate(contents)]
    answer = client.post(SEARCH, data={"file": files, "wait": "0", **fields})
    assert answer.status_code == 202, answer.json
    return str(answer.json["job_id"])


def _succeed(client: FlaskClient, services: Services, job_id: str) -> dict[str, Any]:
    result = {"matches": [], "timings_ms": {}, "index": {}}
    services.jobs.succeed(job_id, result)
    found: dict[str, Any] = client.get(f"/api/v1/jobs/{job_id}").json["result"]
    return found


def test_a_result_has_its_query_and_where_the_file_is(
    client: FlaskClient, services: Services
) -> None:
    job_id = _search(client, plain(1), box="1,2,11,12")
    result = _succeed(client, services, job_id)
    assert result["query"]["filename"] == "q0.png"
    assert result["query"]["box"] == [1, 2, 11, 12]
    assert result["urls"]["query"] == f"/api/v1/jobs/{job_id}/query"
    answer = client.get(result["urls"]["query"])
    assert (answer.data, answer.mimetype) == (plain(1), "image/png")


def test_every_posted_file_has_an_address(client: FlaskClient, services: Services) -> None:
    unlike = [(io.BytesIO(plain(3)), "not.png")]
    job_id = _search(client, plain(1), plain(2), not_file=unlike)
    urls = _succeed(client, services, job_id)["urls"]
    assert urls["query"] == urls["files"][0]
    contents = [client.get(url).data for url in (*urls["files"], *urls["not_files"])]
    assert contents == [plain(1), plain(2), plain(3)]


def test_the_query_by_an_indexed_image_is_that_image(
    client: FlaskClient, services: Services, indexed: ImageRecord
) -> None:
    body = {"image_id": indexed.image_id, "box": [0, 0, 9, 9], "wait": 0}
    job_id = client.post(SEARCH, json=body).json["job_id"]
    result = _succeed(client, services, job_id)
    assert result["query"]["image_id"] == indexed.image_id
    assert result["urls"] == {
        "query": f"/api/v1/images/{indexed.image_id}/file", "files": [], "not_files": []
    }  # fmt: skip
    assert client.get(f"/api/v1/jobs/{job_id}/query").status_code == 404


def test_a_part_of_it_is_a_jpeg(client: FlaskClient) -> None:
    job_id = _search(client, plain(1))
    answer = client.get(f"/api/v1/jobs/{job_id}/query?box=0,0,20,10&max_side=16")
    assert answer.mimetype == "image/jpeg"
    assert Image.open(io.BytesIO(answer.data)).size == (16, 8)
    wrong = client.get(f"/api/v1/jobs/{job_id}/query?box=0,0,41,10")
    assert (wrong.status_code, wrong.json["error"]["code"]) == (400, "invalid_box")


def test_caches_keep_it_as_long_as_the_service_does(
    client: FlaskClient, services: Services
) -> None:
    url = f"/api/v1/jobs/{_search(client, plain(1))}/query"
    first = client.get(url)
    kept = f"private, max-age={services.settings.job_ttl_s}, immutable"
    assert first.headers["Cache-Control"] == kept
    again = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = client.get(f"/api/v1/jobs/{_search(client, plain(2))}/query")
    assert other.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("query", ["?number=1", "?negative=true"])
def test_a_file_that_was_not_posted_is_a_404(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/api/v1/jobs/{_search(client, plain(1))}/query{query}")
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")


def test_it_ends_with_the_job(client: FlaskClient, services: Services, redis: Client) -> None:
    job_id = _search(client, plain(1))
    _succeed(client, services, job_id)
    redis.delete(f"needle:job:{job_id}")  # as Redis does when its time is up
    redis.zadd(ENDED, {job_id: 1.0})
    assert client.get(f"/api/v1/jobs/{job_id}/query").status_code == 404
    assert services.images.exists(query_key(job_id))
    _search(client, plain(2))
    assert not services.images.exists(query_key(job_id))


def test_a_search_that_cannot_be_queued_leaves_no_file(
    client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    from common.errors import BrokerUnavailable

    def away(*_: object) -> None:
        raise BrokerUnavailable("Redis is away.")

    monkeypatch.setattr(type(services.queue), "submit", away)
    files = [(io.BytesIO(plain(1)), "q.png")]
    assert client.post(SEARCH, data={"file": files}).status_code == 503
    assert list((services.settings.data_dir / "queries").iterdir()) == []
