"""Requests that nobody would write: schemathesis reads the OpenAPI document and makes them up."""

import json
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from tests.gateway.conftest import Up, noise

# The gateway under test runs in this process, and draws its pauses from that module.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")

EXAMPLES = int(os.environ.get("CALLSCOPE_TEST_EXAMPLES", "25"))
"""Requests to each operation; a nightly run sets more."""

_STREAMS = {"events"}  # do not end by themselves


def test_no_made_up_request_is_answered_with_a_fault(up: Up) -> None:
    schema = schemathesis.openapi.from_url(f"{up.http.base_url}/openapi.json")
    asked = set()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)  # or the document is wrong there
        operation = result.ok()
        if operation.definition.raw["operationId"] in _STREAMS:
            continue
        asked.add(operation.label)

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            answer = case.call(base_url=str(up.http.base_url), timeout=20)
            assert answer.status_code < 500, (case.as_curl_command(), answer.text)
            if answer.status_code >= 400:
                assert answer.headers["content-type"][0] == "application/problem+json"
                problem = answer.json()
                assert problem["code"]
                assert problem["remedy"]

        ask()
    assert len(asked) >= 10
    assert up.http.get("/v1/calls").status_code == 200


@pytest.mark.parametrize("place", ["form", "query"])
def test_any_metadata_is_accepted_as_it_is_or_refused(up: Up, place: str) -> None:

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)
    @given(st.dictionaries(st.text(max_size=70), st.text(max_size=40), max_size=4))
    def send(metadata: dict[str, str]) -> None:
        audio, text = noise(0.2), json.dumps(metadata)
        if place == "form":
            answer = up.upload(audio, metadata=text)
        else:
            headers = {"content-type": "audio/wav"}
            answer = up.http.post(
                "/v1/calls", content=audio, params={"metadata": text}, headers=headers
            )
        if answer.status_code == 202:
            assert answer.json()["recording"]["metadata"] == metadata
        else:
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")

    send()
