"""Callscope's errors on the wire: to a gRPC status with details, and back.

The details are google.rpc.ErrorInfo (reason = the error's code, domain = "callscope") and, where
a retry may help, google.rpc.RetryInfo: what https://google.aip.dev/193 asks for.
"""

from collections.abc import Mapping
from typing import cast

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from callscope.errors import (
    CallscopeError,
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    Overloaded,
    Unavailable,
    error_classes,
)

__all__ = ["STATUS_METADATA", "from_rpc_error", "to_status"]

STATUS_METADATA = "grpc-status-details-bin"
_DOMAIN = "callscope"
_REMEDY = "remedy"
_BY_CODE: Mapping[str, type[CallscopeError]] = {kind.code: kind for kind in error_classes()}
_BY_STATUS: Mapping[grpc.StatusCode, type[CallscopeError]] = {
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
}


def to_status(error: CallscopeError) -> Status:
    """The rich status that carries `error`."""
    status = Status(code=error.grpc_status.value[0], message=error.message)
    info = ErrorInfo(
        reason=error.code, domain=_DOMAIN, metadata={**error.details, _REMEDY: error.remedy}
    )
    status.details.add().Pack(info)
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(int(error.retry_after * 1000))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status


def from_rpc_error(error: grpc.RpcError, peer: str) -> CallscopeError:
    """The error that a failed call to `peer` stands for: the sender's own where it is ours."""
    status = rpc_status.from_call(cast("grpc.Call", error))
    if status is not None:
        info, retry = ErrorInfo(), RetryInfo()
        for detail in status.details:
            detail.Unpack(info)
            detail.Unpack(retry)
        kind = _BY_CODE.get(info.reason) if info.domain == _DOMAIN else None
        if kind is not None:
            details = dict(info.metadata)
            remedy = details.pop(_REMEDY, None)
            delay = retry.retry_delay.ToMilliseconds() / 1000 or None
            return kind(status.message, remedy=remedy, details=details, retry_after=delay)
    call = cast("grpc.Call", error)
    code = call.code()
    return _BY_STATUS.get(code, CallscopeError)(f"{peer}: {code.name}: {call.details()}")
