"""`AsyncNeedle` does what `Needle` does: the same steps, awaited."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from needle import AsyncNeedle, Image, Item, Needle, NeedleApiError, NeedleUnreachable
from tests.unit.needle.fake_needle import FakeService
from tests.unit.needle.helpers import Service, fields, job, ok, refused

T = TypeVar("T")
Handler = Callable[[httpx.Request], httpx.Response]


def run(handler: Handler, use: Callable[[AsyncNeedle], Awaitable[T]]) -> tuple[T, list[float]]:
    """Return what came of using a client of that service, and the pauses that it made."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def main() -> T:
        transport = httpx.MockTransport(handler)
        async with AsyncNeedle("http://needle:8080/", transport=transport, sleep=pause) as needle:
            return await use(needle)

    return asyncio.run(main()), pauses


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    public = {name for name in vars(Needle) if not name.startswith("_")}
    assert public == {name for name in vars(AsyncNeedle) if not name.startswith("_")}
    for name in public - {"base_url", "close"}:
        own, other = getattr(Needle, name), getattr(AsyncNeedle, name)
        assert inspect.signature(own) == inspect.signature(other) and own.__doc__
    parameters = inspect.signature(Needle().search).parameters
    assert list(parameters)[:3] == ["image", "url", "text"], "self is none of them"
    listed = inspect.signature(Needle().images).parameters
    assert list(listed) == ["collection", "name", "filter", "ids", "sort", "limit"]


def test_images_are_indexed_awaited_listed_and_found(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"first")
    service = FakeService()

    async def use(needle: AsyncNeedle) -> tuple[list[Item], list[Image], str]:
        made = await needle.index([tmp_path / "a.jpg", b"second"], metadata={"k": 1})
        done = await needle.wait(made)
        items = [item async for item in needle.items(done)]
        images = [image async for image in needle.images(limit=1)]
        result = await needle.search(b"query")
        assert result.best and result.best.image_id in service.images
        return items, images, done.status

    (items, images, status), _ = run(service, use)
    assert [item.name for item in items] == [
        f"{tmp_path.name}/a.jpg",
        "image-1",
    ] and status == "succeeded"
    assert [image.filename for image in images] == ["image-1"], "the newest"
    assert fields(service.requests[0])["metadata"] == '{"k": 1}'


def test_a_busy_service_is_asked_again_with_growing_pauses() -> None:
    service = Service(refused(503, "broker_unavailable"), refused(429, "overloaded"), ok(job()))
    done, pauses = run(service, lambda needle: needle.job("j1"))
    assert done.status == "succeeded"
    assert 0.5 <= pauses[0] <= 0.6 and 1 <= pauses[1] <= 1.2


def test_errors_are_the_same() -> None:
    with pytest.raises(NeedleUnreachable, match="No Needle answers"):
        run(Service(httpx.ConnectError("down")), lambda needle: needle.ready())
    with pytest.raises(NeedleApiError, match="not_found"):
        run(Service(refused(404, "not_found")), lambda needle: needle.image("x"))
    with pytest.raises(TypeError, match="one of image"):
        run(Service(), lambda needle: needle.search())


def test_searches_run_side_by_side() -> None:
    service = FakeService()

    async def use(needle: AsyncNeedle) -> list[str]:
        results = await asyncio.gather(*(needle.search(text=f"word {n}") for n in range(5)))
        return [result.job_id for result in results]

    found, _ = run(service, use)
    assert len(set(found)) == 5
