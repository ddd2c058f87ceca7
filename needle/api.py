"""`Needle` and `AsyncNeedle`: every operation as a method, at once or awaited."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import httpx

from needle import files, listings, operations, searches, upkeep
from needle.exchange import Service
from needle.listings import Listing, Place
from needle.steps import Steps
from needle.transport import AsyncTransport, Transport

DEFAULT_URL = "http://127.0.0.1:8080"
P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def _method(
    operation: Callable[Concatenate[Service, P], Steps[T]],
) -> Callable[Concatenate[Needle, P], T]:
    @wraps(operation)
    def call(self: Needle, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._transport.run(operation(self._service, *args, **kwargs))

    return call


def _awaited(
    operation: Callable[Concatenate[Service, P], Steps[T]],
) -> Callable[Concatenate[AsyncNeedle, P], Coroutine[Any, Any, T]]:
    @wraps(operation)
    async def call(self: AsyncNeedle, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._transport.run(operation(self._service, *args, **kwargs))

    return call


def _described(method: F, listed: Callable[..., Any]) -> F:
    """Give a method the name, the docstring and, beside `self`, the parameters of `listed`."""
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wanted = [own, *inspect.signature(listed).parameters.values()]
    method.__doc__, method.__name__ = listed.__doc__, listed.__name__
    vars(method)["__signature__"] = inspect.Signature(wanted)
    return method


def _each(
    listed: Callable[P, list[Listing[T]]],
) -> Callable[Concatenate[Needle, P], Iterator[T]]:
    def call(self: Needle, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        for listing in listed(*args, **kwargs):
            place: Place | None = Place()
            while place is not None:
                rows, place = self._transport.run(listings.page(self._service, listing, place))
                yield from rows

    return _described(call, listed)


def _each_awaited(
    listed: Callable[P, list[Listing[T]]],
) -> Callable[Concatenate[AsyncNeedle, P], AsyncIterator[T]]:
    async def call(self: AsyncNeedle, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        for listing in listed(*args, **kwargs):
            place: Place | None = Place()
            while place is not None:
                asked = listings.page(self._service, listing, place)
                rows, place = await self._transport.run(asked)
                for row in rows:
                    yield row

    return _described(call, listed)


class Needle:
    """A Needle service at `base_url`. Usable as a context manager, and by several threads.

    `key` is an API key, where the service wants one; `webhook` is a URL that the service calls when
    a job has ended that was made by this client. `timeout_s` bounds the wait for each answer.
    While the service says that it is busy (429, 503), a call is retried for `patience_s`, with
    growing pauses. Every method raises NeedleApiError (the service refused), NeedleUnreachable (no
    answer), and OSError (a file of one's own cannot be read). The methods are described in
    `needle.operations`, `needle.searches`, `needle.listings`, `needle.files` and `needle.upkeep`.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        timeout_s: float = 60.0,
        *,
        key: str | None = None,
        webhook: str | None = None,
        patience_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare a client; nothing is sent yet. Raises ValueError for a bad address."""
        self._service = Service(base_url, patience_s=patience_s, fetch=self._image)
        self._transport = Transport(
            self._service.url,
            timeout_s=timeout_s,
            key=key,
            webhook=webhook,
            transport=transport,
            sleep=sleep,
        )

    @property
    def base_url(self) -> str:
        """The service's address."""
        return str(self._service.url)

    index = _method(operations.index)
    index_batch = _method(operations.index_batch)
    index_urls = _method(operations.index_urls)

    job = _method(operations.job)
    jobs = _each(listings.jobs)
    items = _each(listings.items)
    wait = _method(operations.wait)
    cancel = _method(operations.cancel)

    search = _method(operations.search)
    search_many = _method(searches.search_many)
    answers = _each(searches.answers)
    continue_search = _method(operations.continue_search)
    draw = _method(files.draw)

    images = _each(listings.images)
    objects = _each(listings.objects)
    count = _method(operations.count)
    image = _method(operations.image)
    file = _method(files.file)
    tag = _method(operations.tag)
    delete = _method(operations.delete)
    collections = _method(operations.collections)
    create_collection = _method(operations.create_collection)
    delete_collection = _method(operations.delete_collection)
    ready = _method(operations.ready)

    verify = _method(upkeep.verify)
    reindex = _method(upkeep.reindex)
    backup = _method(upkeep.backup)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Needle:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the connections."""
        self.close()

    def _image(self, image_id: str, collection: str | None) -> bytes:
        return self.file(image_id, collection=collection, drawable=True)


class AsyncNeedle:
    """The same service, for asyncio: every method of `Needle`, awaited.

    `images`, `items`, `answers` and `jobs` are iterated with `async for`. A match's `draw()` needs
    a connection of its own to fetch the image: use `await needle.draw(match)`.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        timeout_s: float = 60.0,
        *,
        key: str | None = None,
        webhook: str | None = None,
        patience_s: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Prepare a client; nothing is sent yet. Raises ValueError for a bad address."""
        self._service = Service(base_url, patience_s=patience_s)
        self._transport = AsyncTransport(
            self._service.url,
            timeout_s=timeout_s,
            key=key,
            webhook=webhook,
            transport=transport,
            sleep=sleep,
        )

    @property
    def base_url(self) -> str:
        """The service's address."""
        return str(self._service.url)

    index = _awaited(operations.index)
    index_batch = _awaited(operations.index_batch)
    index_urls = _awaited(operations.index_urls)

    job = _awaited(operations.job)
    jobs = _each_awaited(listings.jobs)
    items = _each_awaited(listings.items)
    wait = _awaited(operations.wait)
    cancel = _awaited(operations.cancel)

    search = _awaited(operations.search)
    search_many = _awaited(searches.search_many)
    answers = _each_awaited(searches.answers)
    continue_search = _awaited(operations.continue_search)
    draw = _awaited(files.draw)

    images = _each_awaited(listings.images)
    objects = _each_awaited(listings.objects)
    count = _awaited(operations.count)
    image = _awaited(operations.image)
    file = _awaited(files.file)
    tag = _awaited(operations.tag)
    delete = _awaited(operations.delete)
    collections = _awaited(operations.collections)
    create_collection = _awaited(operations.create_collection)
    delete_collection = _awaited(operations.delete_collection)
    ready = _awaited(operations.ready)

    verify = _awaited(upkeep.verify)
    reindex = _awaited(upkeep.reindex)
    backup = _awaited(upkeep.backup)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> AsyncNeedle:
        """Return itself."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        await self.close()
