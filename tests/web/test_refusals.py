"""What is refused is refused in words of ours: none of a library's types, names or advice."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.contract import reasons

ODD: tuple[Any, ...] = (
    None, True, -1, 1.5, 10**30, "", "a" * 5000, "1,2,3", [], [1], [None], {}, {"a": 1},
    {"a": {"b": 1}}, {"url": 1, "box": [1]},
)  # fmt: skip
FOREIGN = re.compile(
    r"Input should|Value error|Field required|should (have|match|be)|valid (dict|list|str|int|num)"
    r"|dictionary|constrained|validation|pars(e|ing)|unable|[Tt]uple|Example\b|\bfloat|\bstr\b"
    r"|Traceback|browser|proxy|URL was not|your spelling|The method|The server|Content-Type was"
    r"|pydantic|werkzeug|[Ff]lask|gunicorn|is not as it must be|\{[a-z]\w*\}|None\b"
)
"""Phrases of pydantic, werkzeug and gunicorn, and what is said of a fault without words of ours."""


def refusals(answer: Any) -> list[str]:
    """Return every sentence of a refusal, with the names of fields."""
    if answer.status_code < 400:
        return []
    error = answer.get_json()["error"]
    fields = error.get("fields", [])
    return [error["message"], *(f"{one['field']}: {one['reason']}" for one in fields)]


def test_every_field_of_every_call_is_refused_in_words_of_ours(client: FlaskClient) -> None:
    document: dict[str, Any] = client.get("/openapi.json").get_json()
    said: set[str] = set()
    for path, methods in document["paths"].items():
        url = re.sub(r"\{\w+\}", "1", path)
        for method, operation in methods.items():
            for parameter in (one for one in operation["parameters"] if one["in"] == "query"):
                for value in ("", "x", "-1", "nan", "1e400", "9" * 30, "{", '{"a": {"gte": "x"}}'):
                    query = {parameter["name"]: value}
                    said |= {*refusals(client.open(url, method=method, query_string=query))}
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                names = _properties(document, content["schema"])
                for name, value in product(names, ODD):
                    body = _body(kind, name, value, "wait" in names)
                    said |= {*refusals(client.open(url, method=method, **body))}
    assert len(said) > 60
    assert not [sentence for sentence in sorted(said) if FOREIGN.search(sentence)]


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/nowhere", {}),
        ("GET", "/api/v1/images/a/b/c", {}),
        ("PUT", "/api/v1/images", {}),
        ("POST", "/livez", {}),
        ("GET", "/static/none.js", {}),
        ("POST", "/api/v1/search", {"data": b"{", "content_type": "application/json"}),
        ("POST", "/api/v1/search", {"data": b"[1]", "content_type": "application/json"}),
        ("POST", "/api/v1/search", {"data": b"", "content_type": "application/json"}),
        ("POST", "/api/v1/search", {"data": b"x", "content_type": "multipart/form-data"}),
        ("POST", "/api/v1/images", {"data": b"x" * 2_000_001, "content_type": "application/json"}),
        ("POST", "/api/v1/collections", {"data": b"x", "content_type": "text/plain"}),
    ],
)
def test_what_flask_refuses_by_itself_is_said_in_words_of_ours(
    client: FlaskClient, method: str, path: str, more: dict[str, Any]
) -> None:
    sentences = refusals(client.open(path, method=method, **more))
    assert sentences
    assert not [sentence for sentence in sentences if FOREIGN.search(sentence)]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"text": "a", "limit": "5"}, "limit: must be a whole number"),
        ({"text": "a", "limit": 0}, "limit: must be at least 1"),
        ({"text": ""}, "text: must not be empty"),
        ({"text": "a", "colour": 1}, "colour: there is no such field"),
        ({"text": "a", "box": [1, 2, 3]}, "box.3: is missing"),
        (
            {"text": "a", "examples": [1]},
            'examples.0: must be {"url": ...} or {"image_id": ...}, with "box": [x1, y1, x2, y2] '
            "where only a part counts",
        ),
    ],
)
def test_a_reason_reads_well(client: FlaskClient, body: dict[str, Any], sentence: str) -> None:
    answer = client.post("/api/v1/search", json=body)
    assert (answer.status_code, answer.get_json()["error"]["message"]) == (400, sentence)


def test_one_sentence_says_what_metadata_may_be(client: FlaskClient) -> None:
    body = {"urls": ["http://93.184.216.34/a.jpg"], "metadata": {"a": {"b": 1}}}
    error = client.post("/api/v1/images", json=body).get_json()["error"]
    assert [one["field"] for one in error["fields"]] == ["metadata.a"]


def test_numbers_fit_their_sentence() -> None:
    fault = {"type": "too_short", "ctx": {"min_length": 1}}
    assert reasons.reason(fault) == "must have at least one entry"


def _properties(document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    name = schema["$ref"].rsplit("/", 1)[1]
    return list(document["components"]["schemas"][name]["properties"])


def _body(kind: str, name: str, value: Any, waits: bool) -> dict[str, Any]:
    """Return a request's body; what is accepted after all is not waited for."""
    rest = {"wait": 0} if waits and name != "wait" else {}
    if kind == "application/json":
        return {"json": {"text": "a", **rest, name: value}}
    text = value if isinstance(value, str) else json.dumps(value)
    return {"data": {**rest, name: text}, "content_type": kind}
