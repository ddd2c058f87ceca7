"""Odd requests to every route of the interface: made of its own description."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from tests.fuzz.inputs import Input

DEEP = "[" * 3000 + "]" * 3000
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 7, 2**31, 2**63, 2**64, -(2**63) - 1, 1e308, 0.5, float("nan"),
    float("inf"), "", " ", "\x00", "ü\u202e", "a" * 5000, "\ud800", "../../etc/passwd", "..", "%00",
    "1e999", "kept", "default", "fuzz", [], [[]], {}, {"a": {"b": []}}, [None] * 2000, [1, 2, 3],
    {"year": {">": "x"}}, "http://127.0.0.1:1/x", "http://[::1]/", "file:///etc/passwd", "s3://a/b",
    "http://10.0.0.1:99999/", "//", "true", "max", "thorough", '{"a": 1}', "1,2,3,4", "9,9,1,1",
)  # fmt: skip
HEADERS = {
    "Idempotency-Key": ("", "k", "k" * 5000, "\xff"),
    "Needle-Webhook": ("http://127.0.0.1/", "x", "https://[", "\xff"),
    "Range": ("bytes=0-", "bytes=9-1", "bytes=-0", "x", "bytes=0-1,5-6," * 100),
    "If-None-Match": ("*", '"x"', "x" * 3000),
    "Accept": ("text/html", "x", "*/*;q=nan", "application/json"),
    "Content-Type": ("", "x", "application/json; charset=x", "text/plain", "multipart/form-data"),
    "X-Request-Id": ("a" * 3000, "\x7f", "é"),
    "Origin": ("http://other.example", "null"),
    "Authorization": ("Bearer", "Bearer needle_x_y", "Basic x", "\xff"),
    "Cookie": ("needle_key=x", "\xff=;;"),
}
STAYING = ("kept", "fuzz")
"""Collections that no odd request is to lead to, where it could change something."""


class Odd:
    """Makes requests of an OpenAPI document; `ids` are values that lead to something that is."""

    def __init__(self, document: Mapping[str, Any], ids: Mapping[str, str]) -> None:
        self._ids = ids
        self._calls = [
            (path, method.upper(), call, self._fields(document, call))
            for path, methods in document["paths"].items()
            for method, call in methods.items()
        ]

    def request(self, seed: int, number: int) -> Input:
        """Return one; each route has its turn."""
        dice = random.Random(f"request {seed} {number}")
        path, method, call, fields = self._calls[number % len(self._calls)]
        own = [each for each in call.get("parameters", ()) if "name" in each]
        real = method == "GET" and dice.random() < 0.7
        for parameter in (each for each in own if each["in"] == "path"):
            name = parameter["name"]
            value = self._ids[name] if real and name in self._ids else _told(_odd(dice, *STAYING))
            path = path.replace("{" + name + "}", quote(value, safe="", errors="replace") or "%20")
        options: dict[str, Any] = {}
        named = [each["name"] for each in own if each["in"] == "query"]
        options["params"] = {name: _told(_odd(dice)) for name in named if dice.random() < 0.4}
        if method in ("POST", "PATCH"):
            options |= self._body(dice, fields)
        json_said = {"Content-Type": b"application/json"} if "content" in options else {}
        options["headers"] = json_said | _headers(dice)
        return Input("request", number, method, path, options)

    def _body(self, dice: random.Random, fields: Sequence[str]) -> dict[str, Any]:
        chosen = {name: _odd(dice, *STAYING) for name in fields if dice.random() < 0.25}
        match dice.randrange(6):
            case 0:
                said = dice.choice((b"", b"{", b"\xff\xfe", DEEP.encode(), b"[1]", b'"a"', b"null"))
                return {"content": said}
            case 1:
                told = {name: _told(value) for name, value in chosen.items()}
                files = [(dice.choice(("files", "file", "x")), ("a\r\n.png", b"\x89PNG"))]
                return {"data": told, "files": files}
            case 2:
                return {"data": {name: _told(value) for name, value in chosen.items()}}
            case _:
                return {"content": json.dumps(chosen).encode()}

    def _fields(self, document: Mapping[str, Any], call: Mapping[str, Any]) -> list[str]:
        found: list[str] = []
        for content in call.get("requestBody", {}).get("content", {}).values():
            schema = content["schema"]
            if "$ref" in schema:
                schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
            found += schema.get("properties", {})
        return [*dict.fromkeys(found), "surplus"]


def _odd(dice: random.Random, *without: str) -> Any:
    """Return an odd value; never one that leads to what is to stay."""
    return dice.choice([value for value in VALUES if value not in without])


def _told(value: Any) -> str:
    """Return a value as a path, a form or a query string carries it."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()


def _headers(dice: random.Random) -> dict[str, bytes]:
    return {
        name: dice.choice(values).encode("latin-1")
        for name, values in HEADERS.items()
        if dice.random() < 0.08
    }
