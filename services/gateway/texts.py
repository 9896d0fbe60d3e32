"""Texts from outside, limited to what every part of the gateway can hold and show."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["PLAIN", "ExternalId", "Fact", "Name", "Note"]

# Control characters have no place in names and facts, and PostgreSQL stores no NUL.
PLAIN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PLAIN)]
Fact = Annotated[str, StringConstraints(max_length=1024, pattern=PLAIN)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PLAIN)]


class Note(BaseModel):
    """Something said about a call that could not be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Name = Field(
        description="Who said it: request, object, sidecar, details or name.", examples=["name"]
    )
    fact: Name | None = Field(
        default=None, description="The fact; null where the whole source could not be read."
    )
    reason: Annotated[str, StringConstraints(max_length=300, pattern=PLAIN)] = Field(
        description="Why it could not be read.", examples=["no ISO 8601 time"]
    )
