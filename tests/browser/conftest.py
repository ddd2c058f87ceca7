"""Chromium, the real service with some drawn photos in it, and pages that are watched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.watch import Watch

CHROMIUM = Path(os.environ.get("NEEDLE_CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SCENES, SIZE = 4, (1200, 800)
PATIENCE_MS = 20_000  # the machine may be busy with something else
DESKTOP: dict[str, Any] = {"viewport": {"width": 1360, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Run the system's Chromium, or skip."""
    api = pytest.importorskip("playwright.sync_api", reason="requirements/browser.txt is needed")
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    api.expect.set_options(timeout=PATIENCE_MS)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def samples(request: pytest.FixtureRequest) -> Path:
    """Return a folder with drawn `photos` and `queries`, kept between runs."""
    from tests.browser import server

    cache = request.config.cache
    return server.draw(cache.mkdir("needle-browser") / f"{SCENES}-{SIZE[0]}", SCENES, SIZE)


@pytest.fixture(scope="session")
def service(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the service with the drawn photos indexed; return its address."""
    from tests.browser import server

    with server.running(tmp_path_factory.mktemp("service")) as base_url:
        photos = sorted((samples / "photos").iterdir())
        server.index(base_url, photos, metadata='{"shop": "Basel", "year": 2024}')
        yield base_url


@pytest.fixture
def opened(chromium: Browser, service: str) -> Iterator[Callable[..., tuple[Page, Watch]]]:
    """Return what opens a watched page; faults that nobody expected fail the test."""
    from tests.browser.watch import Watch

    contexts, watches = [], []

    def open_page(address: str = "/", **options: Any) -> tuple[Page, Watch]:
        context = chromium.new_context(base_url=service, **{**DESKTOP, **options})
        context.set_default_timeout(60_000)
        page = context.new_page()
        contexts.append(context)
        watches.append(Watch(page, service))
        page.goto(address)
        return page, watches[-1]

    yield open_page
    for context in contexts:
        context.close()
    assert [fault for watch in watches for fault in watch.faults()] == []
