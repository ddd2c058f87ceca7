"""Lists as a client pages through them: newest first, by cursor, narrowed down."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from common import paging
from common.catalogue import ImageRecord
from common.jobs import Item, Kind
from common.redis import Client
from common.services import Services
from tests.clocks import kept_in
from tests.web.conftest import files, plain

Add = Callable[..., None]


@pytest.fixture
def add(services: Services) -> Add:
    """Return what adds an indexed image."""

    def make(name: str, at: float, collection: str = "default", **metadata: Any) -> None:
        record = ImageRecord(name, collection, f"{name}.JPG", "image/jpeg", 9, 9, 1, metadata)
        services.catalogue.add([record])
        services.catalogue.mark_indexed(collection, [record.indexed(regions=2, at=at, recipe="")])

    return make


def _walk(client: FlaskClient, path: str, key: str, name: str) -> list[list[str]]:
    """Follow `next` to the end; return the names of each page."""
    pages = []
    url: str | None = path
    while url is not None:
        answer = client.get(url)
        assert answer.status_code == 200, answer.json
        pages.append([row[name] for row in answer.json[key]])
        url = answer.json["next"]
        assert answer.headers.get("Link") == (f'<{url}>; rel="next"' if url else None)
    return pages


def test_pages_hold_every_image_once_also_those_of_one_moment(
    client: FlaskClient, add: Add
) -> None:
    for n in range(7):
        add(f"image-{n}", at=1_700_000_000.0 + n // 3)
    pages = _walk(client, "/api/v1/images?limit=2", "images", "image_id")
    found = [[int(name.removeprefix("image-")) for name in page] for page in pages]
    assert found == [[6, 5], [4, 3], [2, 1], [0]]


def test_what_comes_and_goes_between_two_pages_moves_neither(
    client: FlaskClient, services: Services, add: Add
) -> None:
    for n in range(4):
        add(f"image-{n}", at=1_700_000_000.1234567 + n)
    first = client.get("/api/v1/images?limit=2").json
    services.catalogue.remove("default", first["images"][1]["image_id"])
    add("image-9", at=1_800_000_000)
    second = client.get(first["next"]).json
    assert [image["image_id"] for image in second["images"]] == ["image-1", "image-0"]
    assert second["next"] is None


def test_offset_goes_on_working_and_total_counts_all(client: FlaskClient, add: Add) -> None:
    for n in range(3):
        add(f"image-{n}", at=float(n))
    answer = client.get("/api/v1/images?limit=1&offset=1").json
    assert ([i["image_id"] for i in answer["images"]], answer["total"]) == (["image-1"], 3)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=RED", ["red-2", "red-1"]),
        ("name=.jpg", ["red-2", "blue-1", "red-1"]),
        ('filter={"shop": "Basel"}', ["red-1"]),
        ('filter={"tags": ["a", "z"]}', ["red-1"]),
        ('filter={"year": {"gte": 2020, "lt": 2025}}', ["blue-1", "red-1"]),
        ('filter={"sale": true}', ["red-2"]),
        ('filter={"sale": 1}', ["blue-1"]),
        ('filter={"price": 1.5}', ["blue-1"]),
        ('name=red&filter={"year": {"gt": 2020}}', ["red-1"]),
        ("name=nothing", []),
    ],
)
def test_images_are_found_by_name_and_metadata(
    client: FlaskClient, add: Add, query: str, found: list[str]
) -> None:
    add("red-1", 1.0, shop="Basel", tags=["a", "b"], year=2021)
    add("blue-1", 2.0, year=2020, sale=1, price=1.5)
    add("red-2", 3.0, sale=True, year="2021")
    answer = client.get(f"/api/v1/images?{query}").json
    assert [image["image_id"] for image in answer["images"]] == found
    assert (answer["total"], answer["next"]) == (None, None)


def test_a_long_search_for_few_goes_on_from_its_cursor(
    client: FlaskClient, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MOST_SEEN", 3)
    for n in range(8):
        add(f"image-{n}", at=float(n))
    add("wanted", at=-1.0 + 1)
    pages = _walk(client, "/api/v1/images?name=want&limit=5", "images", "image_id")
    assert pages == [[], [], ["wanted"]]


def test_a_page_that_is_full_of_what_is_wanted_has_a_next_one_only_if_there_is_more(
    client: FlaskClient, add: Add
) -> None:
    for n in range(4):
        add(f"image-{n}", at=float(n))
    pages = _walk(client, "/api/v1/images?name=image&limit=2", "images", "image_id")
    assert [len(page) for page in pages] == [2, 2]


def _job(services: Services, name: str, kind: Kind = Kind.INDEX) -> None:
    services.jobs.create(name, kind, [Item(0, "a")], {"collection": "default"})


def test_jobs_are_listed_newest_first_without_their_results(
    client: FlaskClient, services: Services
) -> None:
    posted = client.post("/api/v1/images", data=files(plain())).json["job_id"]
    _job(services, "search-1", Kind.SEARCH)
    services.jobs.succeed("search-1", {"matches": []})
    listed = client.get("/api/v1/jobs").json
    assert [job["job_id"] for job in listed["jobs"]] == ["search-1", posted]
    assert listed["total"] == 2
    assert listed["jobs"][0]["status"] == "succeeded" and "result" not in listed["jobs"][0]
    assert listed["jobs"][1]["progress"]["total"] == 1
    assert listed["jobs"][1]["collection"] == "default"


@pytest.mark.parametrize(
    ("query", "found", "total"),
    [
        ("kind=index", ["d", "a"], 2),
        ("kind=search", ["b"], 1),
        ("status=queued", ["d", "b"], None),
        ("status=cancelled&kind=index", ["a"], None),
        ("kind=delete&status=failed", ["c"], None),
        ("limit=2&offset=1", ["c", "b"], 4),
    ],
)
def test_jobs_are_found_by_kind_and_status(
    client: FlaskClient, services: Services, query: str, found: list[str], total: int | None
) -> None:
    kinds = {"a": Kind.INDEX, "b": Kind.SEARCH, "c": Kind.DELETE, "d": Kind.INDEX}
    for name, kind in kinds.items():
        _job(services, name, kind)
    services.jobs.cancel("a")
    services.jobs.fail("c", "internal", "It failed.")
    answer = client.get(f"/api/v1/jobs?{query}").json
    assert ([job["job_id"] for job in answer["jobs"]], answer["total"]) == (found, total)


def test_jobs_are_paged_by_cursor(client: FlaskClient, services: Services) -> None:
    for n in range(5):
        _job(services, f"j{n}")
    pages = _walk(client, "/api/v1/jobs?limit=2&status=queued", "jobs", "job_id")
    assert pages == [["j4", "j3"], ["j2", "j1"], ["j0"]]


def test_jobs_that_have_faded_leave_the_list(
    client: FlaskClient, services: Services, redis: Client
) -> None:
    for n in range(3):
        _job(services, f"j{n}")
        services.jobs.cancel(f"j{n}")
    redis.delete("needle:job:j0", "needle:job:j1")
    listed = client.get("/api/v1/jobs").json["jobs"]
    assert [job["job_id"] for job in listed] == ["j2"]
    for name in ("j0", "j1"):
        redis.zadd("needle:jobs:ended", {name: 1.0})
    _job(services, "j3")
    assert redis.zrange("needle:jobs", 0, -1) == ["j2", "j3"]
    assert redis.zrange("needle:jobs:index", 0, -1) == ["j2", "j3"]


def test_a_job_that_could_not_be_enqueued_is_not_listed(
    client: FlaskClient, services: Services, redis: Client
) -> None:
    _job(services, "half")
    services.jobs.discard("half")
    assert client.get("/api/v1/jobs").json == {"jobs": [], "total": 0, "next": None}
    assert json.dumps(kept_in(redis)) == "[]"


@pytest.mark.parametrize(
    "name", ["second", "FIRST", "zurich/", "2024/second", "caf\u00e9", "cafe\u0301"]
)
def test_an_image_is_found_by_any_path_that_it_was_posted_under(
    client: FlaskClient, name: str
) -> None:
    for path in ("Zurich/first.png", "2024/second.png", "Cafe\u0301.png", "Zurich/first.png"):
        client.post("/api/v1/images", data=files(plain(1), names=(path,)))
    services = client.application.extensions["needle"]
    (record,) = services.catalogue.every("default")
    services.catalogue.mark_indexed("default", [record.indexed(regions=1, at=1.0, recipe="")])
    (image,) = client.get("/api/v1/images", query_string={"name": name}).json["images"]
    assert (image["filename"], image["path"]) == ("first.png", "Zurich/first.png")
    assert image["paths"] == ["Zurich/first.png", "2024/second.png", "Caf\u00e9.png"]


def test_ever_new_paths_of_one_image_are_bounded(services: Services) -> None:
    paths = [f"{n:04}/{'x' * 900}.png" for n in range(50)]
    for path in paths:
        record = ImageRecord("one", "default", "x.png", "image/png", 9, 9, 1, paths=(path,))
        services.catalogue.claim(record, "job")
    kept = services.catalogue.get("default", "one").paths
    assert kept == tuple(paths[: len(kept)]) and 10 < len(kept) < 20
    services.catalogue.remove("default", "one")
    assert services.redis.keys("needle:paths:*") == []


def test_a_change_of_metadata_is_a_job_with_the_options_of_before(
    client: FlaskClient, services: Services, add: Add
) -> None:
    add("image-1", 1.0, shop="Basel")
    record = services.catalogue.get("default", "image-1")
    kept = replace(record, options={"profile": "fast", "local_features": 9})
    services.catalogue.mark_indexed("default", [kept])
    body = {"metadata": {"shop": None, "year": 2024}}
    answer = client.patch("/api/v1/images/image-1?wait=0", json=body)
    assert (answer.status_code, answer.json["kind"]) == (202, "index")
    order = services.jobs.get(answer.json["job_id"]).details
    assert order["changes"] == {"shop": None, "year": 2024}
    assert (order["profile"], order["local_features"]) == ("fast", 9)
    for wrong in ({}, {"metadata": {}}, {"metadata": {"a.b": 1}}, {"filename": "x"}):
        assert client.patch("/api/v1/images/image-1", json=wrong).status_code == 400
    assert client.patch("/api/v1/images/nothing", json=body).status_code == 404


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("newest", ["c", "b", "a", "d"]),
        ("oldest", ["d", "a", "b", "c"]),
        ("name", ["a", "d", "c", "b"]),
        ("date", ["d", "a", "c", "b"]),
    ],
)
def test_images_are_listed_in_other_orders_page_by_page(
    client: FlaskClient, services: Services, sort: str, found: list[str]
) -> None:
    rows: list[tuple[str, str, float, dict[str, Any]]] = [
        ("a", "\u00c4/IMG_9.jpg", 2.0, {"date": 20240101, "time": "08:00:00"}),
        ("b", "z.jpg", 3.0, {}),
        ("c", "\u00e4/IMG_100.jpg", 4.0, {"date": 20230101}),
        ("d", "\u00e4/IMG_10.jpg", 1.0, {"date": 20240101, "time": "09:00:00"}),
    ]
    for name, path, at, metadata in rows:
        record = ImageRecord(name, "default", path, "image/jpeg", 9, 9, 1, metadata, paths=(path,))
        services.catalogue.add([record])
        services.catalogue.mark_indexed("default", [record.indexed(regions=1, at=at, recipe="")])
    pages = _walk(client, f"/api/v1/images?limit=3&sort={sort}", "images", "image_id")
    assert pages == [found[:3], found[3:]]
    narrowed = client.get(f"/api/v1/images?sort={sort}&name=img").json
    assert [image["image_id"] for image in narrowed["images"]] == [n for n in found if n != "b"]


def test_an_order_that_has_no_cursor_refuses_one(client: FlaskClient) -> None:
    answer = client.get("/api/v1/images?sort=name&cursor=1.0000000_a")
    assert answer.status_code == 400


def test_what_is_too_much_to_sort_is_said(
    client: FlaskClient, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.sorting.MOST_SORTED", 1)
    for n in range(2):
        add(f"image-{n}", float(n))
    assert client.get("/api/v1/images?sort=name").status_code == 400
    assert client.get("/api/v1/images").status_code == 200


def test_images_are_asked_for_by_their_ids(client: FlaskClient, indexed: ImageRecord) -> None:
    client.post("/api/v1/images", data=files(plain()))  # known, and not indexed yet
    waits = client.get("/api/v1/jobs").json["jobs"][0]["job_id"]
    (item,) = client.get(f"/api/v1/jobs/{waits}/items").json["items"]
    ids = f"nothing,{indexed.image_id},{item['image_id']},{indexed.image_id}"
    answer = client.get(f"/api/v1/images?ids={ids}").json
    assert [image["image_id"] for image in answer["images"]] == [indexed.image_id]
    assert (answer["total"], answer["next"]) == (1, None)
    assert client.get(f"/api/v1/images?ids={ids}&name=zzz").json["images"] == []
    assert client.get("/api/v1/images?ids=" + ",".join("a" * 101)).status_code == 400
