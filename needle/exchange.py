"""One HTTP exchange: retried while the service asks for patience, its errors raised."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx

from needle import address
from needle.errors import NeedleApiError, NeedleClientError, NeedleUnreachable
from needle.steps import Call, Pause, Steps

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
BUSY = frozenset({429, 503})
IN_PROGRESS = "in_progress"
"""The code of a repeated request whose first one is under way, or has died, which is noticed."""

T = TypeVar("T")
FetchImage = Callable[[str, str | None], bytes]
"""(image id, collection) -> the image's bytes, fetched at once."""


class Service:
    """How one service is spoken to; may be used by several threads."""

    def __init__(
        self, base_url: str, *, patience_s: float, fetch: FetchImage | None = None
    ) -> None:
        """`patience_s` bounds all retries of one request; results fetch their images by `fetch`.

        Raises ValueError when the address is none.
        """
        self.url = address.parse(base_url)
        self.fetch = fetch
        self._patience_s = patience_s
        self._answered = False

    def json(self, call: Call) -> Steps[dict[str, Any]]:
        """Return the JSON object of a successful answer; retries and raises as `send` does."""
        return self._object((yield from self.send(call)))

    def read(self, call: Call, reader: Callable[[dict[str, Any]], T]) -> Steps[T]:
        """Return what the reader makes of a successful answer's JSON object.

        Raises NeedleUnreachable where it cannot be read: something else answers at the address.
        """
        body = yield from self.json(call)
        try:
            return reader(body)
        except (LookupError, TypeError, ValueError, AttributeError) as exc:
            raise NeedleUnreachable(self._stranger()) from exc

    def state(self, call: Call) -> Steps[dict[str, Any]]:
        """Return the JSON object with the state of the answer, whatever its status; tries once."""
        try:
            answer: httpx.Response = yield call
        except httpx.RequestError as exc:
            raise NeedleUnreachable(address.silence(self.url, exc)) from exc
        body = self._object(answer)
        if "status" not in body:
            refused = "error" in body and not answer.is_success
            raise _refusal(answer) if refused else NeedleUnreachable(self._stranger())
        return body

    def send(self, call: Call) -> Steps[httpx.Response]:
        """Return the service's answer of status 2xx.

        429, 503 and `in_progress` are retried, as is a broken connection where trying again does
        no harm: pauses grow from half a second to 10 s, or are what Retry-After says. Raises
        NeedleApiError for any other answer, NeedleUnreachable when there was none at all.
        """
        deadline = time.monotonic() + self._patience_s
        pause = FIRST_PAUSE_S
        while True:
            error: NeedleClientError
            try:
                answer: httpx.Response = yield call
            except httpx.RequestError as exc:
                error = NeedleUnreachable(address.silence(self.url, exc))
                again, rest = self._harmless(call, exc), pause
            else:
                self._answered = True
                if answer.is_success:
                    return answer
                error = _refusal(answer)
                again = answer.status_code in BUSY or error.code == IN_PROGRESS
                rest = _retry_after_s(answer, pause)
            if not again or time.monotonic() + rest > deadline:
                raise error
            yield Pause(rest * random.uniform(1.0, 1.1))  # noqa: S311 (not all clients at once)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _harmless(self, call: Call, exc: httpx.RequestError) -> bool:
        """Tell whether to try again after a broken connection.

        Not when nothing has ever answered here: that is a wrong address or a service that is
        down, and its user should hear so at once. Not when what changes something may have
        arrived, unless the service knows it again.
        """
        return self._answered and (call.repeatable or isinstance(exc, httpx.ConnectError))

    def _object(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise NeedleUnreachable(self._stranger())
        return body

    def _stranger(self) -> str:
        return f"What answers at {self.url} is not Needle."


def _retry_after_s(answer: httpx.Response, default_s: float) -> float:
    """Return the seconds that Retry-After asks for, given as seconds or as a date."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        due = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return default_s
    return max(0.0, due.timestamp() - time.time())


def _refusal(answer: httpx.Response) -> NeedleApiError:
    """Read the service's one error shape; tolerate a proxy's page in its place."""
    try:
        error = answer.json()["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, LookupError, TypeError):
        reason = f"Needle answered {answer.status_code} {answer.reason_phrase}."
        return NeedleApiError(answer.status_code, "unknown", reason)
    details = {name: v for name, v in error.items() if name not in ("code", "message")}
    return NeedleApiError(answer.status_code, code, message, details)
