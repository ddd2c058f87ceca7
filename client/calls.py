"""The requests that `Needle` sends, put together from its arguments."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from client import uploads
from client.errors import JobFailed
from client.jobs import Job
from client.steps import KEY_HEADER, PREFIX, Call
from client.uploads import Source, Upload


def given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def form(**options: Any) -> dict[str, str]:
    """Return the options that are not None as form fields: text as it is, the rest as JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in given(**options).items()
    }


def ids(job: Job | str) -> list[str]:
    """Return the ids of the service's jobs that a job stands for."""
    job_id = job if isinstance(job, str) else job.job_id
    return [quote(part, safe="") for part in job_id.split(",") if part]


def image(method: str, image_id: str, collection: str | None, what: str = "") -> Call:
    """Return a call about one photo."""
    path = f"{PREFIX}/images/{quote(image_id, safe='')}{what}"
    return Call(method, path, params=given(collection=collection))


def index(batch: Sequence[Upload], form: Mapping[str, str]) -> Call:
    """Return the request that sends these photos."""
    files = partial(uploads.parts, "files", batch)
    return Call("POST", f"{PREFIX}/images", data=form, files=files, headers=once())


def search(source: Source | None, options: Mapping[str, Any]) -> Call:
    """Return a search: a form with a file where there is one, else JSON. Raises OSError."""
    path, wait_s = f"{PREFIX}/search", float(options.get("wait", 0))
    if source is None:
        return Call("POST", path, body=dict(options), wait_s=wait_s, headers=once())
    files = partial(uploads.parts, "file", [uploads.upload(source)])
    return Call("POST", path, data=form(**options), files=files, wait_s=wait_s, headers=once())


def collection(method: str, name: str) -> Call:
    """Return a call about one collection."""
    return Call(method, f"{PREFIX}/collections/{quote(name, safe='')}")


def once() -> dict[str, str]:
    """Return the header by which the service makes one job of a request that is sent again."""
    return {KEY_HEADER: uuid.uuid4().hex}


def check(job: Job) -> Job:
    """Return a job that has succeeded. Raises JobFailed for any other."""
    if job.status == "succeeded":
        return job
    error = job.error or {}
    code = str(error.get("code", job.status))
    raise JobFailed(code, str(error.get("message", f"The {job.kind} job was {job.status}.")))
