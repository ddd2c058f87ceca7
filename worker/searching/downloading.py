"""What a search names by URL, downloaded before it: by threads that no search waits for."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from common.contract.orders import SearchOrder
from common.disk import Disk, Use
from common.errors import FetchFailed
from common.images import ImageStore, download_key
from common.job_store import JobStore
from worker.fetch import Fetcher

TIMES = 3
"""All downloads of a search together may take so many times as long as one."""


@dataclass(frozen=True)
class Downloader:
    """Downloads beside the query's files, where the search finds it."""

    images: ImageStore
    jobs: JobStore
    fetcher: Fetcher
    disk: Disk

    def download(self, job_id: str, order: SearchOrder) -> None:
        """Download every URL of a search; a job that ends meanwhile ends it.

        Raises InvalidUrl, ImageTooLarge, FetchFailed, or transient errors, DiskFull among them.
        """
        ends = time.monotonic() + TIMES * self.fetcher.timeout_s
        for url in order.urls():
            key = download_key(job_id, url)
            if self.images.exists(key):
                continue
            left_s = ends - time.monotonic()
            if left_s <= 0:
                raise FetchFailed("The downloads of the search took too long together.")
            fetcher = replace(self.fetcher, timeout_s=min(self.fetcher.timeout_s, left_s))
            content = fetcher.fetch(url, wanted=lambda: self.jobs.is_open(job_id))
            self.disk.check(Use.ANSWER, len(content))
            self.images.put(key, content)
