"""The gateway over TLS: both its doors, and its way to the services."""

import ssl
from pathlib import Path

import grpc
import httpx
import pytest
import trustme

from callscope.serving.embedded import embedded
from callscope.v1 import gateway_pb2 as pb
from callscope.v1 import gateway_pb2_grpc
from services.gateway.servicer import build
from tests.gateway.conftest import gateway_settings
from tests.gateway.engines import Engines


def test_both_doors_speak_tls_and_ask_for_a_certificate(engines: Engines, tmp_path: Path) -> None:
    authority, ca = trustme.CA(), tmp_path / "ca.pem"
    issued, cert, key = (
        authority.issue_cert("127.0.0.1"),
        tmp_path / "cert.pem",
        tmp_path / "key.pem",
    )
    authority.cert_pem.write_to_path(str(ca))
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    settings = gateway_settings(
        tmp_path / "data", engines, tls_cert=cert, tls_key=key, tls_client_ca=ca
    )
    url = f"https://127.0.0.1:{settings.http_port}/v1/calls"
    known = ssl.create_default_context(cafile=str(ca))
    known.load_cert_chain(cert, key)
    shown = grpc.ssl_channel_credentials(ca.read_bytes(), key.read_bytes(), cert.read_bytes())
    nameless = grpc.ssl_channel_credentials(ca.read_bytes())
    with embedded([(build(settings), settings)]) as (where,):
        assert httpx.get(url, verify=known).status_code == 200
        with pytest.raises(httpx.TransportError):  # TLS 1.3 tells only when something is read
            httpx.get(url, verify=ssl.create_default_context(cafile=str(ca)))
        with pytest.raises(httpx.TransportError):
            httpx.get(url.replace("https", "http"))
        for credentials, code in ((shown, None), (nameless, grpc.StatusCode.UNAVAILABLE)):
            with grpc.secure_channel(where.target, credentials) as channel:
                stub = gateway_pb2_grpc.GatewayStub(channel)
                if code is None:
                    assert not stub.ListCalls(pb.ListCallsRequest()).calls
                    continue
                with pytest.raises(grpc.RpcError) as refused:
                    stub.ListCalls(pb.ListCallsRequest())
                assert refused.value.code() is code
