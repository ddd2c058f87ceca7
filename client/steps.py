"""What a call of the service is made of, without any I/O.

An operation of the client is a generator: it yields requests and pauses and returns its result.
`transport` carries such steps out, at once or awaited, so that `Needle` and `AsyncNeedle` share
every line of what is asked, when it is asked again and how the answer is read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

PREFIX = "/api/v1"

Files = Sequence[tuple[str, tuple[str, bytes | BinaryIO]]]
MakeFiles = Callable[[], Files]
"""Opens the parts of a multipart request; called again for each attempt."""


@dataclass(frozen=True)
class Call:
    """A request. `body` is sent as JSON, or `data` and `files` as a form; the service may hold
    its answer back for `wait_s`. `repeatable`: sending it twice does no harm, although it is a
    POST."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    data: Mapping[str, str] | None = None
    files: MakeFiles | None = None
    wait_s: float = 0.0
    repeatable: bool = False


@dataclass(frozen=True)
class Pause:
    """Nothing is sent for so many seconds."""

    seconds: float


T = TypeVar("T")
Steps = Generator[Call | Pause, Any, T]
"""Takes the `httpx.Response` of each Call, or has its httpx.TransportError thrown in; returns T."""
