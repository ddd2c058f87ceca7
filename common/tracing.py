"""Traces by OpenTelemetry, from a request to the points that it becomes, as an option.

What it needs is an extra list (`requirements/opentelemetry.txt`). Without NEEDLE_TRACES_ENDPOINT
nothing of it is imported, and every function here does nothing.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from common.errors import InvalidSettings

if TYPE_CHECKING:
    from common.settings import Settings

_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
INSTALL = ".venv/bin/pip install --no-deps --require-hashes -r requirements/opentelemetry.txt"
EXPORT_TIMEOUT_S = 2
"""How long a collector may take, tries included: a process that ends waits for it."""
_tracer: Any = None


def check(settings: Settings) -> None:
    """Raise InvalidSettings where traces are asked for and their packages are not installed."""
    if settings.traces_endpoint is not None and not all(map(_is_there, _NEEDED)):
        raise InvalidSettings(
            "NEEDLE_TRACES_ENDPOINT needs packages that are not installed here: "
            f"`{INSTALL}`, or leave it out."
        )


def begin(settings: Settings, process: str) -> None:
    """Trace from now on what this process does, if that is asked for. Call once, after any fork."""
    global _tracer
    check(settings)
    if settings.traces_endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"needle-{process}"}))
    url = f"{settings.traces_endpoint.rstrip('/')}/v1/traces"
    exporter = OTLPSpanExporter(url, timeout=EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("needle")


@contextmanager
def span(
    name: str, carrier: Mapping[str, str] | None = None, **attributes: str | int
) -> Iterator[None]:
    """Trace what is done inside. With a `carrier` it belongs to what that was `carried` from."""
    if _tracer is None:
        yield
        return
    context = None if carrier is None else _propagator().extract(carrier)
    with _tracer.start_as_current_span(name, context=context, attributes=attributes):
        yield


def past(name: str, seconds: float) -> None:
    """Trace what was done in the last so many seconds."""
    if _tracer is not None:
        now = time.time_ns()
        _tracer.start_span(name, start_time=now - int(seconds * 1e9)).end(now)


def note(**attributes: str | int) -> None:
    """Add to what is traced at this moment."""
    if _tracer is not None:
        from opentelemetry import trace

        trace.get_current_span().set_attributes(attributes)


def carried() -> dict[str, str]:
    """Return headers by which another process goes on with what is traced here, if anything is."""
    headers: dict[str, str] = {}
    if _tracer is not None:
        _propagator().inject(headers)
    return headers


def _propagator() -> Any:
    """W3C's Trace Context: the header `traceparent`."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator()


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
