"""Webhooks: called when a job ends, signed, again and again, and by nobody twice at once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from common.job_keys import WEBHOOKS
from common.jobs import Item, ItemStatus, Kind, Status
from common.redis import Client
from common.settings import Settings
from common.webhooks import PAUSES_S, Calls
from worker.context import Base
from worker.notifying import Notifier

SECRETS = [f"whsec_{base64.b64encode(bytes([n]) * 24).decode()}" for n in (1, 2)]


class Receiver(ThreadingHTTPServer):
    """Keeps what it is told, and answers with `status`."""

    daemon_threads = True

    def __init__(self) -> None:
        self.status = 204
        self.told: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?a=b"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.told.append((self.path, headers, body))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def base_of(redis_url: str, folder: Path, **more: Any) -> Base:
    given = {"url_allow_hosts": "127.0.0.1", "webhook_secret": " ".join(SECRETS), **more}
    return Base.build(Settings(redis_url=redis_url, data_dir=folder, **given))


@pytest.fixture
def base(redis: Client, redis_url: str, tmp_path: Path) -> Base:
    return base_of(redis_url, tmp_path)


def notifier_of(base: Base) -> Notifier:
    return Notifier(base, Calls(base.redis))


def make(base: Base, url: str | None, name: str = "j") -> None:
    base.jobs.create(name, Kind.INDEX, [Item(0, "a.jpg")], {"collection": "shop"}, url)


def end(base: Base, name: str = "j") -> None:
    base.jobs.finish_items(name, [Item(0, "a.jpg").ended(ItemStatus.INDEXED, "i")])


def test_the_end_of_a_job_is_told_with_a_signature_that_can_be_checked(
    base: Base, receiver: Receiver
) -> None:
    make(base, receiver.url)
    notifier = notifier_of(base)
    assert not notifier.call_one()  # it has not ended
    end(base)
    assert notifier.call_one() and not notifier.call_one()
    ((path, headers, body),) = receiver.told
    assert path == "/hook?a=b" and headers["webhook-id"] == "msg_j"
    told = json.loads(body)
    assert told["type"] == "job.ended" and told["data"]["status"] == "succeeded"
    assert told["data"]["job_id"] == "j" and told["data"]["progress"]["done"] == 1
    at = headers["webhook-timestamp"]
    assert abs(int(at) - time.time()) < 60
    for secret, given in zip(SECRETS, headers["webhook-signature"].split(), strict=True):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.new(key, f"msg_j.{at}.".encode() + body, hashlib.sha256).digest()
        assert given == f"v1,{base64.b64encode(digest).decode()}"
    webhook = base.jobs.get("j").webhook
    assert webhook and webhook.delivered and webhook.attempts == 1 and webhook.last_error is None


@pytest.mark.parametrize("how", ["fail", "cancel", "succeed"])
def test_however_a_job_ends_it_is_told(base: Base, receiver: Receiver, how: str) -> None:
    make(base, receiver.url)
    if how == "fail":
        base.jobs.fail("j", "internal", "No.")
    elif how == "cancel":
        base.jobs.cancel("j")
    else:
        base.jobs.succeed("j", {})
    assert notifier_of(base).call_one()
    status = json.loads(receiver.told[0][2])["data"]["status"]
    assert Status(status).final and status.startswith(how[:6])


def test_a_job_without_one_calls_nobody(base: Base, redis: Client) -> None:
    make(base, None)
    end(base)
    assert not redis.zcard(WEBHOOKS) and base.jobs.get("j").webhook is None


def due_in_s(redis: Client) -> float:
    ((_, at),) = redis.zrange(WEBHOOKS, 0, -1, withscores=True)
    return float(at) - time.time()


def make_due(redis: Client) -> None:
    redis.zadd(WEBHOOKS, {"j": 0.0})


def test_it_is_tried_again_with_growing_pauses_and_given_up_after_hours(
    base: Base, receiver: Receiver, redis: Client
) -> None:
    receiver.status = 500
    make(base, receiver.url)
    end(base)
    notifier = notifier_of(base)
    for pause in PAUSES_S:
        assert notifier.call_one() and not notifier.call_one()
        assert pause - 5 < due_in_s(redis) <= pause
        make_due(redis)
    assert notifier.call_one() and not redis.zcard(WEBHOOKS)
    webhook = base.jobs.get("j").webhook
    assert webhook and not webhook.delivered and webhook.attempts == len(PAUSES_S) + 1
    assert webhook.last_error == "It answered with 500."
    assert {headers["webhook-id"] for _, headers, _ in receiver.told} == {"msg_j"}


def test_a_worker_that_dies_loses_no_call(base: Base, receiver: Receiver, redis: Client) -> None:
    make(base, receiver.url)
    end(base)
    assert Calls(redis).claim() == "j"  # and then it is killed
    assert not notifier_of(base).call_one()  # it may be at work yet
    assert 0 < due_in_s(redis) <= 60
    make_due(redis)
    assert notifier_of(base).call_one() and len(receiver.told) == 1


def test_no_redirect_is_followed_and_gone_is_the_end(
    base: Base, receiver: Receiver, redis: Client
) -> None:
    receiver.status = 302
    make(base, receiver.url)
    end(base)
    notifier_of(base).call_one()
    assert [path for path, _, _ in receiver.told] == ["/hook?a=b"] and redis.zcard(WEBHOOKS)
    receiver.status = 410
    make_due(redis)
    notifier_of(base).call_one()
    assert not redis.zcard(WEBHOOKS)


def test_a_private_address_is_not_called(
    redis: Client, redis_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    base = base_of(redis_url, tmp_path, url_allow_hosts="")
    make(base, receiver.url)  # as a name that has come to lead there since it was posted
    end(base)
    notifier_of(base).call_one()
    webhook = base.jobs.get("j").webhook
    assert not receiver.told and webhook and "not public" in str(webhook.last_error)


@pytest.mark.parametrize(
    ("url", "more", "said"),
    [
        ("http://127.0.0.1/\udcff", {}, "cannot be reached"),
        ("http://127.0.0.1/", {"webhook_secret": None}, "NEEDLE_WEBHOOK_SECRET"),
        ("http://127.0.0.1/", {"webhook_secret": "whsec_A"}, "cannot be called"),  # a fault of ours
    ],
)
def test_a_call_that_cannot_be_made_is_given_up_like_one_that_fails(
    redis: Client, redis_url: str, tmp_path: Path, url: str, more: dict[str, Any], said: str
) -> None:
    base = base_of(redis_url, tmp_path)
    settings = base.settings.model_copy(update=more)
    make(base, url)
    end(base)
    assert notifier_of(replace(base, settings=settings)).call_one()
    webhook = base.jobs.get("j").webhook
    assert webhook and webhook.attempts == 1 and said in str(webhook.last_error)
    assert due_in_s(redis) <= PAUSES_S[0]


def test_a_receiver_that_is_away_and_a_job_that_is_gone(base: Base, redis: Client) -> None:
    make(base, "http://127.0.0.1:9/")
    end(base)
    notifier_of(base).call_one()
    webhook = base.jobs.get("j").webhook
    assert webhook and "cannot be reached" in str(webhook.last_error)
    redis.delete("needle:job:j")
    make_due(redis)
    assert notifier_of(base).call_one() and not redis.zcard(WEBHOOKS)
    assert not redis.exists("needle:job:j")
