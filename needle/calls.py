"""The requests that `Needle` sends, put together from its arguments."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from needle import uploads
from needle.errors import JobFailed
from needle.jobs import Job
from needle.steps import KEY_HEADER, PREFIX, Call
from needle.uploads import Source, Upload


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
    """Return the ids of the service's jobs that a job stands for. Raises ValueError for none."""
    job_id = job if isinstance(job, str) else job.job_id
    parts = [quote(part, safe="") for part in job_id.split(",") if part]
    if not parts:
        raise ValueError("There is no id of a job.")
    return parts


def image(
    method: str,
    image_id: str,
    collection: str | None,
    what: str = "",
    body: Mapping[str, Any] | None = None,
) -> Call:
    """Return a call about one image."""
    path = f"{PREFIX}/images/{quote(image_id, safe='')}{what}"
    return Call(method, path, params=given(collection=collection), body=body)


def index(batch: Sequence[Upload], form: Mapping[str, str]) -> Call:
    """Return the request that sends these images."""
    files = partial(uploads.parts, "files", batch)
    return Call("POST", f"{PREFIX}/images", data=form, files=files, headers=once())


Example = Source | Mapping[str, Any]
"""A query or an example: a file, or {"url": ...} or {"image_id": ...}, with its "box" if any."""
_NAMED = ("url", "image_id", "box")


def search(
    sources: Sequence[Source],
    examples: Sequence[Example],
    negatives: Sequence[Example],
    options: Mapping[str, Any],
) -> Call:
    """Return a search: a form with files where there are any, else JSON. Raises OSError."""
    path, wait_s = f"{PREFIX}/search", float(options.get("wait", 0))
    files, named = divided(examples)
    not_files, not_named = divided(negatives)
    files = [*sources, *files]
    subject = {name: options[name] for name in _NAMED if name in options}
    if files and not sources and subject:
        # The service takes one kind of query image first; the others are its examples.
        options = {name: value for name, value in options.items() if name not in subject}
        named = [subject, *named]
    options = {**options, **given(examples=named or None, negatives=not_named or None)}
    if not files and not not_files:
        return Call("POST", path, body=options, wait_s=wait_s, headers=once())
    sent = [("file", uploads.uploads(files)), ("not_file", uploads.uploads(not_files))]
    opened = partial(uploads.every_part, sent)
    return Call("POST", path, data=form(**options), files=opened, wait_s=wait_s, headers=once())


def divided(examples: Sequence[Example]) -> tuple[list[Source], list[dict[str, Any]]]:
    """Return the files, and the examples that the service can get by itself."""
    files: list[Source] = []
    named: list[dict[str, Any]] = []
    for example in examples:
        if isinstance(example, Mapping):
            named.append(dict(example))
        else:
            files.append(example)
    return files, named


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
