"""Calling the webhooks of jobs that have ended, again and again until they answer or time is up."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpcore
import httpx

from common import job_status
from common.errors import BrokerUnavailable, NeedleError, NotFound
from common.jobs import Job, Webhook
from common.log import log_context
from common.metrics import meters
from common.urls import resolve
from common.webhooks import PAUSES_S, Calls, signature
from worker.context import Base
from worker.deadlines import Course
from worker.fetch import FAULTS, answered

log = logging.getLogger(__name__)

THREADS = 4
LOOK_EVERY_S = 1.0
TIMEOUT_S = 15.0
GONE = 410
"""The status by which a receiver says that it wants no more calls."""


@dataclass(frozen=True)
class Notifier:
    """Calls webhooks. Threads of its own do it: slow receivers hold up no task."""

    base: Base
    calls: Calls

    def start(self) -> None:
        """Begin."""
        for number in range(THREADS):
            threading.Thread(target=self._run, name=f"notify-{number}", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                busy = self.call_one()
            except BrokerUnavailable:
                busy = False  # the claim ends by itself, and is taken up again
            except Exception:
                log.exception("calling a webhook failed")
                busy = False
            if not busy:
                pause.wait(LOOK_EVERY_S)

    def call_one(self) -> bool:
        """Call one webhook that is due; False where none is. Raises BrokerUnavailable."""
        job_id = self.calls.claim()
        if job_id is None:
            return False
        with log_context(job_id=job_id):
            try:
                job = self.base.jobs.get(job_id)
            except NotFound:
                job = None
            if job is None or job.webhook is None or job.webhook.delivered:
                self.calls.drop(job_id)
            else:
                self._call(job, job.webhook)
        return True

    def _call(self, job: Job, webhook: Webhook) -> None:
        status, error = self._post(webhook.url, f"msg_{job.job_id}", _body(job))
        tried = webhook.tried(error)
        again = None
        if error is not None and status != GONE and tried.attempts <= len(PAUSES_S):
            again = float(PAUSES_S[tried.attempts - 1])
        outcome = "delivered" if error is None else "given_up" if again is None else "failed"
        self.calls.settle(job.job_id, tried, again)
        meters().webhooks.labels(outcome).inc()
        log.info("webhook %s, call %d%s", outcome, tried.attempts, f": {error}" if error else "")

    def _post(self, url: str, message_id: str, body: bytes) -> tuple[int | None, str | None]:
        """Return the status, and why it did not arrive, if it did not. Nothing is followed."""
        settings = self.base.settings
        if not settings.webhook_secrets:
            return None, "The worker that was to call has no NEEDLE_WEBHOOK_SECRET to sign with."
        course = Course(TIMEOUT_S)
        try:
            headers = _headers(settings.webhook_secrets, message_id, body)
            target = resolve(url, allowed_hosts=settings.allowed_hosts, timeout_s=course.left_s)
            with answered("POST", target, course, headers, body) as answer:
                fine = 200 <= answer.status < 300
                return answer.status, None if fine else f"It answered with {answer.status}."
        except NeedleError as error:
            return None, error.message
        except (httpcore.TimeoutException, TimeoutError):
            return None, f"It took longer than {TIMEOUT_S:g} s."
        except (*FAULTS, httpx.HTTPError, OSError) as error:
            return None, f"It cannot be reached: {error or type(error).__name__}"
        except Exception:
            # Else it would be called every minute for as long as the job is kept.
            log.exception("calling a webhook failed")
            return None, "It cannot be called: the log of the worker says why."


def _headers(secrets: Sequence[str], message_id: str, body: bytes) -> dict[str, str]:
    at = int(time.time())
    return {
        "User-Agent": "needle",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(secrets, message_id, at, body),
    }


def _body(job: Job) -> bytes:
    told = {
        "type": "job.ended",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(job.finished_at or 0)),
        "data": job_status.listed_job(job).model_dump(mode="json", exclude={"webhook"}),
    }
    return json.dumps(told).encode()
