"""What this machine remembers of what it sent, so that an interrupted index goes on.

An SQLite file in the user's state folder: digests of files, so that they are not read again; the
jobs whose end was not seen; which image a URL became; and what became of each image, the ledger.
It is a help and no truth: whether an image is indexed is asked of the service. Used by one thread.
No call leaves it locked: other commands of the same user write to it meanwhile.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from needle import ids
from needle.tally import ItemOutcome

KEPT_JOBS = 200
KEEP_EVERY_S = 1.0
BUSY_S = 30
_HELD = f"another command has held it for {BUSY_S} s"
_TABLES = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT);
CREATE TABLE IF NOT EXISTS urls (
    service TEXT, collection TEXT, url TEXT, image_id TEXT,
    PRIMARY KEY (service, collection, url));
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY, service TEXT, collection TEXT, names TEXT, sent_at REAL,
    ended INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS whereabouts (job_id TEXT PRIMARY KEY, names TEXT);
CREATE TABLE IF NOT EXISTS outcomes (
    service TEXT, collection TEXT, name TEXT, image_id TEXT, status TEXT, reason TEXT, at REAL,
    run TEXT, PRIMARY KEY (service, collection, name, image_id)) WITHOUT ROWID;
"""
_ONE = "DELETE FROM outcomes WHERE service = ? AND collection = ? AND name = ? AND"
_FAILED = "status IN ('failed', 'cancelled')"
_FORGET_FAILURE = f"{_ONE} {_FAILED}"
_FORGET = f"{_ONE} (run != ? OR image_id = ? OR {_FAILED})"
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


class JournalFault(OSError):
    """The journal cannot be read or written."""


