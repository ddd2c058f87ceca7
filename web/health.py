"""Health: is the process alive, is the service ready, what is it made of."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from common.errors import BrokerUnavailable
from common.queue import INDEX, SEARCH, STORE
from common.redis import translated
from web.services import services

routes = Blueprint("health", __name__)


@routes.get("/livez")
def livez() -> Response:
    """Answer as long as the process can."""
    return jsonify(status="alive")


@routes.get("/readyz")
def readyz() -> Response:
    """Answer 200 when Redis and at least one worker of each role are there, else 503."""
    s = services()
    try:
        workers = {role: s.beacons.count(role) for role in ("index", "search")}
        with translated():
            waiting = {name: s.redis.llen(name) for name in (INDEX, SEARCH, STORE)}
        models = s.beacons.models()
    except BrokerUnavailable as error:
        response = jsonify(status="unavailable", redis=False, error=error.as_dict())
        response.status_code = 503
        return response
    ready = all(workers.values())
    response = jsonify(
        status="ready" if ready else "starting",
        redis=True,
        workers=workers,
        queues=waiting,
        models=models,
    )
    response.status_code = 200 if ready else 503
    return response


@routes.get("/api/v1/collections")
def collections() -> Response:
    """Return every collection with the encoder that it is bound to."""
    catalogue = services().catalogue
    found = [
        {"name": c.name, "encoder": c.encoder, "dim": c.dim, "images": catalogue.count(c.name)}
        for c in catalogue.collections()
    ]
    return jsonify(collections=found)
