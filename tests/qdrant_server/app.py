"""The REST interface: Qdrant's paths, keys, forms of answers and of errors, and `/faults`."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask, Response, g, request
from pydantic import TypeAdapter, ValidationError
from qdrant_client.http import models

from tests.qdrant_server.collection import Collection
from tests.qdrant_server.errors import Exists, Forbidden, NoCollection, Refused, Unauthorized
from tests.qdrant_server.faults import Fault, Faults
from tests.qdrant_server.spoiling import spoiled

M = TypeVar("M")
LARGEST_REQUEST = 32 * 2**20
"""As in a server's own settings."""
OPEN = ("/", "/healthz", "/livez", "/readyz", "/faults")
FORBIDDEN_IN_NAMES = set('<>:"/\\|?*\0\x1f')
READING = ("/scroll", "/query", "/count", "/points")
"""What is only read by POST; PUT to the same paths writes."""


class Node:
    """The collections of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._collections = {
            path.name: Collection(path)
            for path in folder.iterdir()
            if not path.name.startswith((".new-", ".gone-"))
        }

    def names(self) -> list[str]:
        """Return the names of the collections."""
        return sorted(self._collections)

    def get(self, name: str) -> Collection:
        """Return a collection. Raises NoCollection."""
        try:
            return self._collections[name]
        except KeyError:
            raise NoCollection(name) from None

    def make(self, name: str, asked: models.CreateCollection) -> None:
        """Make a collection. Raises Refused."""
        if not name or len(name) > 255 or FORBIDDEN_IN_NAMES & set(name):
            raise Refused(f"Validation error: collection name {name!r} is not allowed")
        for number in (
            asked.shard_number,
            asked.replication_factor,
            asked.write_consistency_factor,
        ):
            if number is not None and number < 1:
                raise Refused("Validation error: value must be 1 or larger")
        with self._lock:
            if name in self._collections:
                raise Exists(name)
            self._collections[name] = Collection.make(self._folder / name, asked)

    def remove(self, name: str) -> bool:
        """Remove a collection; False where there is none."""
        with self._lock:
            gone = self._collections.pop(name, None)
        if gone is not None:
            gone.remove()
        return gone is not None

    def close(self) -> None:
        """Write everything down."""
        for one in self._collections.values():
            one.close()


def create_app(
    node: Node,
    *,
    api_key: str | None = None,
    read_only_key: str | None = None,
    strict: bool = False,
) -> Flask:
    """Return the server. `strict` refuses filters on fields without an index, as clouds do."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    faults = Faults()

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()
        request.get_data()  # or what is left of it would be taken for the next request
        if request.path not in OPEN:
            _check_key(api_key, read_only_key)

    @app.errorhandler(Refused)
    def refuse(refused: Refused) -> Response:
        return _refusal(refused)

    @app.errorhandler(413)
    def too_large(_: Exception) -> Response:
        return _answer({"error": "Payload Too Large"}, 413)

    @app.post("/faults")
    def order() -> Response:
        faults.order(_body(Fault))
        return _answer("ok", result=True)

    @app.get("/faults")
    def tell() -> Response:
        return _answer("ok", result={"struck": faults.struck})

    @app.delete("/faults")
    def take_back() -> Response:
        faults.take_back()
        return _answer("ok", result=True)

    @app.get("/")
    @app.get("/healthz")
    @app.get("/livez")
    @app.get("/readyz")
    def here() -> Response:
        return _answer("ok", result=True)

    @app.get("/collections")
    def names() -> Response:
        found = [{"name": name} for name in node.names()]
        return _answer("ok", result={"collections": found})

    @app.get("/collections/<name>/exists")
    def exists(name: str) -> Response:
        return _answer("ok", result={"exists": name in node.names()})

    @app.put("/collections/<name>")
    def make(name: str) -> Response:
        node.make(name, _body(models.CreateCollection))
        return _answer("ok", result=True)

    @app.get("/collections/<name>")
    def info(name: str) -> Response:
        return _answer("ok", result=node.get(name).info())

    @app.patch("/collections/<name>")
    def configure(name: str) -> Response:
        return _answer("ok", result=node.get(name).configure(_body(models.UpdateCollection)))

    @app.delete("/collections/<name>")
    def remove(name: str) -> Response:
        return _answer("ok", result=node.remove(name))

    def call(path: str, method: str, form: Any, do: Callable[[Collection, Any], Any]) -> None:
        """Serve a call on a collection whose body is of a form."""

        def view(name: str) -> Response:
            collection, asked = node.get(name), _body(form)
            if strict:
                _check_indexes(collection, asked)
            return _answer("ok", result=do(collection, asked))

        app.add_url_rule(f"/collections/<name>{path}", path + method, view, methods=[method])

    call("/index", "PUT", models.CreateFieldIndex, Collection.index)
    call("/points", "PUT", models.PointsList, Collection.upsert)
    call("/points", "POST", models.PointRequest, Collection.retrieve)
    call("/points/delete", "POST", models.PointIdsList, Collection.delete)
    call("/points/scroll", "POST", models.ScrollRequest, Collection.scroll)
    call("/points/query", "POST", models.QueryRequest, Collection.query)
    call("/points/count", "POST", models.CountRequest, Collection.count)
    app.wsgi_app = spoiled(app.wsgi_app, faults)  # type: ignore[method-assign]
    return app


def _check_key(api_key: str | None, read_only_key: str | None) -> None:
    if api_key is None:
        return
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    given = request.headers.get("api-key") or bearer
    if not given:
        raise Unauthorized("Must provide an API key or an Authorization bearer token")
    if given == read_only_key:
        reads = request.method == "GET" or (
            request.method == "POST" and request.path.endswith(READING)
        )
        if not reads:
            raise Forbidden("Forbidden: Global manage access is required")
    elif given != api_key:
        raise Unauthorized("Invalid API key or JWT")


def _check_indexes(collection: Collection, asked: Any) -> None:
    lacking = collection.lacking(getattr(asked, "filter", None))
    if lacking:
        raise Refused(f'Bad request: Index required but not found for "{lacking[0]}"')


def _body(form: type[M]) -> M:
    """Read the request. Raises Refused."""
    try:
        return TypeAdapter(form).validate_json(request.get_data())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Refused(f"Format error in JSON body: {where}: {first['msg']}") from error


def _refusal(refused: Refused) -> Response:
    return _answer({"error": refused.message}, refused.status)


def _answer(status: Any, code: int = 200, **more: Any) -> Response:
    took = time.monotonic() - getattr(g, "began", math.nan)
    told = {"time": took, "status": status, **more}
    return Response(_JSON.dump_json(told, exclude_none=True), code, mimetype="application/json")


_JSON: TypeAdapter[Any] = TypeAdapter(dict[str, Any])
