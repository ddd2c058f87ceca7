"""Logging: one format, and the task and job on every record of a task."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_context: ContextVar[str] = ContextVar("needle_log_context", default="")


class _ContextFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Add the context of the running task to the record."""
        record.context = _context.get()
        return True


def configure(level: str) -> None:
    """Send the log to stderr. Call once, at a process's entry."""
    handler = logging.StreamHandler()
    handler.addFilter(_ContextFilter())
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)-7s %(name)s %(context)s%(message)s")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "PIL", "celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@contextmanager
def log_context(**fields: object) -> Iterator[None]:
    """Put `name=value` of each field before every message logged inside."""
    token = _context.set("".join(f"{name}={value} " for name, value in fields.items()))
    try:
        yield
    finally:
        _context.reset(token)
