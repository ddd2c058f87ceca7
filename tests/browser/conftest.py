"""Chromium, the real service with some drawn images in it, and pages that are watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from machine.setup import chromium as chromium_of
from tests.browser import server
from tests.browser.watch import Watch

FLAGS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SCENES, SIZE = 4, (1200, 800)
PATIENCE_MS = 40_000  # the machine may be busy with something else
DESKTOP: dict[str, Any] = {"viewport": {"width": 1360, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


# Of the package, not the session: while Playwright runs, its loop is the thread's running one, and
# the tests of asyncio that come after these could start none.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Run the machine's Chromium; skip where it, or Playwright's driver, cannot be started."""
    lacking = chromium_of.missing()
    if lacking:
        pytest.skip(f"{lacking}: {chromium_of.HINT}")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        try:
            # As root, which CI often is, Chromium starts only without its sandbox.
            browser = playwright.chromium.launch(
                executable_path=str(chromium_of.find()), args=FLAGS, chromium_sandbox=False
            )
        except Error as exc:
            pytest.skip(f"Chromium does not start ({exc.message.splitlines()[0]})")
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def samples(request: pytest.FixtureRequest) -> Path:
    """Return a folder with drawn `images` and `queries`, kept between runs."""
    cache = request.config.cache
    return server.draw(cache.mkdir("needle-browser") / f"{SCENES}-{SIZE[0]}", SCENES, SIZE)


@pytest.fixture(scope="package")
def stack(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Running]:
    """Run the service with the drawn images indexed."""
    folder = tmp_path_factory.mktemp("service")
    with server.running(folder, NEEDLE_PROFILE="fast") as running:  # it is the page that is tested
        images = sorted((samples / "photos").iterdir())
        server.index(running.base_url, images, metadata='{"shop": "Basel", "year": 2024}')
        yield running


@pytest.fixture(scope="package")
def service(stack: server.Running) -> str:
    """Return the address of the service."""
    return stack.base_url


@pytest.fixture
def opened(chromium: Browser, service: str) -> Iterator[Callable[..., tuple[Page, Watch]]]:
    """Return what opens a watched page; faults that nobody expected fail the test."""
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
