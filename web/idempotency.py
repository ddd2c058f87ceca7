"""`Idempotency-Key`: a request that is sent again with its key gets the job that the first made.

A key is claimed in Redis before anything is stored, with the id that the job will have, and marked
as done once the job's tasks are enqueued. A claim whose process died is taken over by the next
request, with a job of its own: should the process live after all, neither touches the other's. What
the first one left is taken back (`common/beginnings.py`), and image ids come from the images, so
that nothing doubles.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from flask import request

from common.clock import STEADY
from common.errors import BadRequest, InProgress, KeyReused, NeedleError
from common.ids import new_job_id
from common.log import add_context
from common.redis import Client, translated
from common.services import Services
from web import access, waiting
from web.operation import WEBHOOK

HEADER = "Idempotency-Key"
KEPT_S = 24 * 3600
ABANDONED_S = 40
"""A claim that is not done after this long was left by a process that died."""
HELD_S = 10.0
"""How often a request that works says so."""
PATIENCE_S = 10.0
_FORM = re.compile(r"[\x21-\x7e]{1,255}\Z")
_NOT_OF_THE_WORK = {"wait"}

# KEYS: the key. ARGV: fingerprint, a new job id, abandoned_s, kept_s. Returns state, job id.
_CLAIM = f"""{STEADY}
local text = redis.call('GET', KEYS[1])
local claim = text and cjson.decode(text)
if claim and claim.fingerprint ~= ARGV[1] then return {{'reused', ''}} end
if claim and claim.done then return {{'done', claim.job_id}} end
local now = steady()
if claim and now - claim.at < tonumber(ARGV[3]) then return {{'busy', claim.job_id}} end
claim = {{fingerprint = ARGV[1], job_id = ARGV[2], at = now, done = false}}
redis.call('SET', KEYS[1], cjson.encode(claim), 'EX', ARGV[4])
return {{'claimed', ARGV[2]}}
"""

# KEYS: the key. ARGV: job id.
_HOLD = f"""{STEADY}
local text = redis.call('GET', KEYS[1])
local claim = text and cjson.decode(text)
if not claim or claim.done or claim.job_id ~= ARGV[1] then return 0 end
claim.at = steady()
redis.call('SET', KEYS[1], cjson.encode(claim), 'KEEPTTL')
return 1
"""

# KEYS: the key. ARGV: job id, 1 where the job was made. One that was taken over is left alone.
_END = """
local text = redis.call('GET', KEYS[1])
local claim = text and cjson.decode(text)
if not claim or claim.job_id ~= ARGV[1] then return 0 end
if ARGV[2] ~= '1' then return redis.call('DEL', KEYS[1]) end
claim.done = true
redis.call('SET', KEYS[1], cjson.encode(claim), 'KEEPTTL')
return 1
"""


def once(services: Services, make: Callable[[str], None]) -> str:
    """Have `make` make the job of that id, unless the request's key made one; return the job's id.

    Raises what `make` raises (the key is free again then), BadRequest for a malformed key,
    KeyReused when it came with another request, InProgress when the first one takes long.
    """
    key = request.headers.get(HEADER)
    if key is None:
        job_id = new_job_id()
        add_context(job_id=job_id)
        make(job_id)
        return job_id
    if not _FORM.match(key):
        raise BadRequest(f"{HEADER} must be 1 to 255 visible ASCII characters.")
    name = f"needle:once:{hashlib.sha256(_apart(key).encode()).hexdigest()}"
    state, job_id = _claim(services.redis, name)
    add_context(job_id=job_id)
    if state == "claimed":
        _make(services.redis, name, job_id, make)
    return job_id


def _apart(key: str) -> str:
    """Return what a key is known by: other calls, and holders of other API keys, have their own."""
    return " ".join(filter(None, (request.path, key, access.key_id())))


def given() -> bool:
    """Tell whether the request carries a key."""
    return HEADER in request.headers


def _claim(redis: Client, name: str) -> tuple[str, str]:
    """Return `claimed` or `done`, and the job's id; waits while the first request is busy."""
    fingerprint, deadline = _fingerprint(), time.monotonic() + PATIENCE_S
    found = _tried(redis, name, fingerprint)
    if found[0] != "busy":
        return found
    with waiting.place() as may_wait:
        while may_wait and time.monotonic() < deadline:
            time.sleep(0.05)
            found = _tried(redis, name, fingerprint)
            if found[0] != "busy":
                return found
    raise InProgress(f"The first request with this {HEADER} is still being handled.")


def _tried(redis: Client, name: str, fingerprint: str) -> tuple[str, str]:
    """Return `claimed`, `done` or `busy`, and the job's id. Raises KeyReused."""
    with translated():
        state, job_id = redis.eval(_CLAIM, 1, name, fingerprint, new_job_id(), ABANDONED_S, KEPT_S)
    if state == "reused":
        raise KeyReused(f"This {HEADER} came with another request before; use a new one.")
    return state, job_id


def _make(redis: Client, name: str, job_id: str, make: Callable[[str], None]) -> None:
    try:
        with _held(redis, name, job_id):
            make(job_id)
    except BaseException:
        with suppress(NeedleError), translated():
            redis.eval(_END, 1, name, job_id, 0)
        raise
    with translated():
        redis.eval(_END, 1, name, job_id, 1)


@contextmanager
def _held(redis: Client, name: str, job_id: str) -> Iterator[None]:
    """Say now and then that the claim is not abandoned: storing many images takes a while."""
    over = threading.Event()

    def hold() -> None:
        while not over.wait(HELD_S):
            with suppress(NeedleError), translated():
                redis.eval(_HOLD, 1, name, job_id)

    holding = threading.Thread(target=hold, name="claim", daemon=True)
    holding.start()
    try:
        yield
    finally:
        over.set()
        holding.join()


def _fingerprint() -> str:
    """Return a hash of what the request asks for: its fields, files and webhook, however framed."""
    # Only where there is one: the claims of older versions know none.
    told = {"webhook": url} if (url := request.headers.get(WEBHOOK)) is not None else {}
    if request.is_json:
        body = dict(request.get_json())
        return _hash({"json": {k: v for k, v in body.items() if k not in _NOT_OF_THE_WORK}, **told})
    fields = {name: values for name, values in request.form.lists() if name not in _NOT_OF_THE_WORK}
    sent = [_of_file(*pair) for pair in request.files.items(True)]
    return _hash({"form": fields, "files": sent, **told})


def _of_file(field: str, file: object) -> list[str]:
    digest = hashlib.sha256()
    stream = file.stream  # type: ignore[attr-defined]
    stream.seek(0)  # a view may have read it before
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
    stream.seek(0)
    return [field, str(file.filename), digest.hexdigest()]  # type: ignore[attr-defined]


def _hash(parts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
