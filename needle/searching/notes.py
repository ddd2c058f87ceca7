"""What is known of a run with many queries, in a file beside its results, until it has ended.

`results.csv.part` holds the plan, a line, and then a line for each job that was sent and for each
query that was answered. A run
that was cut off goes on from there; a line that was cut off does not count. With the last answer
the results are written, in the order of the queries, and the file goes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from needle import csv_files
from needle.frames import Row

VERSION = 1
_FORMS = ({"query", "rows"}, {"job", "queries"})


class Notes:
    """The notes of one run. Belongs to one thread."""

    def __init__(self, target: Path, plan: Mapping[str, Any]) -> None:
        """Read what an earlier run of the same plan has left, and go on there. Raises OSError.

        `superseded` tells that there were notes of another plan, which are gone.
        """
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        # As it reads when it was written: a box is a list in JSON.
        head = json.loads(json.dumps({"needle": VERSION, "plan": plan}, default=str))
        before = _read(self.path)
        self._answers: dict[str, list[Row]] = {}
        self._jobs: dict[str, list[str]] = {}
        self.superseded = bool(before) and before[0] != head
        if before and before[0] == head:
            self._answers = {line["query"]: line["rows"] for line in before[1:] if "rows" in line}
            self._jobs = {line["job"]: line["queries"] for line in before[1:] if "job" in line}
        # Written anew, since its last line may have been cut off.
        again: list[dict[str, Any]] = [
            head,
            *({"job": job_id, "queries": keys} for job_id, keys in self._jobs.items()),
            *({"query": key, "rows": rows} for key, rows in self._answers.items()),
        ]
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.write_text("".join(_line(each) for each in again), "utf-8")
        fresh.replace(self.path)
        self._file: IO[str] = self.path.open("a", encoding="utf-8")

    def jobs(self) -> Mapping[str, list[str]]:
        """Return the jobs that were sent, and the keys of the queries in each, in its order."""
        return dict(self._jobs)

    def sent(self, job_id: str, keys: list[str]) -> None:
        """Note a job that the service has taken. Raises OSError."""
        self._jobs[job_id] = keys
        self._file.write(_line({"job": job_id, "queries": keys}))
        self._file.flush()

    def rows(self, key: str) -> list[Row] | None:
        """Return the rows of a query, None where it has not been answered."""
        return self._answers.get(key)

    def answered(self, key: str, rows: list[Row]) -> None:
        """Note the rows of a query. Raises OSError."""
        self._answers[key] = rows
        self._file.write(_line({"query": key, "rows": rows}))
        self._file.flush()

    def finish(self, rows: Iterable[Row], columns: tuple[str, ...]) -> None:
        """Write the results, whole or not at all, and drop the notes. Raises OSError."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        with fresh.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            csv_files.write(file, list(rows), columns)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.target)
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; it stays where there is anything in it to go on from."""
        self._file.close()
        if not self._answers and not self._jobs:
            self.path.unlink(missing_ok=True)


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, default=str) + "\n"


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the lines that are whole; none where there is no file, or another one."""
    try:
        lines = path.read_text("utf-8").splitlines(keepends=True)
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    found: list[dict[str, Any]] = []
    for line in lines:
        try:
            value = json.loads(line) if line.endswith("\n") else None
        except ValueError:
            value = None
        if isinstance(value, dict) and (not found or any(f <= value.keys() for f in _FORMS)):
            found.append(value)
    return found if found and "plan" in found[0] else []
