"""What the OpenAPI document says besides what the routes themselves do: examples, and errors."""

from collections.abc import Iterator
from typing import Any

from services.gateway.http.problems import ProblemBody
from services.gateway.http.receiving import SCHEMAS

__all__ = ["complete"]

_CALL_ID = "01980a4e-2f7c-7c7d-9d52-0a6f3f0c8b11"
_RESCORING_ID = "01980a4e-9c1d-7d2a-8f10-5b7c9e21aa04"
_CALL = {
    "id": _CALL_ID,
    "status": "running",
    "lane": "live",
    "stage": "transcribe",
    "progress": 0.42,
    "recording": {
        "uri": "s3://callscope/audio/11/" + _CALL_ID,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "duration": 278.4,
        "sample_rate": 8000,
        "channels": 2,
        "codec": "pcm_mulaw",
        "started_at": "2026-01-31T09:30:00+01:00",
        "metadata": {"agent": "a-17", "queue": "billing", "direction": "inbound"},
    },
    "problem": None,
    "created_at": "2026-01-31T08:35:02.118Z",
    "updated_at": "2026-01-31T08:35:03.480Z",
    "external_id": "pbx-20260131-00417",
    "notes": [],
}
_RESCORING = {
    "id": _RESCORING_ID,
    "order": {"rubric": "collections", "source": "transcript"},
    "status": "running",
    "calls": 417,
    "done": 230,
    "failed": 0,
    "failures": [],
    "created_at": "2026-02-01T07:00:00Z",
}
_SCHEMAS: dict[str, Any] = {
    "CallBody": _CALL,
    "PageBody": {"calls": [_CALL], "next_page_token": None},
    "RescoringBody": _RESCORING,
    "Order": {"rubric": "collections"},
    "BulkOrder": {"rubric": "collections", "calls": {"queue": "billing"}},
    "ProblemBody": {
        "type": "urn:callscope:problem:call_not_found",
        "title": "Call not found",
        "status": 404,
        "detail": f"there is no call {_CALL_ID}",
        "code": "call_not_found",
        "remedy": "List the calls with GET /v1/calls.",
        "details": {},
    },
}
"""An example of each, by the name of its schema."""

_PARAMETERS = {
    "call_id": ("The call's id.", _CALL_ID),
    "rescoring_id": ("The order's id.", _RESCORING_ID),
    "arrival_id": ("The arrival's id.", "01980a4e-1b30-7f41-9c5a-31d2f7a9e502"),
    "webhook_id": ("The webhook's id.", "01980a4d-7e12-7a08-b3c4-9d61c0e2f717"),
    "delivery_id": ("The delivery's id.", "01980a4f-05aa-7c93-8d7e-2f40b6a1c35d"),
}
"""What a path's parameter is, and an example."""


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add to the document what no route says: the schema of problems, and examples."""
    schemas = document["components"]["schemas"]
    schemas.setdefault(ProblemBody.__name__, ProblemBody.model_json_schema())
    for name, schema in SCHEMAS.items():
        schemas.setdefault(name, schema)
    for name, example in _SCHEMAS.items():
        if name in schemas:
            schemas[name]["examples"] = [example]
    for parameter in _parameters(document):
        if parameter["name"] in _PARAMETERS:
            description, example = _PARAMETERS[parameter["name"]]
            parameter.setdefault("description", description)
            parameter.setdefault("example", example)
    return document


def _parameters(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        for operation in methods.values():
            yield from operation.get("parameters", ())
