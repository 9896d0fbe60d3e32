"""Traces of calls, by OpenTelemetry: one trace a call, a span for each attempt at a stage and RPC.

Off unless an endpoint is given; the tracer then does nothing. A call's trace has the call's own
id, so whoever knows a call finds its trace, and what is done after a restart lands in the same one.
Spans carry stages, codes and times, never what was said.
"""

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime

from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode

from callscope.errors import CallscopeError

__all__ = ["exporting", "metadata", "part", "serving", "stage", "trace_id", "whole_call"]

_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED)
_TRACER = trace.get_tracer("callscope")
_root: ContextVar[SpanContext | None] = ContextVar("root", default=None)
"""The span context that the next span must have, for the root of a call's trace."""


@contextlib.contextmanager
def exporting(service: str, endpoint: str | None) -> Iterator[None]:
    """Send this process's spans to `endpoint` (OTLP over gRPC) until the block is left.

    Args:
        service: the name traces show.
        endpoint: `http://host:4317`, or https; None sends nothing.
    """
    if endpoint is None:
        yield
        return
    provider = TracerProvider(
        resource=Resource.create({"service.name": service, "service.namespace": "callscope"}),
        id_generator=_CallIds(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


@contextlib.contextmanager
def stage(name: str, call_id: str, attempt: int) -> Iterator[None]:
    """Around one attempt at a stage of a call, wherever and whenever it is made."""
    above = trace.set_span_in_context(NonRecordingSpan(_root_of(call_id)))
    with (
        _TRACER.start_as_current_span(
            name,
            above,
            attributes={"callscope.call_id": call_id, "callscope.attempt": attempt},
            record_exception=False,  # its text may quote what was sent
            set_status_on_exception=False,
        ) as span,
        _judged(span),
    ):
        yield


def whole_call(call_id: str, outcome: str, began: datetime, ended: datetime) -> None:
    """The span above all stages of a call, once it has come to an end."""
    token = _root.set(_root_of(call_id))
    try:
        span = _TRACER.start_span(
            "call",
            context.Context(),
            attributes={"callscope.call_id": call_id, "callscope.outcome": outcome},
            start_time=_nanoseconds(began),
        )
    finally:
        _root.reset(token)
    span.end(_nanoseconds(ended))


@contextlib.contextmanager
def serving(method: str, sent: Mapping[str, str]) -> Iterator[None]:
    """Around an RPC that arrived with the metadata `sent`; the rest of its task is inside the span.

    Args:
        method: `/package.Service/Method`.
        sent: the metadata, with the caller's span if there is one.
    """
    span = _TRACER.start_span(
        method.lstrip("/"), propagate.extract(sent), SpanKind.SERVER, {"rpc.system": "grpc"}
    )
    # Never detached: a streaming handler may be closed by another task, where that is an error.
    context.attach(trace.set_span_in_context(span))
    try:
        with _judged(span):
            yield
    finally:
        span.end()


@contextlib.contextmanager
def part(name: str) -> Iterator[None]:
    """Around a part of what the current span is about."""
    span = _TRACER.start_span(name)
    try:
        yield
    finally:
        span.end()


def metadata() -> tuple[tuple[str, str], ...]:
    """The current span as gRPC metadata, for the service that is called."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return tuple(carrier.items())


def trace_id() -> str:
    """The current trace's id in hexadecimal; empty outside any."""
    here = trace.get_current_span().get_span_context()
    return trace.format_trace_id(here.trace_id) if here.is_valid else ""


class _CallIds(RandomIdGenerator):
    """Random ids, except for the root of a call's trace."""

    def generate_trace_id(self) -> int:
        root = _root.get()
        return super().generate_trace_id() if root is None else root.trace_id

    def generate_span_id(self) -> int:
        root = _root.get()
        return super().generate_span_id() if root is None else root.span_id


def _root_of(call_id: str) -> SpanContext:
    """A call's id is a UUID, as long as a trace's id; its random half is as long as a span's."""
    number = uuid.UUID(call_id).int
    return SpanContext(number, number & ((1 << 64) - 1), is_remote=True, trace_flags=_SAMPLED)


@contextlib.contextmanager
def _judged(span: Span) -> Iterator[None]:
    """Have the span say how the block ended: by the error's code, never its text."""
    try:
        yield
    except CallscopeError as error:
        span.set_status(Status(StatusCode.ERROR, error.code))
        raise
    except BaseException as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)
