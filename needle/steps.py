"""What a call of the service is made of, without any I/O.

An operation of the client is a generator: it yields requests and pauses and returns its result.
`transport` carries such steps out, at once or awaited, so that `Needle` and `AsyncNeedle` share
every line of what is asked, when it is asked again and how the answer is read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

PREFIX = "/api/v1"
KEY_HEADER = "Idempotency-Key"

Files = Sequence[tuple[str, tuple[str, bytes | BinaryIO]]]
MakeFiles = Callable[[], Files]
"""Opens the parts of a multipart request; called again for each attempt."""


@dataclass(frozen=True)
class Call:
    """A request. `body` is sent as JSON, or `data` and `files` as a form; the service may hold
    its answer back for `wait_s`. By a key in the `headers` it knows a POST that is sent again.
    A successful answer goes `into` a file, where there is one, and not into memory."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    data: Mapping[str, str] | None = None
    files: MakeFiles | None = None
    wait_s: float = 0.0
    headers: Mapping[str, str] | None = None
    into: Path | None = None

    @property
    def repeatable(self) -> bool:
        """Tell whether sending it twice does no harm."""
        return self.method == "GET" or KEY_HEADER in (self.headers or ())


@dataclass(frozen=True)
class Pause:
    """Nothing is sent for so many seconds."""

    seconds: float


T = TypeVar("T")
Steps = Generator[Call | Pause, Any, T]
"""Takes the `httpx.Response` of each Call, or has its httpx.RequestError thrown in; returns T."""
