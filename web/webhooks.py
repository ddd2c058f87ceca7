"""`Needle-Webhook: URL` with any request that makes a job: the URL is called when the job ends.

A header, so that it is the same for JSON, forms and requests without a body.
"""

from __future__ import annotations

from flask import has_request_context, request

from common.contract.fields import MOST_URL_CHARS
from common.errors import BadRequest, FetchFailed
from common.services import Services
from common.urls import resolve
from web.operation import WEBHOOK


def asked(services: Services) -> str | None:
    """Return the URL that the request names, None for none. Look before anything is stored.

    Raises BadRequest or InvalidUrl.
    """
    url = request.headers.get(WEBHOOK) if has_request_context() else None
    if url is None:
        return None
    settings = services.settings
    if not settings.webhook_secrets:
        raise BadRequest(
            "This service signs no webhooks: start it with NEEDLE_WEBHOOK_SECRET, or leave "
            f"{WEBHOOK} out."
        )
    if len(url) > MOST_URL_CHARS:
        raise BadRequest(f"{WEBHOOK} holds more than {MOST_URL_CHARS} characters.")
    try:
        resolve(url, allowed_hosts=settings.allowed_hosts)
    except FetchFailed as exc:
        raise BadRequest(f"{WEBHOOK}: {exc.message}") from exc
    return url
