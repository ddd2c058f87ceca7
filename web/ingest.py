"""From files or URLs to an index job: bytes into the store, the record, then the tasks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from werkzeug.datastructures import FileStorage

from common.beginnings import GoesOn
from common.catalogue import ImageRecord, check_encoder
from common.contract.orders import IndexOrder
from common.contract.requests import IndexFields, UrlsRequest
from common.disk import Use
from common.errors import BadRequest, BeingDeleted, FetchFailed, InvalidUrl, NeedleError, TooLarge
from common.ids import image_id, new_job_id
from common.images import WriteBehind, image_key
from common.jobs import Item, Kind
from common.leftovers import take_back
from common.paths import name_of
from common.queue import INDEX, INDEX_TASK
from common.s3.sources import is_object
from common.services import Services
from common.urls import LOOKUP_TIMEOUT_S, check_form, resolve
from web import chunks, webhooks
from web.client import client_is_there
from web.uploads import ImageFile, Refused, read_uploads

RESOLVED_HOSTS = 20
"""So many hosts of a request are looked up at once, for LOOKUP_TIMEOUT_S together; workers check
every URL again anyway."""
LISTED_FAULTS = 20


def ingest_files(
    services: Services, files: Iterable[FileStorage], options: IndexFields, job_id: str
) -> None:
    """Store the images and enqueue their job under that id.

    A file that is no image becomes a failed item; a request without any image is refused with the
    first one's fault. Whatever is raised, the request changes nothing.
    """
    _check_collection(services, options.collection)
    webhook = webhooks.asked(services)
    with services.beginnings.of(job_id, options.collection) as goes_on:
        claimed: list[str] = []
        try:
            items = _stored(services, files, options, job_id, claimed, goes_on)
            _enqueue(services, items, options, job_id, goes_on, webhook)
        except BaseException:
            with suppress(NeedleError):  # as far as Redis lets
                take_back(services.images, services.catalogue, options.collection, claimed, job_id)
            raise


def _stored(
    services: Services,
    files: Iterable[FileStorage],
    options: IndexFields,
    job_id: str,
    claimed: list[str],
    goes_on: GoesOn,
) -> list[Item]:
    """Store the images and return the job's items; `claimed` gets the ids of what is stored."""
    items: list[Item] = []
    refused: list[Refused] = []
    with WriteBehind(services.images) as write:
        for found in read_uploads(files, services.settings, is_there=client_is_there):
            goes_on()
            item = Item(len(items), found.path)
            if isinstance(found, Refused):
                items.append(item.failed(found.error))
                refused.append(found)
                continue
            record = _record(found, options)
            claimed.append(record.image_id)
            write(partial(_store, services, record, found.content, job_id), len(found.content))
            items.append(replace(item, image_id=record.image_id))
    if len(refused) == len(items):
        raise nothing_to_do(refused, "The request holds no image.")
    return items


def _store(services: Services, record: ImageRecord, content: bytes, job_id: str) -> None:
    """Store an image that a job is to index, unless it is there."""
    with services.images.changing(record.collection, [record.image_id]) as held:
        check_not_deleting(services, record.collection)
        services.catalogue.claim(record, job_id)
        key = image_key(record.collection, record.image_id)
        if not services.images.exists(key):
            services.disk.check(Use.ACCEPT, len(content))
            held.check()
            services.images.put(key, content)


def ingest_urls(services: Services, options: UrlsRequest, job_id: str) -> None:
    """Enqueue the job that downloads and indexes the URLs.

    A bad one becomes a failed item; InvalidUrl is raised where all are bad.
    """
    settings = services.settings
    services.disk.check(Use.ACCEPT)
    if len(options.urls) > settings.max_items_per_job:
        raise TooLarge(f"A request may hold at most {settings.max_items_per_job:,} URLs.")
    _check_collection(services, options.collection)
    webhook = webhooks.asked(services)
    bad = bad_urls(services, options.urls)
    if len(bad) == len(set(options.urls)):
        faults = [(url, bad[url]) for url in options.urls]
        raise InvalidUrl(faults[0][1].message, items=listed(faults))
    items = [
        Item(n, url).failed(bad[url]) if url in bad else Item(n, url)
        for n, url in enumerate(options.urls)
    ]
    with services.beginnings.of(job_id, options.collection) as goes_on:
        _enqueue(services, items, options, job_id, goes_on, webhook)


