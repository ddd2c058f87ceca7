"""Downloading an image from a URL: bounded in time, bytes and redirects."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

import httpx

from common.errors import FetchFailed, ImageTooLarge
from common.urls import Target, resolve

MAX_REDIRECTS = 5


@dataclass(frozen=True)
class Fetcher:
    """Downloads from public addresses, and from `allowed_hosts` wherever they are."""

    timeout_s: float
    max_bytes: int
    allowed_hosts: Collection[str] = ()

    def fetch(self, url: str) -> bytes:
        """Return the bytes behind a URL.

        Raises InvalidUrl, ImageTooLarge beyond `max_bytes`, or FetchFailed.
        """
        deadline = time.monotonic() + self.timeout_s
        try:
            with httpx.Client(timeout=self.timeout_s, trust_env=False) as client:
                for _ in range(MAX_REDIRECTS + 1):
                    target = resolve(url, allowed_hosts=self.allowed_hosts)
                    content = self._get(client, target, deadline)
                    if isinstance(content, bytes):
                        return content
                    url = str(httpx.URL(url).join(content))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            reason = str(exc) or type(exc).__name__
            raise FetchFailed(f"The URL could not be downloaded: {reason}") from exc
        raise FetchFailed(f"The URL redirects more than {MAX_REDIRECTS} times.")

    def _get(self, client: httpx.Client, target: Target, deadline: float) -> bytes | str:
        """Return the bytes, or the location that the answer redirects to.

        Connects to the address that was checked; the name goes into Host and TLS alone.
        """
        pinned = httpx.URL(target.url).copy_with(host=target.address)
        request = client.build_request(
            "GET",
            pinned,
            headers={"Host": httpx.URL(target.url).netloc.decode(), "User-Agent": "needle"},
            extensions={"sni_hostname": target.host},
        )
        answer = client.send(request, stream=True)
        try:
            if answer.is_redirect:
                return answer.headers["location"]
            if not answer.is_success:
                raise FetchFailed(f"The URL answered with status {answer.status_code}.")
            return self._read(answer, deadline)
        finally:
            answer.close()

    def _read(self, answer: httpx.Response, deadline: float) -> bytes:
        content = bytearray()
        for part in answer.iter_bytes():
            content += part
            if len(content) > self.max_bytes:
                raise ImageTooLarge(f"The URL holds more than {self.max_bytes:,} bytes.")
            if time.monotonic() > deadline:
                raise FetchFailed(f"The download took longer than {self.timeout_s:g} s.")
        return bytes(content)
