"""Spans for OpenTelemetry, when somebody configured it; without, `span` costs a look at a name.

Nothing is ever sent unless an OTEL_* variable says where to, and the extra `otel` is installed.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

log = logging.getLogger(__name__)

_tracer: Any = None


def start(wanted: bool) -> bool:
    """Begin to make spans, once a process; False when that is not wanted or cannot be.

    Where to send them, their name and how many is read by the SDK from the OTEL_* variables.
    """
    global _tracer  # noqa: PLW0603  # one process, one tracer: so it is in every program
    if not wanted or _tracer is not None:
        return _tracer is not None
    try:
        _tracer = _make()
    except ImportError as error:
        log.warning("no traces: %s is not installed; pip install 'drift-monitor[otel]'", error.name)
    return _tracer is not None


def are_on() -> bool:
    """Whether this process makes spans."""
    return _tracer is not None


def span(name: str, **attributes: str | int | float) -> Any:
    """A context in which the work is one span; an error that leaves it is noted."""
    if _tracer is None:
        return nullcontext()
    return _tracer.start_as_current_span(f"monitor.{name}", attributes=attributes)


def note(span: Any, **attributes: str | int | float) -> None:
    """Say more of a span that is under way."""
    if span is not None:
        span.set_attributes(attributes)


@contextmanager
def request_span(method: str, headers: Mapping[str, str]) -> Iterator[Any]:
    """A request of somebody else: part of their trace, if they say so. The span, or None."""
    if _tracer is None:
        yield None
        return
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    begun = _tracer.start_as_current_span(
        f"{method}", context=extract(headers), kind=SpanKind.SERVER
    )
    with begun as current:
        yield current


def flush(timeout_s: float) -> None:
    """Send what is waiting."""
    if _tracer is not None:
        from opentelemetry import trace

        trace.get_tracer_provider().force_flush(int(timeout_s * 1000))


def _make() -> Any:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    ours = Resource.create({"service.name": "drift-monitor", "service.version": _version()})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return trace.get_tracer("drift-monitor", _version())


def _version() -> str:
    from importlib.metadata import version

    return version("drift-monitor")