def bad_urls(services: Services, urls: Iterable[str]) -> dict[str, InvalidUrl]:
    """Return what is wrong with those that nobody would download; some hosts are looked up."""
    bad: dict[str, InvalidUrl] = {}
    of_hosts: defaultdict[str, list[str]] = defaultdict(list)
    for url in dict.fromkeys(urls):
        try:
            if is_object(url):
                services.sources.check(url)
            else:
                of_hosts[check_form(url)[0]].append(url)
        except InvalidUrl as exc:
            bad[url] = exc
    ends = time.monotonic() + LOOKUP_TIMEOUT_S
    for _, (url, *more) in zip(range(RESOLVED_HOSTS), of_hosts.values(), strict=False):
        if (left_s := ends - time.monotonic()) <= 0:
            break
        try:
            with suppress(FetchFailed):  # a host that is down now is the item's fault, later
                resolve(url, allowed_hosts=services.settings.allowed_hosts, timeout_s=left_s)
        except InvalidUrl as exc:
            bad |= dict.fromkeys((url, *more), exc)
    return bad


def change(services: Services, record: ImageRecord, changes: Mapping[str, Any]) -> str:
    """Enqueue the job that edits an image's metadata and return its id.

    The points of its regions carry the metadata, so they are written again: made with the options
    that the image was indexed with, the regions stay as they are.
    """
    _check_collection(services, record.collection)
    webhook = webhooks.asked(services)
    job_id = new_job_id()
    services.queue.check_room(INDEX, 1)
    order = IndexOrder(collection=record.collection, changes=dict(changes), **record.options)
    item = Item(0, record.path, record.image_id)
    with services.beginnings.of(job_id, record.collection):
        services.jobs.create(job_id, Kind.INDEX, [item], order.details(), webhook)
        try:
            services.queue.submit(INDEX_TASK, INDEX, {"job_id": job_id, "first": 0, "last": 0})
        except NeedleError:
            with suppress(NeedleError):
                services.jobs.discard(job_id)
            raise
    return job_id


def _check_collection(services: Services, collection: str) -> None:
    """Refuse at once what could not be kept: a collection of another encoder, or about to go."""
    check_not_deleting(services, collection)
    models = services.beacons.models()
    if models is not None:
        check_encoder(services.catalogue.collection(collection), models["encoder"])


def check_not_deleting(services: Services, collection: str) -> None:
    """Raise BeingDeleted, with the job that does it."""
    job_id = services.catalogue.deleting(collection)
    if job_id is not None:
        raise BeingDeleted(
            f"The collection '{collection}' is being deleted; try again when that has ended.",
            job_id=job_id,
        )


def _record(file: ImageFile, options: IndexFields) -> ImageRecord:
    return ImageRecord(
        image_id=image_id(file.content, options.collection),
        collection=options.collection,
        filename=name_of(file.path),
        media_type=file.header.media_type,
        width=file.header.width,
        height=file.header.height,
        bytes=len(file.content),
        metadata=options.metadata or {},
        paths=(file.path,),
    )


def nothing_to_do(refused: Sequence[Refused], none: str) -> NeedleError:
    """Return the first file's fault, listing the others, for a request without any image."""
    if not refused:
        return BadRequest(none)
    first = refused[0]
    faults = listed((each.path, each.error) for each in refused)
    return type(first.error)(f"{first.path}: {first.error.message}", items=faults)


def listed(faults: Iterable[tuple[str, NeedleError]]) -> list[dict[str, Any]]:
    """Return the first faults as an answer lists them."""
    return [{"name": name, **error.as_dict()} for name, error in islice(faults, LISTED_FAULTS)]


def _enqueue(
    services: Services,
    items: Sequence[Item],
    options: IndexFields,
    job_id: str,
    goes_on: GoesOn,
    webhook: str | None,
) -> None:
    """Record the job, then hand its chunks to the queue; if that fails, no half job stays."""
    chunks.check_room(services, INDEX, len(items))
    order = IndexOrder.model_construct(
        **{name: getattr(options, name) for name in IndexFields.model_fields}
    )
    services.jobs.create(job_id, Kind.INDEX, items, order.details(), webhook)
    try:
        # Whoever deletes the collection cancels the jobs that it finds: this one, or we find it.
        check_not_deleting(services, options.collection)
        chunks.submit(services, INDEX_TASK, INDEX, job_id, len(items), goes_on)
    except NeedleError:
        with suppress(NeedleError):
            services.jobs.discard(job_id)
        raise
