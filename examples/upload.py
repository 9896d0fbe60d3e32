"""Stream recordings to a gateway over gRPC, follow each, and print its scores.

    python examples/upload.py localhost:50050 call.wav ...

Needs grpcio and the stubs that come with Callscope.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc

from callscope.v1 import gateway_pb2 as pb
from callscope.v1.gateway_pb2_grpc import GatewayStub
from callscope.v1.types_pb2 import Outcome

CHUNK = 1 << 20  # bytes; the largest the gateway takes
LARGE = [("grpc.max_receive_message_length", 64 << 20)]  # the record of a long call


def parts(path: Path) -> Iterator[pb.UploadCallRequest]:
    """The header, then the file's bytes."""
    header = pb.UploadHeader(
        options=pb.CallOptions(language="en"),
        metadata={"queue": "billing"},
        external_id=path.stem,  # your own id of the call
        file_name=path.name,
    )
    yield pb.UploadCallRequest(header=header)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield pb.UploadCallRequest(chunk=chunk)


def main(target: str, *names: str) -> int:
    """Send each file; the number of those that failed."""
    key = os.environ.get("CALLSCOPE_KEY")
    who = (("authorization", f"Bearer {key}"),) if key else ()
    failed = 0
    with grpc.insecure_channel(target, LARGE) as channel:
        gateway = GatewayStub(channel)
        for name in names:
            try:
                call = gateway.UploadCall(parts(Path(name)), metadata=who).call
                for update in gateway.WatchCall(pb.WatchCallRequest(id=call.id), metadata=who):
                    call = update.call
            except grpc.RpcError as error:
                print(f"{name}: {error.details()}", file=sys.stderr)
                failed += 1
                continue
            if call.status != pb.CALL_STATUS_DONE:
                print(f"{name}: {call.problem.message}. {call.problem.remedy}", file=sys.stderr)
                failed += 1
                continue
            record = gateway.GetRecord(pb.GetRecordRequest(id=call.id), metadata=who).record
            print(f"{name}: call {call.id}")
            for each in record.behaviors:
                print(f"  {each.behavior:<24} {Outcome.Name(each.outcome)}")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:]), 1))
