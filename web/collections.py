"""Collections: create, list, show, delete. Images go into one, and a search looks into one."""

from __future__ import annotations

from flask import Blueprint, Response

from common.catalogue import Collection, check_encoder
from common.contract import answers
from common.contract.parameters import Wait
from common.contract.requests import MakingFields, NewCollection, VerifyFields
from common.errors import ModelUnavailable, NotFound
from web import shown
from web.ingest import check_not_deleting
from web.jobs import POSTED, job_answer
from web.links import collection_url
from web.operation import Answer, Body, operation
from web.removal import remove_collection
from web.responses import respond
from web.services import services
from web.upkeep import begin_reindexing, begin_verifying
from web.waiting import waited

routes = Blueprint("collections", __name__)
BODY = Body(json=NewCollection)
VERIFY_BODY = Body(json=VerifyFields)
REINDEX_BODY = Body(json=MakingFields)
_SHOWN = Answer(answers.CollectionWithRegions, headers=("Location",))


@routes.get("/collections")
@operation("collections", {200: Answer(answers.Collections)})
def index() -> Response:
    """List the collections and the encoder that each is bound to."""
    catalogue = services().catalogue
    found = [shown.collection(one, catalogue) for one in catalogue.collections()]
    return respond(answers.Collections(collections=found))


@routes.post("/collections")
@operation("collections", {200: _SHOWN, 201: _SHOWN}, body=BODY, errors=(409, 413, 415))
def create() -> Response:
    """Create a collection, bound to the encoder in use.

    A collection also begins with the first image that is posted into it. The status is 200 where it
    was there already, 409 where it is bound to another encoder or `encoder` is not the one in use.
    """
    new, _ = BODY.read()
    catalogue, models = services().catalogue, services().beacons.models()
    if models is None:
        raise ModelUnavailable("No worker has said yet which encoder is in use; start one.")
    if new.encoder is not None:
        check_encoder(Collection(new.name, new.encoder, models["dim"]), models["encoder"])
    check_not_deleting(services(), new.name)
    there = catalogue.collection(new.name) is not None
    bound = catalogue.bind(new.name, encoder=models["encoder"], dim=models["dim"])
    response = respond(shown.whole_collection(bound, catalogue), 200 if there else 201)
    response.headers["Location"] = collection_url(new.name)
    return response


@routes.get("/collections/<name>")
@operation("collections", {200: Answer(answers.CollectionWithRegions)}, errors=(404,))
def show(name: str) -> Response:
    """Show a collection and how many images and regions it has."""
    catalogue = services().catalogue
    found = catalogue.collection(name)
    if found is None:
        raise NotFound(f"There is no collection '{name}'.")
    return respond(shown.whole_collection(found, catalogue))


@routes.delete("/collections/<name>")
@operation("collections", POSTED, query=Wait, errors=(404, 429))
def delete(parameters: Wait, name: str) -> Response:
    """Delete a collection with all its images.

    The job has an item for each image, and a last one for the collection itself. Jobs that index
    into the collection are cancelled. Until the job has ended the collection takes no images (409),
    and the same call answers with the same job. A job that is cancelled leaves the rest of the
    images.
    """
    job_id = remove_collection(services(), name)
    return job_answer(waited(job_id, parameters.wait), created=True)


@routes.post("/collections/<name>/verify")
@operation("collections", POSTED, query=Wait, body=VERIFY_BODY, errors=(404, 413, 415, 429))
def verify(parameters: Wait, name: str) -> Response:
    """Verify that the list of a collection agrees with its files, points and visual words.

    The job's result says what is missing of which image, and what is there of images that are not
    in the list. With `repair`, damaged images are indexed again by a job of their own, as the
    settings say, and what belongs to no image is removed. The progress counts images, then points.
    """
    fields, _ = VERIFY_BODY.read()
    job_id = begin_verifying(services(), name, fields)
    return job_answer(waited(job_id, parameters.wait), created=True)


@routes.post("/collections/<name>/reindex")
@operation("collections", POSTED, query=Wait, body=REINDEX_BODY, errors=(404, 409, 413, 415, 429))
def reindex(parameters: Wait, name: str) -> Response:
    """Index every image of a collection again, from the stored files.

    With another encoder in use than the one that the collection is bound to, its embeddings are
    dropped and it is bound to the new one: until the job has ended a search finds what is done.
    Images keep their ids, names and metadata. A job that is cancelled leaves the rest without
    regions; verifying with `repair` goes on.
    """
    fields, _ = REINDEX_BODY.read()
    job_id = begin_reindexing(services(), name, fields)
    return job_answer(waited(job_id, parameters.wait), created=True)
