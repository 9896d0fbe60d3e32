"""What happens around every RPC: the error model, metrics, and one log line."""

from __future__ import annotations  # grpc's classes take no parameters at run time

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import grpc

from callscope.errors import CallscopeError
from callscope.serving import metrics, tracing
from callscope.serving.logs import CALL_ID_METADATA, call_id
from callscope.serving.status import STATUS_METADATA, to_status
from callscope.serving.work import Context

__all__ = ["CallInterceptor"]

_log = logging.getLogger(__name__)
_QUIET = ("/grpc.health.", "/grpc.reflection.")  # probes come every few seconds


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # stubs only
    """Turns Callscope's errors into statuses, counts every RPC, and logs how it ended."""

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]
        ],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Wrap the method's handler, whichever of the four kinds it is."""
        handler = await continuation(details)
        if handler is None or details.method.startswith(_QUIET):
            return handler
        sent = dict(details.invocation_metadata or ())
        call = _Call(details.method, handler, sent)
        make: Callable[..., grpc.RpcMethodHandler[Any, Any]]
        behavior: Callable[..., Any]
        if handler.response_streaming:
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            behavior = call.stream
        else:
            make = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )
            behavior = call.unary
        return make(behavior, handler.request_deserializer, handler.response_serializer)


class _Call:
    """One RPC on its way through the server."""

    def __init__(self, method: str, handler: Any, sent: Mapping[str, Any]) -> None:
        _, service, name = method.split("/")
        sides = ("stream" if s else "unary" for s in _sides(handler))
        self._labels = ("_".join(dict.fromkeys(sides)), service, name)
        self._method = method
        self._sent = sent
        self._behavior = (
            handler.unary_unary
            or handler.unary_stream
            or handler.stream_unary
            or handler.stream_stream
        )

    async def unary(self, request: Any, context: Context) -> Any:
        async with self._around(context):
            return await self._behavior(request, context)

    async def stream(self, request: Any, context: Context) -> AsyncIterator[Any]:
        async with (
            self._around(context),
            contextlib.aclosing(self._behavior(request, context)) as responses,
        ):
            async for response in responses:
                yield response

    @contextlib.asynccontextmanager
    async def _around(self, context: Context) -> AsyncIterator[None]:
        call_id.set(str(self._sent.get(CALL_ID_METADATA, "")))
        metrics.RPC_STARTED.labels(*self._labels).inc()
        began = time.perf_counter()
        code = grpc.StatusCode.OK
        try:
            with tracing.serving(self._method, self._sent):
                yield
        except CallscopeError as error:
            code = error.grpc_status
            said = {"rpc": self._method, "error": error.code}
            if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:  # ours, and nobody's words
                said["reason"] = error.message
            _log.info("refused", extra=said)
            await _abort(context, error)
        except (asyncio.CancelledError, GeneratorExit):
            code = grpc.StatusCode.CANCELLED
            raise
        except grpc.aio.AbortError:
            code = context.code()
            raise
        except Exception:
            code = grpc.StatusCode.INTERNAL
            _log.exception("failed", extra={"rpc": self._method})
            await _abort(context, CallscopeError("internal error"))
        finally:
            seconds = time.perf_counter() - began
            metrics.RPC_HANDLED.labels(*self._labels, _camel(code)).inc()
            metrics.RPC_SECONDS.labels(*self._labels).observe(seconds)
            _log.info(
                "rpc", extra={"rpc": self._method, "code": code.name, "seconds": round(seconds, 3)}
            )


async def _abort(context: Context, error: CallscopeError) -> None:
    status = to_status(error).SerializeToString()
    await context.abort(error.grpc_status, error.message, ((STATUS_METADATA, status),))


def _sides(handler: Any) -> tuple[bool, bool]:
    return handler.request_streaming, handler.response_streaming


def _camel(code: grpc.StatusCode) -> str:
    """`NOT_FOUND` as `NotFound`; `OK` stays: go-grpc-prometheus's spelling."""
    return code.name if code is grpc.StatusCode.OK else code.name.title().replace("_", "")
