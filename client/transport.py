"""One HTTP exchange: retried while the service asks for patience, its errors raised."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

import httpx

from client.errors import NeedleApiError, NeedleClientError, NeedleUnreachable

PREFIX = "/api/v1"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
BUSY = frozenset({429, 503})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Files = Sequence[tuple[str, tuple[str, bytes | BinaryIO]]]
MakeFiles = Callable[[], Files]
"""Opens the parts of a multipart request; called again for each attempt."""


@dataclass(frozen=True)
class Call:
    """A request. `body` is sent as JSON, or `data` and `files` as a form; the service may hold
    its answer back for `wait_s`."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    data: Mapping[str, str] | None = None
    files: MakeFiles | None = None
    wait_s: float = 0.0


class Transport:
    """Sends requests to one service."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float,
        patience_s: float,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`timeout_s` bounds each wait for bytes, `patience_s` all retries of one request."""
        self.url = httpx.URL(base_url.rstrip("/"))
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._sleep = sleep
        self._answered = False
        self._http = httpx.Client(
            base_url=self.url,
            timeout=timeout_s,
            transport=transport,
            trust_env=self.url.host not in LOOPBACK,  # no proxy stands between us and ourselves
        )

    def json(self, call: Call) -> dict[str, Any]:
        """Return the JSON object of a successful answer; retries and raises as `send` does."""
        return self._object(self.send(call))

    def state(self, call: Call) -> dict[str, Any]:
        """Return the JSON object of the answer, whatever its status; tries once."""
        try:
            return self._object(self._once(call))
        except httpx.TransportError as exc:
            raise NeedleUnreachable(self._silence(exc)) from exc

    def send(self, call: Call) -> httpx.Response:
        """Return the service's answer of status 2xx.

        429 and 503 are retried, as is a broken connection where trying again does no harm: pauses
        grow from half a second to 10 s, or are what Retry-After says. Raises NeedleApiError for
        any other status, NeedleUnreachable when there was no answer at all.
        """
        deadline = time.monotonic() + self._patience_s
        pause = FIRST_PAUSE_S
        while True:
            error: NeedleClientError
            try:
                answer = self._once(call)
            except httpx.TransportError as exc:
                error = NeedleUnreachable(self._silence(exc))
                again, rest = self._harmless(call, exc), pause
            else:
                self._answered = True
                if answer.is_success:
                    return answer
                error, again = _refusal(answer), answer.status_code in BUSY
                rest = _retry_after_s(answer, pause)
            if not again or time.monotonic() + rest > deadline:
                raise error
            self._sleep(rest * random.uniform(1.0, 1.1))  # not all clients at once
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _once(self, call: Call) -> httpx.Response:
        parts = call.files() if call.files else None
        try:
            return self._http.request(
                call.method,
                call.path,
                params=call.params,
                json=call.body,
                data=call.data,
                files=parts,
                timeout=self._timeout_s + call.wait_s,
            )
        finally:
            for _, (_, content) in parts or ():
                if not isinstance(content, bytes):
                    content.close()

    def _harmless(self, call: Call, exc: httpx.TransportError) -> bool:
        """Tell whether to try again after a broken connection.

        Not when nothing has ever answered here: that is a wrong address or a service that is
        down, and its user should hear so at once. Not when a POST may have arrived.
        """
        return self._answered and (call.method == "GET" or isinstance(exc, httpx.ConnectError))

    def _object(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise NeedleUnreachable(f"What answers at {self.url} is not Needle.")
        return body

    def _silence(self, exc: httpx.TransportError) -> str:
        if isinstance(exc, httpx.ConnectError):
            return f"No Needle answers at {self.url}: start one with `make up`."
        return f"Needle at {self.url} did not answer: {str(exc) or type(exc).__name__}."


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
