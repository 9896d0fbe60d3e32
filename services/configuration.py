"""Every setting as a page: `python -m services.configuration > docs/configuration.md`.

A test compares the committed page with this one, so that no setting goes undescribed.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from callscope.serving.settings import ServiceSettings
from services.diarize.settings import DiarizeSettings
from services.gateway.settings import GatewaySettings
from services.gateway_client import ClientSettings
from services.models_cli import ModelsSettings
from services.score.settings import ScoreSettings
from services.transcribe.settings import TranscribeSettings

__all__ = ["SETTINGS", "page"]

SETTINGS: Sequence[type[ServiceSettings]] = (
    TranscribeSettings,
    DiarizeSettings,
    ScoreSettings,
    GatewaySettings,
    ModelsSettings,
    ClientSettings,
)

_HEAD = """\
# Configuration

Every setting is an environment variable, read once when a process starts.
`CALLSCOPE_<NAME>` sets all services, `CALLSCOPE_<SERVICE>_<NAME>` one of them, and the second
wins: `CALLSCOPE_THREADS=4 CALLSCOPE_DIARIZE_THREADS=2`. Lists are separated by commas.
An empty variable is as if it were not set. A value that cannot be used ends the process with its
name and the reason. A `CALLSCOPE_<SERVICE>_...` that looks like a misspelled
setting is logged as "no such setting".

This page is written by `python -m services.configuration`.
"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## All services"
    yield ""
    yield from _table("CALLSCOPE_", ServiceSettings.model_fields)
    for kind in SETTINGS:
        own = {name: info for name, info in kind.model_fields.items() if _is_own(name, info)}
        yield f"## {kind.service}"
        yield ""
        yield from _table(f"CALLSCOPE_{kind.service.upper()}_", own)


def _is_own(name: str, info: FieldInfo) -> bool:
    """Whether a service adds the field, or changes the shared one's default."""
    shared = ServiceSettings.model_fields.get(name)
    return shared is None or shared.default != info.default


def _table(prefix: str, fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield "| variable | default | what it does |"
    yield "|---|---|---|"
    for name, info in fields.items():
        yield f"| `{prefix}{name.upper()}` | {_default(info)} | {_description(name, info)} |"
    yield ""


def _description(name: str, info: FieldInfo) -> str:
    shared = ServiceSettings.model_fields.get(name)
    text = info.description or (shared.description if shared else None)
    if text is None:
        raise ValueError(f"the setting {name} has no description")
    if get_origin(info.annotation) is Literal:
        text += " One of " + ", ".join(f"`{choice}`" for choice in get_args(info.annotation)) + "."
    return text.replace("|", "\\|")


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ((), ""):
        return ""
    if isinstance(value, SecretStr):
        return "(set)"
    if isinstance(value, tuple):
        return f"`{','.join(str(each) for each in value)}`"
    if isinstance(value, Enum | Path):
        return f"`{value.value if isinstance(value, Enum) else value}`"
    return f"`{value}`"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - its purpose
