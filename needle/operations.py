"""Every call of the HTTP interface as steps; `Needle` and `AsyncNeedle` turn each into a method.

The docstrings are those of the methods. Every one raises NeedleApiError (the service refused),
NeedleUnreachable (no answer), and OSError (a file of one's own cannot be read).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from needle import calls, uploads
from needle.calls import Example
from needle.errors import TimedOut
from needle.exchange import Service
from needle.indexed import Collection, Image
from needle.jobs import Job
from needle.results import Box, Origin, SearchResult
from needle.steps import PREFIX, Call, Pause, Steps
from needle.uploads import Source, Upload

LONG_POLL_S, LEAST_PAUSE_S = 0.5, 0.1
OnJob = Callable[[Job], None]


class IndexOptions(TypedDict, total=False):
    """How images are indexed, over the server's settings: docs/API.md explains each."""

    collection: str | None
    metadata: Mapping[str, Any] | None
    confidence_threshold: float | None
    batch_size: int | None
    profile: str | None
    local_features: int | None
    note: Sequence[str] | None


def _known(options: IndexOptions) -> IndexOptions:
    """Return the options. Raises TypeError for a name that is none, as Python itself would."""
    unknown = options.keys() - IndexOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"there is no option {unknown.pop()!r} of an index request")
    return options


def index(
    service: Service,
    sources: Source | Iterable[Source],
    *,
    on_progress: OnJob | None = None,
    **options: Unpack[IndexOptions],
) -> Steps[Job]:
    """Send images (or zip and tar archives of them) to be indexed; return the job at once.

    A folder stands for every image in it, without archives. They go in requests of at most 64 MB
    and 100 files; `on_progress` gets the job after each: see `needle.bulk` for very many. Raises
    ValueError when there is none.
    """
    form = calls.form(**_known(options))
    jobs = []
    for batch in uploads.requests(sources):
        jobs.append((yield from _job(service, calls.index(batch, form))))
        if on_progress:
            on_progress(Job.merged(jobs))
    if not jobs:
        raise ValueError("there is nothing to index")
    return Job.merged(jobs)


def index_batch(
    service: Service, batch: Sequence[Upload], **options: Unpack[IndexOptions]
) -> Steps[Job]:
    """Send these images in one request, as `needle.uploads.requests` divides them."""
    form = calls.form(**_known(options))
    return (yield from _job(service, calls.index(batch, form)))


def index_urls(
    service: Service, urls: Sequence[str], **options: Unpack[IndexOptions]
) -> Steps[Job]:
    """Have the service download images and index them; return the job at once."""
    more = calls.given(**_known(options))
    body = {"urls": list(urls), **more}
    return (
        yield from _job(service, Call("POST", f"{PREFIX}/images", body=body, headers=calls.once()))
    )


def job(service: Service, job_id: str, *, wait: float = 0.0) -> Steps[Job]:
    """Return a job as it stands; with `wait`, as soon as it has ended, or after so many s."""
    ends = time.monotonic() + wait
    parts = []
    for part in calls.ids(job_id):
        parts.append((yield from _poll(service, part, ends - time.monotonic())))
    return Job.merged(parts)


def wait(
    service: Service,
    job: Job,
    *,
    on_progress: OnJob | None = None,
    timeout_s: float | None = None,
) -> Steps[Job]:
    """Wait until a job has ended and return it; `on_progress` gets every state on the way.

    Raises TimedOut after `timeout_s` (None: never); the job itself goes on.
    """
    ends = math.inf if timeout_s is None else time.monotonic() + timeout_s
    states: dict[str, Job] = {}
    for part in calls.ids(job):
        states[part] = yield from _poll(service, part)
    while True:
        now = Job.merged(list(states.values()))
        if on_progress:
            on_progress(now)
        if now.final:
            return now
        asked = time.monotonic()
        if asked >= ends:
            raise TimedOut(f"The job {now.job_id} has not ended after {timeout_s:g} s.")
        part = next(name for name, state in states.items() if not state.final)
        states[part] = yield from _poll(service, part, min(LONG_POLL_S, ends - asked))
        if not states[part].final and time.monotonic() - asked < LEAST_PAUSE_S:
            yield Pause(LEAST_PAUSE_S)  # the service does not hold answers back


def cancel(service: Service, job: Job | str) -> Steps[Job]:
    """Cancel a job: images not begun are left out, those indexed stay."""
    parts = []
    for part in calls.ids(job):
        parts.append((yield from _job(service, Call("DELETE", f"{PREFIX}/jobs/{part}"))))
    return Job.merged(parts)


