"""Texts from outside, limited to what every part of the gateway can hold and show."""

from typing import Annotated
from urllib.parse import unquote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

__all__ = [
    "PLAIN",
    "ExternalId",
    "Fact",
    "FileName",
    "Name",
    "Note",
    "file_name_in",
    "sound_file_name",
]

# Control characters have no place in names and facts, and PostgreSQL stores no NUL.
PLAIN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PLAIN)]
Fact = Annotated[str, StringConstraints(max_length=1024, pattern=PLAIN)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=PLAIN)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PLAIN)]


_FILE_NAME = TypeAdapter(FileName)


def sound_file_name(name: str | None) -> str | None:
    """The name, if it is one that can be kept; else None, since nobody was asked for it."""
    try:
        return None if name is None else _FILE_NAME.validate_python(name)
    except ValidationError:
        return None


def file_name_in(uri: str) -> str | None:
    """The recording's name with its folders, as the URI has it; S3's keys are literal."""
    scheme, _, rest = uri.partition("://")
    name = rest.partition("/")[2]
    if scheme.lower() == "https":
        name = name.partition("?")[0]  # a signature is nobody else's business
    return sound_file_name(name if scheme.lower() == "s3" else unquote(name))


class Note(BaseModel):
    """Something said about a call that could not be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Name = Field(
        description="Who said it: request, object, sidecar, details, name or recording.",
        examples=["name"],
    )
    fact: Name | None = Field(
        default=None, description="The fact; null where the whole source could not be read."
    )
    reason: Annotated[str, StringConstraints(max_length=300, pattern=PLAIN)] = Field(
        description="Why it could not be read.", examples=["no ISO 8601 time"]
    )
