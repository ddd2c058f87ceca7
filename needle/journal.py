"""What this machine remembers of what it sent, so that an interrupted index goes on.

An SQLite file in the user's state folder: digests of files, so that they are not read again; the
jobs whose end was not seen; which image a URL became; and what became of each image, the ledger.
It is a help and no truth: whether an image is indexed is asked of the service. Used by one thread.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from needle import ids
from needle.tally import ItemOutcome

KEPT_JOBS = 200
COMMIT_EVERY_S = 1.0
_TABLES = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT);
CREATE TABLE IF NOT EXISTS urls (
    service TEXT, collection TEXT, url TEXT, image_id TEXT,
    PRIMARY KEY (service, collection, url));
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY, service TEXT, collection TEXT, names TEXT, sent_at REAL,
    ended INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS outcomes (
    service TEXT, collection TEXT, name TEXT, image_id TEXT, status TEXT, reason TEXT, at REAL,
    run TEXT, PRIMARY KEY (service, collection, name, image_id)) WITHOUT ROWID;
"""
_FORGET = """
DELETE FROM outcomes WHERE service = ? AND collection = ? AND name = ?
    AND (run != ? OR image_id = '' OR image_id = ?)
"""
_HAD = """
INSERT INTO outcomes VALUES (?, ?, ?, ?, 'unchanged', NULL, ?, ?)
ON CONFLICT DO UPDATE SET
    run = excluded.run, reason = NULL,
    at = CASE WHEN status = 'indexed' THEN at ELSE excluded.at END,
    status = CASE WHEN status = 'indexed' THEN status ELSE excluded.status END
"""


def state_file(env: Mapping[str, str] = os.environ) -> Path:
    """Return where the journal is kept: under XDG_STATE_HOME, else ~/.local/state."""
    home = env.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home, "needle", "client.sqlite")


class Journal:
    """The journal of one collection of one service."""

    def __init__(self, path: Path | None, service: str, collection: str | None) -> None:
        """Open the file, made if need be; without a path nothing outlives this process.

        Raises OSError when it cannot be opened.
        """
        try:
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _opened(path)
        except sqlite3.Error as exc:
            raise OSError(f"The journal {path} cannot be used; it may be removed.") from exc
        self._scope = (service, collection or ids.DEFAULT_COLLECTION)
        self._committed = time.monotonic()
        self._run = uuid.uuid4().hex

    def image_id(self, path: Path) -> str:
        """Return the id that a file's image has; an unchanged file is not read again.

        Raises OSError when it cannot be read.
        """
        state = path.stat()
        stamp = (state.st_size, state.st_mtime_ns)
        key = _storable(str(path.absolute()))
        row = self._db.execute(
            "SELECT sha256 FROM files WHERE path = ? AND size = ? AND mtime_ns = ?", (key, *stamp)
        ).fetchone()
        sha256 = row[0] if row else ids.file_digest(path)
        if not row:
            self._db.execute("REPLACE INTO files VALUES (?, ?, ?, ?)", (key, *stamp, sha256))
            self._commit_now_and_then()
        return ids.image_id(sha256, self._scope[1])

    def url_image(self, url: str) -> str | None:
        """Return the image that a URL became, None if it was never indexed from here."""
        row = self._db.execute(
            "SELECT image_id FROM urls WHERE service = ? AND collection = ? AND url = ?",
            (*self._scope, url),
        ).fetchone()
        return str(row[0]) if row else None

    def sent(self, job_id: str, names: Iterable[str]) -> None:
        """Note a job that the service has taken, by the image ids or the URLs in it."""
        row = (job_id, *self._scope, json.dumps(list(names)), time.time())
        self._db.execute("REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, 0)", row)
        self._db.commit()

    def ended(self, job_id: str, images_of_urls: Mapping[str, str]) -> None:
        """Note that a job's end was seen, and which images its URLs became."""
        rows = [(*self._scope, url, image_id) for url, image_id in images_of_urls.items()]
        self._db.executemany("REPLACE INTO urls VALUES (?, ?, ?, ?)", rows)
        self._db.execute("UPDATE jobs SET ended = 1, names = '[]' WHERE job_id = ?", (job_id,))
        self._db.execute(
            "DELETE FROM jobs WHERE ended AND job_id NOT IN "
            "(SELECT job_id FROM jobs ORDER BY sent_at DESC LIMIT ?)",
            (KEPT_JOBS,),
        )
        self._db.commit()

    def became(self, outcomes: Iterable[ItemOutcome]) -> None:
        """Note what became of images, in place of what earlier runs have noted."""
        now = time.time()
        for one in outcomes:
            name, image_id = _storable(one.name), one.image_id or ""
            self._db.execute(_FORGET, (*self._scope, name, self._run, image_id))
            row = (*self._scope, name, image_id, one.status, one.reason, now, self._run)
            self._db.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        self._commit_now_and_then()

    def had(self, name: str, image_id: str) -> None:
        """Note that an image was not sent, since the service has it: by an earlier run, maybe."""
        row = (*self._scope, _storable(name), image_id, time.time(), self._run)
        self._db.execute(_HAD, row)
        self._commit_now_and_then()

    def outcomes(self) -> Iterator[dict[str, Any]]:
        """Yield what became of each image of this run, by name; an earlier one had it indexed."""
        found = self._db.execute(
            "SELECT name, status, image_id, reason, at FROM outcomes "
            "WHERE service = ? AND collection = ? AND run = ? ORDER BY name, image_id",
            (*self._scope, self._run),
        )
        for name, status, image_id, reason, at in found:
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
            yield {
                "name": name,
                "status": status,
                "image_id": image_id or None,
                "reason": reason,
                "at": when,
            }

    def open_jobs(self) -> dict[str, list[str]]:
        """Return the jobs whose end was not seen, oldest first, with the names noted for each."""
        found = self._db.execute(
            "SELECT job_id, names FROM jobs WHERE service = ? AND collection = ? AND NOT ended "
            "ORDER BY sent_at",
            self._scope,
        )
        return {str(job_id): json.loads(names) for job_id, names in found}

    def recent_jobs(self, limit: int) -> list[str]:
        """Return the last jobs that were sent to the service from here, newest first."""
        found = self._db.execute(
            "SELECT job_id FROM jobs WHERE service = ? ORDER BY sent_at DESC LIMIT ?",
            (self._scope[0], limit),
        )
        return [str(row[0]) for row in found]

    def _commit_now_and_then(self) -> None:
        """Commit once a second: others may want to write, and each commit waits for the disk."""
        if time.monotonic() - self._committed > COMMIT_EVERY_S:
            self._db.commit()
            self._committed = time.monotonic()

    def close(self) -> None:
        """Keep what was noted and close the file."""
        self._db.commit()
        self._db.close()


def _storable(name: str) -> str:
    """Return a name as text for SQLite, where what is no UTF-8 in it is none."""
    return name.encode("utf-8", "backslashreplace").decode()


def _opened(path: Path | None) -> sqlite3.Connection:
    """Return a connection to the file, or to nothing but memory, with the tables in it."""
    db = sqlite3.connect(path or ":memory:", timeout=30)
    try:
        db.executescript(_TABLES)
    except sqlite3.Error:  # a file that is no journal
        db.close()
        raise
    return db
