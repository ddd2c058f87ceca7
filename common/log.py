"""Logging: text or JSON, one line a record, and what it is about on each: job, task, request."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_context: ContextVar[Mapping[str, object]] = ContextVar("needle_log_context", default={})  # noqa: B039 (never changed)
_LONG = frozenset({"task", "task_id", "request_id"})
"""Fields that lines of text leave out: they are for machines."""


class _ContextFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Add the context of the running task or request to the record."""
        record.fields = _context.get()
        return True


class TextFormatter(logging.Formatter):
    """A line for people, with the context as `name=value` before the message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(context)s%(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line."""
        shown = {name: value for name, value in _fields(record).items() if name not in _LONG}
        record.context = "".join(f"{name}={value} " for name, value in shown.items())
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """An object a line: time (RFC 3339, UTC), level, logger, message, process, and the context."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; an exception is a field of it."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{seconds}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": self._process,
            "pid": os.getpid(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(level: str, form: str = "text", *, process: str = "") -> None:
    """Send the log to stderr, warnings included. Call once, at a process's entry.

    `form` is `text` or `json`, `process` the role that its lines say.
    """
    handler = logging.StreamHandler()
    handler.addFilter(_ContextFilter())
    handler.setFormatter(JsonFormatter(process) if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for chatty in ("httpx", "httpcore", "PIL", "celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@contextmanager
def log_context(**fields: object) -> Iterator[None]:
    """Put these fields on every record that is made inside, beside those from outside."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def begin_context(**fields: object) -> None:
    """Put these fields, and no others, on every record of this thread from now on."""
    _context.set(fields)


def add_context(**fields: object) -> None:
    """Put these fields on every record of this thread from now on, beside those that are there."""
    _context.set({**_context.get(), **fields})


def with_context(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function as other threads are to run it: with the fields of this moment.

    And with the span that is traced: all that is known by context goes along.
    """
    here = copy_context()

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return here.copy().run(function, *args, **kwargs)  # a context is for one thread at a time

    return run


def say(message: str, *_: object) -> None:
    """Write a line in the log's form where nobody may wait for its lock: a signal's handler."""
    (handler, *_others) = logging.getLogger().handlers or [logging.StreamHandler()]
    fields = {"name": "needle", "levelno": logging.INFO, "levelname": "INFO", "msg": message}
    os.write(2, f"{handler.format(logging.makeLogRecord(fields))}\n".encode())


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    found: Mapping[str, object] = getattr(record, "fields", {})
    return found
