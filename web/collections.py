"""Collections: create, list, show, delete. Images go into one, and a search looks into one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from common.catalogue import Collection, check_encoder
from common.errors import ModelUnavailable, NotFound
from web import answers
from web.contract import Answer, Body, operation
from web.ingest import check_not_deleting
from web.jobs import POSTED, job_answer
from web.links import collection_url
from web.queries import NewCollection
from web.removal import remove_collection
from web.schemas import Wait
from web.services import services

routes = Blueprint("collections", __name__)
BODY = Body(json=NewCollection)
_SHOWN = Answer(answers.CollectionWithRegions, headers=("Location",))


@routes.get("/collections")
@operation("collections", {200: Answer(answers.Collections)})
def index() -> Response:
    """List the collections and the encoder that each is bound to."""
    found = [_as_dict(collection) for collection in services().catalogue.collections()]
    return jsonify(collections=found)


@routes.post("/collections")
@operation("collections", {200: _SHOWN, 201: _SHOWN}, body=BODY, errors=(409, 413, 415))
def create() -> Response:
    """Create a collection, bound to the encoder in use.

    Not needed before photos are posted: a collection begins with its first one. 200 when it was
    there already. 409 when it is bound to another encoder, or `encoder` is not the one in use.
    """
    asked, _ = BODY.read()
    catalogue, models = services().catalogue, services().beacons.models()
    if models is None:
        raise ModelUnavailable("No worker has said yet which encoder is in use; start one.")
    if asked.encoder is not None:
        check_encoder(Collection(asked.name, asked.encoder, models["dim"]), models["encoder"])
    check_not_deleting(services(), asked.name)
    there = catalogue.collection(asked.name) is not None
    bound = catalogue.bind(asked.name, encoder=models["encoder"], dim=models["dim"])
    response = _show(bound)
    response.status_code = 200 if there else 201
    response.headers["Location"] = collection_url(asked.name)
    return response


@routes.get("/collections/<name>")
@operation("collections", {200: Answer(answers.CollectionWithRegions)}, errors=(404,))
def show(name: str) -> Response:
    """Show a collection and how many photos and regions it has."""
    found = services().catalogue.collection(name)
    if found is None:
        raise NotFound(f"There is no collection '{name}'.")
    return _show(found)


@routes.delete("/collections/<name>")
@operation("collections", POSTED, query=Wait, errors=(404, 429))
def delete(asked: Wait, name: str) -> Response:
    """Delete a collection with all its photos.

    A job with an item for each photo, and a last one for the collection itself. Jobs that index
    into it are cancelled; until the job has ended the collection takes no photos (409). Asked for
    again meanwhile, it is the same job. A job that is cancelled leaves the rest of the photos.
    """
    job_id = remove_collection(services(), name)
    return job_answer(services().jobs.wait(job_id, asked.wait), created=True)


def _show(collection: Collection) -> Response:
    catalogue = services().catalogue
    return jsonify(
        {
            **_as_dict(collection),
            "regions": catalogue.count_regions(collection.name),
            "deleting": catalogue.deleting(collection.name),
        }
    )


def _as_dict(collection: Collection) -> dict[str, Any]:
    return {
        "name": collection.name,
        "encoder": collection.encoder,
        "dim": collection.dim,
        "images": services().catalogue.count(collection.name),
    }
