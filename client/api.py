"""`Needle`: every call of the HTTP interface as a method."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import httpx

from client import calls, uploads
from client.errors import TimedOut
from client.results import Box, Image, Item, Job, SearchResult
from client.transport import PREFIX, Call, Transport
from client.uploads import Source, Upload

LONG_POLL_S, LEAST_PAUSE_S = 0.5, 0.1
PAGE = 1000


class Needle:
    """A Needle service at `base_url`. Usable as a context manager; not for several threads.

    `timeout_s` bounds the wait for each answer. While the service says that it is busy, a call is
    retried for `patience_s`. Every method raises NeedleApiError (the service refused),
    NeedleUnreachable (no answer), and OSError (a file of one's own cannot be read).
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8080",
        timeout_s: float = 60.0,
        *,
        patience_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = Transport(
            base_url, timeout_s=timeout_s, patience_s=patience_s, transport=transport, sleep=sleep
        )
        self._sleep = sleep

    # ---- indexing

    def index(
        self,
        sources: Iterable[Source],
        *,
        collection: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        confidence_threshold: float | None = None,
        batch_size: int | None = None,
    ) -> Job:
        """Send photos (or zip and tar archives of them) to be indexed; return the job at once.

        They go in requests of at most 64 MiB and 100 files: see `client.bulk` for very many.
        Raises ValueError when there is none.
        """
        form = calls.form(
            collection=collection,
            metadata=metadata,
            confidence_threshold=confidence_threshold,
            batch_size=batch_size,
        )
        jobs = [self._send(batch, form) for batch in uploads.requests(sources)]
        if not jobs:
            raise ValueError("there is nothing to index")
        return Job.merged(jobs)

    def index_batch(self, batch: Sequence[Upload], *, collection: str | None = None) -> Job:
        """Send these photos in one request, as `client.uploads.requests` divides them."""
        return self._send(batch, calls.form(collection=collection))

    def index_urls(
        self,
        urls: Sequence[str],
        *,
        collection: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Job:
        """Have the service download photos and index them; return the job at once."""
        body = calls.given(urls=list(urls), collection=collection, metadata=metadata)
        return self._job(Call("POST", f"{PREFIX}/images", body=body))

    # ---- jobs

    def job(self, job_id: str, *, wait: float = 0.0) -> Job:
        """Return a job as it stands; with `wait`, as soon as it has ended, or after so many s."""
        ends = time.monotonic() + wait
        return Job.merged([self._poll(i, ends - time.monotonic()) for i in calls.ids(job_id)])

    def wait(
        self,
        job: Job,
        *,
        on_progress: Callable[[Job], None] | None = None,
        timeout_s: float | None = None,
    ) -> Job:
        """Wait until a job has ended and return it; `on_progress` gets every state on the way.

        Raises TimedOut after `timeout_s` (None: never); the job itself goes on.
        """
        ends = math.inf if timeout_s is None else time.monotonic() + timeout_s
        states = {part: self._poll(part) for part in calls.ids(job)}
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
            states[part] = self._poll(part, min(LONG_POLL_S, ends - asked))
            if not states[part].final and time.monotonic() - asked < LEAST_PAUSE_S:
                self._sleep(LEAST_PAUSE_S)  # the service does not hold answers back

    def items(self, job: Job | str) -> Iterator[Item]:
        """Yield how each photo of an index job ended, in the order in which they were sent."""
        for part in calls.ids(job):
            for raw in self._pages(f"{PREFIX}/jobs/{part}/items", "items"):
                yield Item.from_json(raw)

    def cancel(self, job: Job | str) -> Job:
        """Cancel a job: photos not begun are left out, those indexed stay."""
        return Job.merged([self._job(Call("DELETE", f"{PREFIX}/jobs/{i}")) for i in calls.ids(job)])

    # ---- searching

    def search(
        self,
        image: Source | None = None,
        *,
        url: str | None = None,
        text: str | None = None,
        image_id: str | None = None,
        box: Box | None = None,
        limit: int | None = None,
        hits_per_image: int | None = None,
        min_score: float | None = None,
        aggregate: str | None = None,
        filter: Mapping[str, Any] | None = None,
        collection: str | None = None,
        timeout_s: float = 120.0,
    ) -> SearchResult:
        """Find the photos that contain a small image; waits for the answer.

        One of `image`, `url`, `text` or `image_id` says what to look for, `box` which part of it.
        Raises JobFailed when the service could not carry it out, TimedOut after `timeout_s`.
        """
        subject = calls.given(url=url, text=text, image_id=image_id)
        if (image is not None) + len(subject) != 1:
            raise TypeError("search needs exactly one of image, url, text, image_id")
        options = calls.given(
            box=box,
            limit=limit,
            hits_per_image=hits_per_image,
            min_score=min_score,
            aggregate=aggregate,
            filter=filter,
            collection=collection,
            wait=min(10.0, timeout_s),
        )
        job = self._job(calls.search(image, {**subject, **options}))
        done = job if job.final else self.wait(job, timeout_s=timeout_s)
        return SearchResult.from_job(calls.check(done))

    # ---- photos and the service

    def images(self, *, collection: str | None = None) -> Iterator[Image]:
        """Yield every indexed photo."""
        for raw in self._pages(f"{PREFIX}/images", "images", calls.given(collection=collection)):
            yield Image.from_json(raw)

    def image(self, image_id: str, *, collection: str | None = None) -> Image:
        """Return one indexed photo."""
        return Image.from_json(self._http.json(calls.image("GET", image_id, collection)))

    def delete(self, image_id: str, *, collection: str | None = None) -> None:
        """Delete a photo (its file, its regions, everything) and wait until it is gone."""
        job = self._job(calls.image("DELETE", image_id, collection))
        calls.check(job if job.final else self.wait(job))

    def file(self, image_id: str, *, collection: str | None = None) -> bytes:
        """Return the bytes of a photo as it was sent."""
        return self._http.send(calls.image("GET", image_id, collection, "/file")).content

    def ready(self) -> dict[str, Any]:
        """Return what the service says of itself: `status`, `redis`, `workers`, `models`."""
        return self._http.state(Call("GET", "/readyz"))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Needle:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    # ---- helpers

    def _job(self, call: Call) -> Job:
        return Job.from_json(self._http.json(call))

    def _send(self, batch: Sequence[Upload], form: Mapping[str, str]) -> Job:
        files = partial(uploads.parts, "files", batch)
        return self._job(Call("POST", f"{PREFIX}/images", data=form, files=files))

    def _poll(self, job_id: str, wait_s: float = 0.0) -> Job:
        params = {"wait": round(wait_s, 3)} if wait_s > 0 else None
        return self._job(Call("GET", f"{PREFIX}/jobs/{job_id}", params=params, wait_s=wait_s))

    def _pages(
        self, path: str, key: str, params: Mapping[str, Any] | None = None
    ) -> Iterator[Mapping[str, Any]]:
        offset = 0
        while True:
            asked = {**(params or {}), "offset": offset, "limit": PAGE}
            page = self._http.json(Call("GET", path, params=asked))
            rows = page.get(key) or []
            yield from rows
            offset += len(rows)
            if not rows or offset >= int(page.get("total") or 0):
                return
