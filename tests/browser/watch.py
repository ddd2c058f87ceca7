"""What a page must not do: write errors, throw, or ask another host."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request


class Watch:
    """Takes down the faults of a page."""

    def __init__(self, page: Page, base_url: str) -> None:
        self._host = urlsplit(base_url).netloc
        self._allowed: list[str] = []
        self._faults: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._faults.append(f"exception: {error}"))
        page.on("request", self._request)

    def allow(self, pattern: str) -> None:
        """Expect faults that match, from here on."""
        self._allowed.append(pattern)

    def faults(self) -> list[str]:
        """Return the faults that no one expected."""
        return [f for f in self._faults if not any(re.search(p, f) for p in self._allowed)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._faults.append(f"console: {message.text} {message.location.get('url', '')}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != self._host:
            self._faults.append(f"asked another host: {request.url}")