def search(
    service: Service,
    image: Source | None = None,
    *,
    url: str | None = None,
    text: str | None = None,
    text_weight: float | None = None,
    image_id: str | None = None,
    box: Box | None = None,
    examples: Sequence[Example] = (),
    negatives: Sequence[Example] = (),
    detect: bool | None = None,
    rotate: bool | None = None,
    same_kind: float | None = None,
    limit: int | None = None,
    hits_per_image: int | None = None,
    min_score: float | None = None,
    aggregate: str | None = None,
    filter: Mapping[str, Any] | None = None,
    verify: bool | None = None,
    verify_budget_ms: int | None = None,
    zoom: int | None = None,
    collection: str | None = None,
    timeout_s: float = 120.0,
) -> Steps[SearchResult]:
    """Find the images that contain a small image; waits for the answer.

    One of `image`, `url` and `image_id` says what is searched for, `box` which part; or a `text`
    does, or both mixed (`text_weight`). `examples` are more images of the same thing, any of
    which will do; places like one of the `negatives` are left out; with `detect` every thing in
    the query is searched for, and images that hold all of them come first; with `rotate` quarter
    turns of it are tried; `same_kind` (0..1) is how much it counts that images show the same kind
    of thing. What is not given is left to the service, as docs/API.md describes it.
    `found` of the result says whether the thing is probably there.
    Raises JobFailed when the service could not carry it out, TimedOut after `timeout_s`.
    """
    subject = calls.given(url=url, text=text, image_id=image_id)
    named = (image is not None) + len(subject.keys() - {"text"})
    if named > 1 or not (named or text is not None or examples):
        raise TypeError("search needs one of image, url and image_id, or a text, or examples")
    options = calls.given(
        box=box,
        text_weight=text_weight,
        detect=detect,
        rotate=rotate,
        same_kind=same_kind,
        limit=limit,
        hits_per_image=hits_per_image,
        min_score=min_score,
        aggregate=aggregate,
        filter=filter,
        verify=verify,
        verify_budget_ms=verify_budget_ms,
        zoom=zoom,
        collection=collection,
        wait=min(10.0, timeout_s),
    )
    sources = [] if image is None else [image]
    done = yield from _job(
        service, calls.search(sources, examples, negatives, {**subject, **options})
    )
    if not done.final:
        done = yield from wait(service, done, timeout_s=timeout_s)
    return SearchResult.from_job(calls.check(done), Origin(collection, service.fetch))


def continue_search(
    service: Service,
    search: SearchResult | str,
    *,
    collection: str | None = None,
    timeout_s: float = 120.0,
) -> Steps[SearchResult]:
    """Continue a search that ran out of time; waits for the answer.

    `search` is its result or its `job_id`; `verification["complete"]` of the result says whether
    there is anything to go on with. Where it is an id, `collection` says where to find the images.
    Raises JobFailed when the service could not carry it out, TimedOut after `timeout_s`.
    """
    part, *_ = calls.ids(search if isinstance(search, str) else search.job_id)
    call = Call("POST", f"{PREFIX}/jobs/{part}/continue", headers=calls.once())
    done = yield from _job(service, call)
    done = yield from wait(service, done, timeout_s=timeout_s)
    origin = Origin(collection, service.fetch)
    if isinstance(search, SearchResult) and search.matches and collection is None:
        origin = search.matches[0].origin
    return SearchResult.from_job(calls.check(done), origin)


def count(service: Service, *, collection: str | None = None) -> Steps[int]:
    """Return how many images are indexed."""
    params = calls.given(collection=collection, limit=1)
    call = Call("GET", f"{PREFIX}/images", params=params)
    return (yield from service.read(call, lambda body: int(body.get("total") or 0)))


def image(service: Service, image_id: str, *, collection: str | None = None) -> Steps[Image]:
    """Return one indexed image."""
    return (yield from service.read(calls.image("GET", image_id, collection), Image.from_json))


def tag(
    service: Service,
    image_id: str,
    metadata: Mapping[str, Any],
    *,
    collection: str | None = None,
) -> Steps[Image]:
    """Change an image's metadata, wait until searches see it, and return the image.

    A value replaces the old one, None removes the key, and keys that are not named stay.
    """
    call = calls.image("PATCH", image_id, collection, body={"metadata": dict(metadata)})
    done = yield from _job(service, call)
    calls.check(done if done.final else (yield from wait(service, done)))
    return (yield from image(service, image_id, collection=collection))


def delete(service: Service, image_id: str, *, collection: str | None = None) -> Steps[None]:
    """Delete an image (its file, its regions, everything) and wait until it is gone."""
    done = yield from _job(service, calls.image("DELETE", image_id, collection))
    calls.check(done if done.final else (yield from wait(service, done)))


def collections(service: Service) -> Steps[list[Collection]]:
    """Return the collections; one begins with its first image."""
    call = Call("GET", f"{PREFIX}/collections")
    return (yield from service.read(call, Collection.list_from_json))


def create_collection(
    service: Service, name: str, *, encoder: str | None = None
) -> Steps[Collection]:
    """Create a collection, bound to the encoder in use, and return it; it may be there already.

    Not needed before images are indexed: a collection begins with its first one. An `encoder`
    other than the one in use is refused.
    """
    call = Call("POST", f"{PREFIX}/collections", body=calls.given(name=name, encoder=encoder))
    return (yield from service.read(call, Collection.from_json))


def delete_collection(
    service: Service, name: str, *, on_progress: OnJob | None = None
) -> Steps[None]:
    """Delete a collection with all its images and wait until it is gone."""
    done = yield from _job(service, calls.collection("DELETE", name))
    calls.check((yield from wait(service, done, on_progress=on_progress)))


def ready(service: Service) -> Steps[dict[str, Any]]:
    """Return what the service says of itself: `status`, `redis`, `workers`, `models`."""
    return (yield from service.state(Call("GET", "/readyz")))


def _job(service: Service, call: Call) -> Steps[Job]:
    return (yield from service.read(call, Job.from_json))


def _poll(service: Service, job_id: str, wait_s: float = 0.0) -> Steps[Job]:
    params = {"wait": round(wait_s, 3)} if wait_s > 0 else None
    call = Call("GET", f"{PREFIX}/jobs/{job_id}", params=params, wait_s=wait_s)
    return (yield from _job(service, call))
