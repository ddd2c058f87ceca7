"""An image store that is far away: it says how many requests it has had at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.images import FileImageStore

PATIENCE_S = 10.0
"""What has not come by then does not: whoever asks one thing after the other is let go on."""


class FarStore(FileImageStore):
    """A folder that is asked as a bucket is. Nothing is answered before `expected` are waiting."""

    on_disk = False

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.expected = 1
        self.most = self.waiting = 0
        self._change = threading.Condition()

    def open(self, key: str) -> bytes:
        """See ImageStore."""
        with self._request():
            return super().open(key)

    def put(self, key: str, content: bytes) -> None:
        """See ImageStore."""
        with self._request():
            super().put(key, content)

    def sizes(self, folder: str) -> dict[str, int]:
        """See ImageStore."""
        with self._request():
            return super().sizes(folder)

    @contextmanager
    def _request(self) -> Iterator[None]:
        with self._change:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            self._change.notify_all()
            self._change.wait_for(lambda: self.most >= self.expected, PATIENCE_S)
        try:
            yield
        finally:
            with self._change:
                self.waiting -= 1
