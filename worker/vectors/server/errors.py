"""What goes wrong between Needle and a Qdrant server, in Needle's words.

Only what a point or a query is refused for is StoreRefused: an image fails for that. Everything
else is the server's, the network's or the operator's, and passes: the work waits for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import (
    ApiException,
    ResponseHandlingException,
    UnexpectedResponse,
)

from common.errors import NeedleError, StoreRefused, StoreUnavailable

GONE = 404
_OF_THE_KEY = (401, 403)
_OF_THE_REQUEST = (400, 413, 422)


class NoAnswer(StoreUnavailable):
    """The server took as long as anybody waits; asking again at once would take as long again."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the client's errors into StoreRefused and StoreUnavailable."""
    try:
        yield
    except UnexpectedResponse as exc:
        raise _of_answer(exc) from exc
    except ResourceExhaustedResponse as exc:
        raise StoreUnavailable(f"The Qdrant server is asked too much (429: {exc}).") from exc
    except (ApiException, httpx.HTTPError, OSError) as exc:
        source = exc.source if isinstance(exc, ResponseHandlingException) else exc
        if isinstance(source, httpx.TimeoutException) and not isinstance(
            source, httpx.ConnectTimeout
        ):
            raise NoAnswer("The Qdrant server does not answer in time.") from exc
        if isinstance(source, httpx.ConnectError | httpx.ConnectTimeout):
            raise StoreUnavailable(f"The Qdrant server cannot be reached ({source}).") from exc
        if isinstance(source, httpx.HTTPError | OSError):
            raise StoreUnavailable(f"The Qdrant server broke off ({source}).") from exc
        raise StoreUnavailable(
            f"What NEEDLE_QDRANT_URL names does not answer as a Qdrant server does ({source})."
        ) from exc


def _of_answer(error: UnexpectedResponse) -> NeedleError:
    status = error.status_code
    said = f"{status}: {_reason(error)}"
    if status in _OF_THE_REQUEST:
        return StoreRefused(f"The Qdrant server does not take this ({said}).")
    if status in _OF_THE_KEY:
        return StoreUnavailable(f"The Qdrant server does not take NEEDLE_QDRANT_API_KEY ({said}).")
    return StoreUnavailable(f"The Qdrant server failed ({said}).")


def _reason(error: UnexpectedResponse) -> str:
    """Return why, as the server says it; a proxy before it says something else."""
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(error.content)["status"]["error"])
    return error.reason_phrase or "no reason given"
