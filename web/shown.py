"""From what the stores keep to what clients see: jobs, items, images and collections as answers."""

from __future__ import annotations

from pydantic import ValidationError

from common import jobs
from common.catalogue import Catalogue, Collection, ImageRecord
from common.contract import answers, orders
from common.contract.answers import widened
from common.contract.orders import SearchOrder
from common.errors import IncompatibleJob
from common.job_status import listed_job, problem
from common.jobs import Item, Kind
from web.links import crop_urls, image_urls, match_urls, query_urls

__all__ = ["listed_job"]
Result = answers.SearchResult | answers.DeletionResult | answers.Verified | answers.BackedUp


def whole_job(job: jobs.Job) -> answers.Job:
    """Return a job with its result; where that cannot be read, its `error` says so instead."""
    listed = listed_job(job)
    try:
        return widened(listed, answers.Job, result=_result(job))
    except IncompatibleJob as exc:
        return widened(listed, answers.Job, result=None, error=problem(exc.as_dict()))


def item(item: Item, job: jobs.Job) -> answers.Item:
    """Return an item of a job."""
    item = item.under(job)
    return answers.Item(
        index=item.index,
        name=item.name,
        image_id=item.image_id,
        status=item.status,
        error=problem(item.error),
        warning=item.warning,
    )


def image(record: ImageRecord) -> answers.Image:
    """Return an image as a list shows it."""
    return widened(_indexed(record), answers.Image, regions=record.regions)


def image_with_regions(
    record: ImageRecord, regions: list[answers.FoundRegion]
) -> answers.ImageWithRegions:
    """Return an image with its regions."""
    name, collection = record.image_id, record.collection
    linked = [
        widened(region, answers.Region, urls=crop_urls(name, collection, region.box))
        for region in regions
    ]
    return widened(_indexed(record), answers.ImageWithRegions, regions=linked)


def collection(found: Collection, catalogue: Catalogue) -> answers.Collection:
    """Return a collection as the list shows it."""
    index = catalogue.index_state(found.name)
    return answers.Collection(
        name=found.name,
        encoder=found.encoder,
        dim=found.dim,
        images=catalogue.count(found.name),
        index=None if index is None else answers.IndexState(**vars(index)),
    )


def whole_collection(found: Collection, catalogue: Catalogue) -> answers.CollectionWithRegions:
    """Return a collection with all that is known of it."""
    return widened(
        collection(found, catalogue),
        answers.CollectionWithRegions,
        regions=catalogue.count_regions(found.name),
        deleting=catalogue.deleting(found.name),
    )


def _result(job: jobs.Job) -> Result | None:
    if job.result is None:
        return None
    try:
        if job.kind is Kind.SEARCH:
            return _search_result(job, answers.Findings.model_validate(job.result))
        if job.kind is Kind.VERIFY:
            return answers.Verified.model_validate(job.result)
        if job.kind is Kind.BACKUP:
            return answers.BackedUp.model_validate(job.result)
        return answers.DeletionResult.model_validate(job.result)
    except ValidationError as exc:
        raise IncompatibleJob(
            f"The result of the job {job.job_id} was written by another version of Needle, in a "
            "form that this one cannot read."
        ) from exc


def _search_result(job: jobs.Job, findings: answers.Findings) -> answers.SearchResult:
    """Return a search's result with what was searched for, and the URLs of all images."""
    order = orders.of(job, SearchOrder)
    query = {name: getattr(order, name) for name in answers.Query.model_fields}
    return widened(
        findings,
        answers.SearchResult,
        query=answers.Query.model_construct(**query),
        urls=query_urls(job.job_id, order),
        matches=tuple(_match(match, order.collection) for match in findings.matches),
    )


def findings(found: answers.Findings, collection: str) -> answers.QueryFindings:
    """Return what one of many queries has found, with the URLs of all images."""
    matches = tuple(_match(match, collection) for match in found.matches)
    return widened(found, answers.QueryFindings, matches=matches)


def _match(match: answers.FoundMatch, collection: str) -> answers.Match:
    hits = tuple(
        widened(hit, answers.Hit, urls=crop_urls(match.image_id, collection, hit.box))
        for hit in match.hits
    )
    urls = match_urls(match.image_id, collection, hits[0].box)
    return widened(match, answers.Match, hits=hits, urls=urls)


def _indexed(record: ImageRecord) -> answers.IndexedImage:
    return answers.IndexedImage(
        image_id=record.image_id,
        collection=record.collection,
        filename=record.filename,
        path=record.path,
        paths=list(record.paths or (record.path,)),
        media_type=record.media_type,
        width=record.width,
        height=record.height,
        bytes=record.bytes,
        metadata=dict(record.metadata),
        indexed_at=record.indexed_at,
        urls=image_urls(record.image_id, record.collection),
    )
