"""A task is traced as a part of the request that it comes from, wherever it runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack

from celery import Task

from common import tracing

_running = threading.local()
"""Signals come in the thread of their task, one before it and one after."""


def begin(task: Task, payload: Mapping[str, object]) -> None:
    """Trace a task from now on. Its message says by its headers what it belongs to."""
    end()
    named = {name: task.request.get(name) for name in ("traceparent", "tracestate")}
    carrier = {name: str(value) for name, value in named.items() if value}
    job_id = str(payload.get("job_id", ""))
    _running.trace = ExitStack()
    _running.trace.enter_context(tracing.span(task.name, carrier, job_id=job_id))


def end() -> None:
    """The task has ended, if there was any."""
    if trace := getattr(_running, "trace", None):
        trace.close()
        _running.trace = None
