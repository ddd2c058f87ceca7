"""`/openapi.json` says what the service does: every route, every field, and nothing else."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient

from common.catalogue import ImageRecord
from common.jobs import Job
from common.redis import Client
from common.services import Services
from tests.web.conftest import light

PAGES = {"page", "access"}
"""Blueprints that are no part of the interface: what the page is made of, and its session."""
EXAMPLES = 5
BOUNDS = f"""
[generation]
max-examples = {EXAMPLES}
deterministic = true
database = "none"
[phases.stateful]
enabled = false
"""


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    """Return the document."""
    found: dict[str, Any] = client.get("/openapi.json").json
    return found


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_is_described_and_nothing_else_is(app: Flask, document: dict[str, Any]) -> None:
    from web.openapi import path_of

    served = {
        (path_of(rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.endpoint.split(".")[0] not in PAGES
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == {(path, method) for path, method, _ in _operations(document)}
    assert len(served) >= 21


def test_every_call_every_schema_and_every_field_has_words(document: dict[str, Any]) -> None:
    for path, method, operation in _operations(document):
        assert operation["summary"] and operation["description"], (path, method)
        for parameter in operation["parameters"]:
            assert parameter.get("description"), (path, parameter["name"])
    for title, schema in document["components"]["schemas"].items():
        assert schema.get("title") == title and schema.get("description"), title
        for name, field in schema.get("properties", {}).items():
            assert field.get("description"), (title, name)


def test_every_error_is_the_one_component(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["Error"]["required"] == ["error"]
    for path, method, operation in _operations(document):
        for status, response in operation["responses"].items():
            if status >= "400" and (path, status) != ("/readyz", "503"):
                assert response == {"$ref": "#/components/responses/Error"}, (path, method)


def test_the_schemas_are_json_schemas_and_lead_somewhere(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for ref in _refs(document):
        at: Any = document
        for part in ref.removeprefix("#/").split("/"):
            at = at[part]


def test_generators_meet_names_and_no_alternatives_in_the_place_of_an_object(
    document: dict[str, Any],
) -> None:
    for title, schema in document["components"]["schemas"].items():
        assert not {"oneOf", "anyOf"} & set(schema), title
    for path, method, operation in _operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert set(content["schema"]) == {"$ref"}, (path, method)
    assert not [schema for schema in _schemas(document) if isinstance(schema, bool)]


def _schemas(value: Any) -> list[Any]:
    """Return every value of every `properties`, however deep."""
    if isinstance(value, list):
        return [found for one in value for found in _schemas(one)]
    if not isinstance(value, dict):
        return []
    own = value.get("properties")
    found = list(own.values()) if isinstance(own, dict) else []
    return found + [deeper for one in value.values() for deeper in _schemas(one)]


def _refs(value: Any) -> list[str]:
    if isinstance(value, list):
        return [ref for one in value for ref in _refs(one)]
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for one in value.values() for ref in _refs(one)]
    return []


def test_a_finished_search_is_as_described(
    client: FlaskClient, services: Services, indexed: ImageRecord, document: dict[str, Any]
) -> None:
    body = {"image_id": indexed.image_id, "wait": 0}
    job_id = client.post("/api/v1/search", json=body).json["job_id"]
    hit = {"box": [1, 2, 3, 4], "score": 0.9, "source": "tile", "label": None, "confidence": None}
    match = {
        "image_id": "image-1", "score": 0.9, "distance": 0.1, "filename": "a.jpg", "width": 60,
        "height": 40, "metadata": {}, "hits": [hit],
    }  # fmt: skip
    result = {"matches": [match], "timings_ms": {"total": 1.0}, "index": {"images": 1}}
    services.jobs.succeed(job_id, result)
    answer = client.get(f"/api/v1/jobs/{job_id}").json
    schema = {"$ref": "#/components/schemas/Job", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)
    del answer["result"]["matches"][0]["hits"][0]["box"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(answer)


def test_schemathesis_finds_nothing(
    app: Flask,
    services: Services,
    indexed: ImageRecord,
    redis: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests that the document allows are taken, others refused; no answer is undescribed."""
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis.engine import events, from_schema

    _make_ready(redis)
    monkeypatch.setattr(socket, "getaddrinfo", _public_address)
    monkeypatch.setattr(services.queue, "_max", 10**6)
    monkeypatch.setattr(type(services.jobs), "wait", _at_once)
    get = services.catalogue.get

    def half_are_there(collection: str, image_id: str) -> ImageRecord:
        return indexed if len(image_id) % 2 else get(collection, image_id)

    # So that calls get further than to a 404.
    monkeypatch.setattr(services.catalogue, "get", half_are_there)
    text = Path(__file__).with_name("schemathesis.toml").read_text()
    config = schemathesis.Config.from_str(f"seed = 7\n{text}\n{BOUNDS}")
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=config)
    found, calls = [], 0
    for event in from_schema(schema).execute():
        assert not isinstance(event, events.NonFatalError | events.FatalError), event
        if isinstance(event, events.ScenarioFinished):
            calls += len(event.recorder.interactions)
            found += _failures(event.recorder)
    assert not found, "\n".join(found[:5])
    assert calls > 20 * EXAMPLES


def _failures(recorder: Any) -> list[str]:
    return [
        f"{recorder.label}: {check.name}: {check.failure_info.failure}"
        for checks in recorder.checks.values()
        for check in checks
        if check.failure_info is not None
    ]


def _make_ready(redis: Client) -> None:
    """Say what workers say, so that a search by text is taken and `/readyz` is no 503."""
    models = {"name": "m", "encoder": "e", "dim": 4, "has_text": True}
    redis.hset("needle:models", "index", json.dumps(models))
    for role in ("index", "search"):
        light(redis, role, models)


def _public_address(host: str, port: int, **_: Any) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]


def _at_once(jobs: Any, job_id: str, timeout_s: float) -> Job:
    found: Job = jobs.get(job_id)
    return found