class Journal:
    """The journal of one collection of one service."""

    def __init__(self, path: Path | None, service: str, collection: str | None) -> None:
        """Open the file, made if need be; without a path nothing outlives this process.

        Raises OSError when it cannot be opened.
        """
        self._path = path
        try:
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _opened(path)
        except sqlite3.Error as exc:
            why = _HELD if _is_busy(exc) else "it may be removed"
            raise OSError(f"The journal {path} cannot be used: {why}.") from exc
        self._scope = (service, collection or ids.DEFAULT_COLLECTION)
        self._run = uuid.uuid4().hex
        self._noted: list[tuple[str, tuple[Any, ...]]] = []
        self._kept = time.monotonic()

    def image_id(self, path: Path) -> str:
        """Return the id that a file's image has; an unchanged file is not read again.

        Raises OSError when it cannot be read, JournalFault when the journal cannot.
        """
        state = path.stat()
        stamp = (state.st_size, state.st_mtime_ns)
        key = _storable(str(path.absolute()))
        with self._plainly():
            row = self._db.execute(
                "SELECT sha256 FROM files WHERE path = ? AND size = ? AND mtime_ns = ?",
                (key, *stamp),
            ).fetchone()
        sha256 = row[0] if row else ids.file_digest(path)
        if not row:
            self._note("REPLACE INTO files VALUES (?, ?, ?, ?)", key, *stamp, sha256)
            self._keep_now_and_then()
        return ids.image_id(sha256, self._scope[1])

    def url_image(self, url: str) -> str | None:
        """Return the image that a URL became, None if it was never indexed from here."""
        with self._plainly():
            row = self._db.execute(
                "SELECT image_id FROM urls WHERE service = ? AND collection = ? AND url = ?",
                (*self._scope, _storable(url)),
            ).fetchone()
        return str(row[0]) if row else None

    def sent(self, job_id: str, keys: Iterable[str], whereabouts: Iterable[str] = ()) -> None:
        """Note a job that the service has taken: image ids or URLs in it, and where they are."""
        row = (job_id, *self._scope, json.dumps(list(keys)), time.time())
        self._note("REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, 0)", *row)
        where = json.dumps(list(whereabouts))
        self._note("REPLACE INTO whereabouts VALUES (?, ?)", job_id, where)
        self.keep()

    def ended(self, job_id: str, images_of_urls: Mapping[str, str]) -> None:
        """Note that a job's end was seen, and which images its URLs became."""
        for url, image_id in images_of_urls.items():
            self._note(
                "REPLACE INTO urls VALUES (?, ?, ?, ?)", *self._scope, _storable(url), image_id
            )
        self._note("UPDATE jobs SET ended = 1, names = '[]' WHERE job_id = ?", job_id)
        self._note("DELETE FROM whereabouts WHERE job_id = ?", job_id)
        self._note(
            "DELETE FROM jobs WHERE ended AND job_id NOT IN "
            "(SELECT job_id FROM jobs ORDER BY sent_at DESC LIMIT ?)",
            KEPT_JOBS,
        )
        self.keep()

    def became(self, outcomes: Iterable[ItemOutcome], job_id: str | None = None) -> None:
        """Note what became of images, in place of what earlier runs have noted.

        Those of a job come in the order in which they were sent, by which they are told apart:
        archives may hold other images of the same names.
        """
        now, every = time.time(), list(outcomes)
        names = self._whereabouts(job_id) if job_id else []
        if len(names) != len(every):  # the service has unpacked one, or an older Needle sent them
            names = [one.name for one in every]
        for one, name in zip(every, map(_storable, names), strict=True):
            image_id, reason = one.image_id or "", _storable(one.reason) if one.reason else None
            self._note(_FORGET, *self._scope, name, self._run, image_id)
            row = (*self._scope, name, image_id, one.status, reason, now, self._run)
            self._note("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row)
        self._keep_now_and_then()

    def _whereabouts(self, job_id: str) -> list[str]:
        found = self._found("SELECT names FROM whereabouts WHERE job_id = ?", job_id)
        return next((json.loads(names) for (names,) in found), [])

    def had(self, name: str, image_id: str) -> None:
        """Note that an image was not sent, since the service has it: by an earlier run, maybe."""
        self._note(_FORGET_FAILURE, *self._scope, _storable(name))
        self._note(_HAD, *self._scope, _storable(name), image_id, time.time(), self._run)
        self._keep_now_and_then()

    def outcomes(self) -> Iterator[dict[str, Any]]:
        """Yield what became of each image of this run, by name; an earlier one had it indexed."""
        self.keep()
        for name, status, image_id, reason, at in self._found(
            "SELECT name, status, image_id, reason, at FROM outcomes "
            "WHERE service = ? AND collection = ? AND run = ? ORDER BY name, image_id",
            *self._scope,
            self._run,
        ):
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
        found = self._found(
            "SELECT job_id, names FROM jobs WHERE service = ? AND collection = ? AND NOT ended "
            "ORDER BY sent_at",
            *self._scope,
        )
        return {str(job_id): json.loads(names) for job_id, names in found}

    def recent_jobs(self, limit: int) -> list[str]:
        """Return the last jobs that were sent to the service from here, newest first."""
        found = self._found(
            "SELECT job_id FROM jobs WHERE service = ? ORDER BY sent_at DESC LIMIT ?",
            self._scope[0],
            limit,
        )
        return [str(row[0]) for row in found]

    def keep(self) -> None:
        """Write what was noted to the file: before a wait, of which nobody knows the end.

        Raises JournalFault, as every call that reads or writes the file; what was noted is lost.
        """
        noted, self._noted = self._noted, []
        self._kept = time.monotonic()
        with self._plainly(), self._db:
            for sql, row in noted:
                self._db.execute(sql, row)

    def close(self) -> None:
        """Keep what was noted and close the file."""
        try:
            self.keep()
        finally:
            self._db.close()

    def _note(self, sql: str, *row: Any) -> None:
        """Have something written in the next transaction: one that were open would lock others."""
        self._noted.append((sql, row))

    def _keep_now_and_then(self) -> None:
        """Keep once a second, since each time waits for the disk."""
        if time.monotonic() - self._kept > KEEP_EVERY_S:
            self.keep()

    def _found(self, sql: str, *row: Any) -> Iterator[tuple[Any, ...]]:
        with self._plainly():
            yield from self._db.execute(sql, row)

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Say in a sentence what SQLite says in its own words."""
        try:
            yield
        except sqlite3.Error as exc:
            why = _HELD if _is_busy(exc) else str(exc)
            raise JournalFault(
                f"The journal {self._path} cannot be used: {why}. What was sent is indexed all "
                "the same; the same command goes on."
            ) from exc


def _is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another connection has the file locked; the code's upper bits say more."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _storable(name: str) -> str:
    """Return a name as text for SQLite, where what is no UTF-8 in it is none."""
    return name.encode("utf-8", "backslashreplace").decode()


def _opened(path: Path | None) -> sqlite3.Connection:
    """Return a connection to the file, or to nothing but memory, with the tables in it."""
    db = sqlite3.connect(path or ":memory:", timeout=BUSY_S)
    try:
        db.executescript(_TABLES)
    except sqlite3.Error:  # a file that is no journal
        db.close()
        raise
    return db
