"""`POST /searches` and what it leads to: one job of many queries, and what they have found."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.contract.answers import Findings, FoundHit, FoundMatch, Thing
from common.images import answer_key, query_folder, query_key
from common.jobs import Item, ItemStatus
from common.redis import Client
from common.services import Services
from tests.web.conftest import files, plain
from web import search_results

Tasks = Callable[[str], list[dict[str, Any]]]
SEARCHES = "/api/v1/searches"
BAD = b"no image"


def answered(services: Services, job_id: str, number: int, name: str, *matches: FoundMatch) -> None:
    """Leave an answer as a worker does."""
    content = Findings(found=bool(matches), matches=matches).model_dump_json(exclude_unset=True)
    services.images.put(answer_key(job_id, number), content.encode())
    services.jobs.finish_items(job_id, [Item(number, name).ended(ItemStatus.ANSWERED, None)])


def match(path: str, probability: float, *hits: FoundHit) -> FoundMatch:
    return FoundMatch(
        image_id="image-1", score=0.9, distance=0.1, filename=path, path=path, paths=(path,),
        width=60, height=40, metadata={}, hits=hits, count=2, verified=True,
        probability=probability,
    )  # fmt: skip


def hit(*box: int, verified: bool) -> FoundHit:
    return FoundHit(box=box, score=0.9, source="tile", verified=verified)


def test_files_become_one_job_in_chunks_with_the_options_of_a_search(
    client: FlaskClient, services: Services, tasks: Tasks
) -> None:
    sent = files(*(plain(n) for n in range(6)))
    fields = {"limit": "3", "rotate": "true", "not_file": (io.BytesIO(plain(9)), "n.png")}
    answer = client.post(SEARCHES, data=sent | fields)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json['job_id']}"
    job_id = answer.json["job_id"]
    assert (answer.json["kind"], answer.json["progress"]["total"]) == ("searches", 6)
    each = [{"job_id": job_id, "first": n, "last": n} for n in range(6)]
    assert tasks("searches") == each, "every thread has something of a small folder"
    assert services.images.open(query_key(job_id, 5)) == plain(5)
    assert services.images.open(query_key(job_id, 0, negative=True)) == plain(9)
    details = services.jobs.get(job_id).details
    assert (details["limit"], details["rotate"], details["negative_files"]) == (3, True, 1)
    assert details["hits_per_image"] == 20


def test_of_many_queries_a_task_has_several(client: FlaskClient, tasks: Tasks) -> None:
    queries = [{"image_id": str(number)} for number in range(50)]
    assert client.post(SEARCHES, json={"queries": queries}).status_code == 202
    taken = [(task["first"], task["last"]) for task in tasks("searches")]
    assert len(taken) == 17 and (taken[0], taken[-1]) == ((0, 2), (48, 49))


def test_an_archive_holds_queries_and_a_bad_one_is_an_item_that_failed(
    client: FlaskClient, tasks: Tasks
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("logos/a.png", plain(1))
        archive.writestr("logos/b.png", BAD)
    sent = {"files": [(io.BytesIO(packed.getvalue()), "logos.zip")]}
    job = client.post(SEARCHES, data=sent).json
    rows = client.get(f"/api/v1/jobs/{job['job_id']}/items").json["items"]
    assert [(row["name"], row["status"]) for row in rows] == [
        ("logos/a.png", "queued"),
        ("logos/b.png", "failed"),
    ]
    assert rows[1]["error"]["message"]


def test_urls_and_indexed_images_are_queries(client: FlaskClient, services: Services) -> None:
    queries = [{"image_id": "image-1"}, {"url": "http://127.0.0.1/a.png"}, {"url": "ftp://a/b"}]
    answer = client.post(SEARCHES, json={"queries": queries, "negatives": []})
    assert answer.status_code == 202, answer.json
    items = services.jobs.items(answer.json["job_id"], offset=0, limit=9)
    assert [(i.name, i.image_id, i.status.value) for i in items] == [
        ("image-1", "image-1", "queued"),
        ("http://127.0.0.1/a.png", None, "failed"),  # a private address
        ("ftp://a/b", None, "failed"),
    ]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": {"limit": "3"}, "content_type": "multipart/form-data"}, 400),
        ({"json": {"queries": []}}, 400),
        ({"json": {"queries": [{"url": "ftp://a/b"}]}}, 400),
        ({"json": {"queries": [{"image_id": "a"}], "box": [0, 0, 9, 9]}}, 400),
        ({"json": {"queries": [{"image_id": "a"}], "collection": "none"}}, 404),
        ({"json": {"queries": [{"image_id": "a"}], "negatives": [{"image_id": "b"}]}}, 404),
        ({"json": {"queries": [{"image_id": "a"}] * 51}}, 413),
    ],
)
def test_what_is_refused_changes_nothing(
    client: FlaskClient, services: Services, sent: dict[str, Any], status: int
) -> None:
    answer = client.post(SEARCHES, **sent)
    assert answer.status_code == status, answer.json
    assert services.jobs.list.count() == 0


def test_a_request_without_a_query_that_is_an_image_is_refused_and_keeps_no_file(
    client: FlaskClient, services: Services, settings: Any
) -> None:
    answer = client.post(SEARCHES, data=files(BAD, BAD))
    assert answer.status_code == 415 and len(answer.json["error"]["items"]) == 2
    assert not [path for path in settings.data_dir.rglob("queries/*/*")]
    assert services.jobs.list.count() == 0


def test_the_same_request_with_the_same_key_is_one_job(client: FlaskClient, tasks: Tasks) -> None:
    key = {"Idempotency-Key": "one"}
    ids = {client.post(SEARCHES, data=files(plain()), headers=key).json["job_id"] for _ in "123"}
    assert len(ids) == 1 and len(tasks("searches")) == 1


def test_a_full_queue_of_them_refuses_and_searches_go_on(client: FlaskClient) -> None:
    assert client.post(SEARCHES, data=files(*[plain(n) for n in range(50)])).status_code == 202
    for _ in range(4):
        last = client.post(SEARCHES, data=files(*[plain(n) for n in range(20)]))
    assert last.status_code == 429
    one = {"file": (io.BytesIO(plain(1)), "q.png"), "wait": "0"}
    assert client.post("/api/v1/search", data=one).status_code == 202


@pytest.fixture
def done(client: FlaskClient, services: Services) -> str:
    """Return a job of four queries: found, not found, failed, and one that waits."""
    sent = files(plain(1), plain(2), BAD, plain(3), names=("=a.png", "b.png", "c.png", "d.png"))
    job_id = str(client.post(SEARCHES, data=sent).json["job_id"])
    boxes = (hit(1, 2, 30, 20, verified=True), hit(5, 5, 9, 9, verified=False),
             hit(31, 2, 60, 20, verified=True))  # fmt: skip
    sure, doubt = match("shelf.jpg", 0.97, *boxes), match("other.jpg", 0.3, boxes[1])
    answered(services, job_id, 0, "=a.png", sure, doubt)
    answered(services, job_id, 1, "b.png", doubt)
    return job_id


def rows(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200 and answer.mimetype == "text/csv", answer.json
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_table_has_a_row_for_each_place_and_one_for_a_query_without(
    client: FlaskClient, done: str
) -> None:
    found = rows(client.get(f"/api/v1/jobs/{done}/results.csv"))
    kept = ("query", "status", "found", "path", "x1", "probability", "count")
    assert [tuple(row[name] for name in kept) for row in found] == [
        ("'=a.png", "answered", "yes", "shelf.jpg", "1", "0.97", "2"),
        ("'=a.png", "answered", "yes", "shelf.jpg", "31", "0.97", "2"),
        ("b.png", "answered", "no", "", "", "", ""),
        ("c.png", "failed", "", "", "", "", ""),
        ("d.png", "queued", "", "", "", "", ""),
    ]
    assert found[3]["error"] and not found[4]["error"]
    least = rows(client.get(f"/api/v1/jobs/{done}/results.csv?min_probability=0.2"))
    assert [row["path"] for row in least] == ["shelf.jpg"] * 2 + ["other.jpg"] * 2 + ["", ""]


def test_the_results_are_answered_in_pages(client: FlaskClient, done: str) -> None:
    page = client.get(f"/api/v1/jobs/{done}/results?offset=0&limit=3").json
    assert page["total"] == 4
    first, second, third = page["results"]
    assert (first["name"], first["status"]) == ("=a.png", "answered")
    assert first["result"]["found"] is True
    assert first["result"]["matches"][0]["urls"]["file"].startswith("/api/v1/images/image-1/file")
    assert second["result"]["matches"][0]["probability"] == 0.3
    assert third["result"] is None and third["error"]["message"]


def test_a_page_ends_early_where_its_answers_are_large(
    client: FlaskClient, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_results, "PAGE_BYTES", 1)
    path = f"/api/v1/jobs/{done}/results"
    first = client.get(f"{path}?limit=4").json
    assert (len(first["results"]), first["total"]) == (1, 4)
    rest = client.get(f"{path}?offset=1&limit=4").json["results"]
    assert [row["name"] for row in rest] == ["b.png"]
    assert len(client.get(f"{path}?offset=2&limit=4").json["results"]) == 2


def test_of_several_things_an_image_counts_that_shows_any() -> None:
    item = Item(0, "a.png").ended(ItemStatus.ANSWERED, None)
    one = match("shelf.jpg", 0.33, hit(1, 2, 30, 20, verified=True))
    one, none = (one.model_copy(update={"shows": shows}) for shows in ((2,), ()))
    thing = Thing(box=(0, 0, 9, 9), label=None, confidence=None, found=True, probability=0.9)
    found = Findings(found=True, objects=[thing] * 3, matches=(one, none))
    assert [row[2] for row in search_results.rows_of(item, found)] == ["yes"]
    assert [row[2] for row in search_results.rows_of(item, found, 0.5)] == ["no"]


def test_a_row_has_every_path_of_an_image_that_has_several() -> None:
    item = Item(0, "a.png").ended(ItemStatus.ANSWERED, None)
    one = match("shelf.jpg", 0.9, hit(1, 2, 30, 20, verified=True))
    both = one.model_copy(update={"paths": ("x/shelf.jpg", "y/copy.jpg")})
    (first,), (second,) = (
        search_results.rows_of(item, Findings(found=True, matches=(each,))) for each in (one, both)
    )
    assert len(first) == len(second) == len(search_results.COLUMNS)
    assert (first[-1], second[-1]) == ("", '["x/shelf.jpg", "y/copy.jpg"]')
    assert len(search_results.rows_of(item, None)[0]) == len(search_results.COLUMNS)


def test_a_cancelled_job_keeps_what_was_answered(client: FlaskClient, done: str) -> None:
    assert client.delete(f"/api/v1/jobs/{done}").json["status"] == "cancelled"
    statuses = [row["status"] for row in rows(client.get(f"/api/v1/jobs/{done}/results.csv"))]
    assert statuses == ["answered", "answered", "answered", "failed", "cancelled"]


def test_in_a_job_that_failed_as_a_whole_no_query_waits(
    client: FlaskClient, services: Services, done: str
) -> None:
    services.jobs.fail(done, "encoder_mismatch", "The index was made with another encoder.")
    found = rows(client.get(f"/api/v1/jobs/{done}/results.csv"))
    assert [row["status"] for row in found] == ["answered"] * 3 + ["failed"] * 2
    assert found[4]["error"] == "The index was made with another encoder."
    for what, listed in (("results", "results"), ("items", "items")):
        last = client.get(f"/api/v1/jobs/{done}/{what}").json[listed][3]
        assert (last["status"], last["error"]["code"]) == ("failed", "encoder_mismatch")


def test_another_job_has_no_results(client: FlaskClient) -> None:
    job_id = client.post("/api/v1/images", data=files(plain())).json["job_id"]
    for what in ("results", "results.csv"):
        assert client.get(f"/api/v1/jobs/{job_id}/{what}").status_code == 404


def test_results_go_when_the_job_is_forgotten(
    client: FlaskClient, services: Services, redis: Client, done: str
) -> None:
    client.delete(f"/api/v1/jobs/{done}")
    redis.zadd("needle:jobs:ended", {done: 1})
    redis.delete(f"needle:job:{done}")
    client.post(SEARCHES, data=files(plain()))  # each new job forgets some
    assert not services.images.exists(answer_key(done, 0))
    assert query_folder(done) in answer_key(done, 0)
    assert json.loads(client.get(f"/api/v1/jobs/{done}/results").data)["error"]
