"""Reads what a process wrote to its log before it ended."""

from __future__ import annotations

import json
import re
from pathlib import Path

TAIL_BYTES = 64 * 1024
_SEVERE = re.compile(r"\b(?:ERROR|CRITICAL|FATAL|Fatal error)\b[\]\s:,]*(?P<message>\S.*)$")
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b.*$")


def tail(log: Path, *, since: int = 0, lines: int = 10) -> list[str]:
    """Return the last non-blank lines written after byte `since`, oldest first."""
    try:
        with log.open("rb") as file:
            file.seek(max(since, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]


def reason(log: Path, *, since: int = 0) -> str | None:
    """Return why the process ended, in one line: its last error, else the last line it wrote."""
    written = tail(log, since=since, lines=400)
    for line in reversed(written):
        if line.startswith("{"):
            if (told := _told(line)) is not None:
                return told
            continue
        severe = _SEVERE.search(line)
        if severe:
            return severe["message"]
        if _EXCEPTION.match(line):
            return line
    return written[-1] if written else None


def _told(line: str) -> str | None:
    """Return the message of an error that was logged as JSON (NEEDLE_LOG_FORMAT)."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record["message"] if record.get("level") in ("ERROR", "CRITICAL") else None
