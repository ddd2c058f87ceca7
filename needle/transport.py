"""Carries out the steps of an operation over HTTP: at once (`Transport`) or awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import httpx

from needle.address import LOOPBACK
from needle.steps import Call, Pause, Steps

T = TypeVar("T")


class Transport:
    """Carries steps out one after the other; may be used by several threads."""

    def __init__(
        self,
        url: httpx.URL,
        *,
        timeout_s: float,
        key: str | None = None,
        webhook: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`timeout_s` bounds each wait for bytes; `key` is the API key.

        `webhook` is the URL that the service calls at the end of each job that is made.
        """
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._webhook = _told(webhook)
        self._http = httpx.Client(**_options(url, timeout_s, key), transport=transport)

    def run(self, steps: Steps[T]) -> T:
        """Carry the steps out and return their result; raises what they raise, and OSError."""
        course = _Course(steps)
        while (step := course.next()) is not None:
            try:
                course.reply = self._do(step)
            except httpx.RequestError as exc:
                course.fault = exc
        return course.result

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _do(self, step: Call | Pause) -> httpx.Response | None:
        if isinstance(step, Pause):
            self._sleep(step.seconds)
            return None
        with _arguments(step, self._timeout_s, self._webhook) as arguments:
            if step.into is None:
                return self._http.request(step.method, step.path, **arguments)
            with self._http.stream(step.method, step.path, **arguments) as answer:
                if not answer.is_success:
                    answer.read()
                    return answer
                with step.into.open("wb") as file:
                    for part in answer.iter_bytes():
                        file.write(part)
                return answer


class AsyncTransport:
    """The same, awaited."""

    def __init__(
        self,
        url: httpx.URL,
        *,
        timeout_s: float,
        key: str | None = None,
        webhook: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`timeout_s` bounds each wait for bytes; `key` is the API key.

        `webhook` is the URL that the service calls at the end of each job that is made.
        """
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._webhook = _told(webhook)
        self._http = httpx.AsyncClient(**_options(url, timeout_s, key), transport=transport)

    async def run(self, steps: Steps[T]) -> T:
        """Carry the steps out and return their result; raises what they raise, and OSError."""
        course = _Course(steps)
        while (step := course.next()) is not None:
            try:
                course.reply = await self._do(step)
            except httpx.RequestError as exc:
                course.fault = exc
        return course.result

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _do(self, step: Call | Pause) -> httpx.Response | None:
        if isinstance(step, Pause):
            await self._sleep(step.seconds)
            return None
        with _arguments(step, self._timeout_s, self._webhook) as arguments:
            if step.into is None:
                return await self._http.request(step.method, step.path, **arguments)
            async with self._http.stream(step.method, step.path, **arguments) as answer:
                if not answer.is_success:
                    await answer.aread()
                    return answer
                with step.into.open("wb") as file:
                    async for part in answer.aiter_bytes():
                        file.write(part)
                return answer


class _Course(Generic[T]):
    """Steps that are being carried out: what has just come of one, and which is next."""

    result: T

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self.reply: httpx.Response | None = None
        self.fault: httpx.RequestError | None = None

    def next(self) -> Call | Pause | None:
        """Hand in the reply or the fault; return the next step, None when there is a `result`."""
        reply, fault = self.reply, self.fault
        self.reply = self.fault = None
        try:
            return self._steps.throw(fault) if fault else self._steps.send(reply)
        except StopIteration as end:
            self.result = end.value
            return None


def _options(url: httpx.URL, timeout_s: float, key: str | None) -> dict[str, Any]:
    """Return what both of httpx's clients are made with. Raises ValueError for a bad key."""
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise ValueError("The API key holds characters that no key has.")
    ours = url.host in LOOPBACK
    # No proxy stands between us and ourselves.
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return {"base_url": url, "timeout": timeout_s, "trust_env": not ours, "headers": headers}


def _told(webhook: str | None) -> dict[str, str]:
    """Return the header that names a webhook. Raises ValueError for what is no URL."""
    if not webhook:
        return {}
    if not (webhook.isascii() and webhook.isprintable() and " " not in webhook):
        raise ValueError("The webhook holds characters that no URL has.")
    return {"Needle-Webhook": webhook}


@contextmanager
def _arguments(
    call: Call, timeout_s: float, webhook: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield what httpx's `request` takes beside method and path; files are closed afterwards."""
    parts = call.files() if call.files else None
    reads = call.method == "GET"
    # What is read makes no job, and may be led elsewhere: nobody there is to know the webhook.
    headers = {**(call.headers or {}), **({} if reads else webhook)}
    try:
        yield {
            # To a bucket, where the service hands out signed URLs; httpx leaves the key behind.
            "follow_redirects": reads,
            "params": call.params,
            "headers": headers,
            "json": call.body,
            "data": call.data,
            "files": parts,
            "timeout": timeout_s + call.wait_s,
        }
    finally:
        for _, (_, content) in parts or ():
            if not isinstance(content, bytes):
                content.close()
