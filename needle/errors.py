"""What a call of the client can raise. Every message is a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class NeedleClientError(Exception):
    """Base of everything the client raises about the service."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NeedleApiError(NeedleClientError):
    """The service refused a request.

    `status` is the HTTP status, `code` the service's name for the error, `details` whatever else
    its answer said.
    """

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = dict(details or {})


class NeedleUnreachable(NeedleClientError):
    """Nothing answers at the service's address, or it stopped answering in mid-request."""


class JobFailed(NeedleClientError):
    """A search's job ended without a result; `code` is the service's name for the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TimedOut(NeedleClientError):
    """A job had not ended when the caller's time was up. It goes on; ask for it again."""
