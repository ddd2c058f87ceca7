"""The stand-in for Qdrant's server refuses what a server refuses, and keeps what it took."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from common.errors import NeedleError
from tests.contracts.engines import connect
from tests.qdrant_server.running import QdrantServer

NAME = "stand-in"
DENSE = models.VectorParams(size=4, distance=models.Distance.COSINE)
POINT = models.PointStruct(id=1, vector=[1, 0, 0, 0], payload={"shop": "Basel"})


@pytest.fixture
def client(stand_in: QdrantServer) -> Iterator[QdrantClient]:
    """Return a client, and a collection of four numbers a point that is empty."""
    opened = QdrantClient(url=stand_in.url, check_compatibility=False)
    opened.delete_collection(NAME)
    opened.create_collection(NAME, DENSE)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/collections/absent", None, 404, "Collection `absent` doesn't exist"),
        ("PUT", f"/collections/{NAME}", {"vectors": {}}, 409, "already exists"),
        ("PUT", "/collections/a|b", {}, 400, "not allowed"),
        ("PUT", "/collections/other", {"shard_number": 0}, 400, "1 or larger"),
        ("POST", f"/collections/{NAME}/points/query", {"limt": 3}, 400, "limt"),
        ("POST", f"/collections/{NAME}/points/query", {"query": [1.0, 2.0]}, 400, "dimension"),
        ("PUT", f"/collections/{NAME}/points", {"points": [{"id": 1}]}, 400, "vector"),
        ("POST", f"/collections/{NAME}/points/count", "no JSON", 400, "JSON"),
    ],
)
def test_what_a_server_would_refuse_is_refused(
    client: QdrantClient,
    stand_in: QdrantServer,
    method: str,
    path: str,
    body: object,
    status: int,
    says: str,
) -> None:
    answer = stand_in.http.request(method, path, json=body)
    assert answer.status_code == status
    assert says in answer.json()["status"]["error"]


def test_of_points_one_of_which_is_refused_none_is_written(client: QdrantClient) -> None:
    short = models.PointStruct(id=2, vector=[1, 0, 0])
    with pytest.raises(UnexpectedResponse, match="expected dim: 4, got 3"):
        client.upsert(NAME, [POINT, short])
    assert client.count(NAME).count == 0


def test_a_key_is_wanted_where_one_was_set_and_another_may_only_read(
    guarded: QdrantServer,
) -> None:
    for key, status in ((None, 401), ("wrong", 401), ("reads", 200), ("right", 200)):
        headers = {} if key is None else {"api-key": key}
        assert guarded.http.get("/collections", headers=headers).status_code == status
    assert guarded.http.get("/readyz").status_code == 200
    refused = guarded.http.delete("/collections/x", headers={"api-key": "reads"})
    assert refused.status_code == 403


def test_what_was_taken_is_there_after_the_process_was_killed(tmp_path: Path) -> None:
    server = QdrantServer(tmp_path, "--strict")
    server.start()
    try:
        client = QdrantClient(url=server.url, check_compatibility=False)
        client.create_collection(NAME, DENSE)
        client.create_payload_index(NAME, "shop", models.PayloadSchemaType.KEYWORD)
        client.upsert(NAME, [POINT])
        server.kill()
        server.start()
        shop = models.FieldCondition(key="shop", match=models.MatchValue(value="Basel"))
        found = client.query_points(NAME, [1.0, 0, 0, 0], query_filter=models.Filter(must=[shop]))
        assert [point.payload for point in found.points] == [{"shop": "Basel"}]
        other = models.FieldCondition(key="size", match=models.MatchValue(value=1))
        with pytest.raises(UnexpectedResponse, match="Index required"):
            client.count(NAME, count_filter=models.Filter(must=[other]))
        client.close()
    finally:
        server.stop()


def test_faults_strike_as_often_as_they_were_ordered_and_where(
    client: QdrantClient, stand_in: QdrantServer
) -> None:
    before = stand_in.struck
    with stand_in.under("status", status=503, times=2, path="^GET /collections$"):
        client.count(NAME)
        for _ in range(2):
            with pytest.raises(UnexpectedResponse, match="503"):
                client.get_collections()
        client.get_collections()
    assert stand_in.struck == before + 2
    with stand_in.under("status", share=0.5):
        answers = [stand_in.http.get("/collections").status_code for _ in range(30)]
    assert set(answers) == {200, 500}
    for done in (False, True):
        with stand_in.under("cut", done=done), pytest.raises(ResponseHandlingException):
            client.upsert(NAME, [POINT])
        assert client.count(NAME).count == done


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_a_server_that_tests_are_pointed_at_gets_its_key(
    guarded: QdrantServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Any = SimpleNamespace(param="server")
    monkeypatch.setenv("NEEDLE_TEST_QDRANT_URL", guarded.url)
    monkeypatch.setenv("NEEDLE_TEST_QDRANT_API_KEY", "wrong")
    with pytest.raises(NeedleError):
        connect(asked)
    monkeypatch.setenv("NEEDLE_TEST_QDRANT_API_KEY", "right")
    connect(asked).close()
