"""What the tests of images, compose and manifests share: files as values, and settings."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from callscope.serving.settings import ServiceSettings
from services.configuration import SETTINGS

__all__ = ["ROOT", "SERVICES", "Document", "compose", "known_variables", "load_settings"]

ROOT = Path(__file__).parents[2]
SERVICES: Mapping[str, type[ServiceSettings]] = {
    kind.service: kind
    for kind in SETTINGS
    if kind.service not in ("models", "client")  # commands, no services
}
Document: TypeAlias = dict[str, Any]

_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+):-([^}]*)\}")


def compose() -> Document:
    """docker-compose.yml as it is when no variable is set."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    loaded: Document = yaml.safe_load(_VARIABLE.sub(lambda found: found[2] or '""', text))
    return loaded


def compose_variables() -> dict[str, str]:
    """The variables that docker-compose.yml reads, with their defaults."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return dict(_VARIABLE.findall(text))


def known_variables(kind: type[ServiceSettings]) -> set[str]:
    """Every environment variable that the service reads."""
    prefixes = ("CALLSCOPE_", f"CALLSCOPE_{kind.service.upper()}_")
    return {f"{prefix}{name.upper()}" for name in kind.model_fields for prefix in prefixes}


def load_settings(
    kind: type[ServiceSettings], variables: Mapping[str, str], patch: pytest.MonkeyPatch
) -> Any:
    """The service's settings where just these variables are set, every one of them meant for it.

    A variable of another service may be there; one that no service knows may not.
    """
    known: set[str] = set().union(*(known_variables(each) for each in SETTINGS))
    ours = {name: value for name, value in variables.items() if name.startswith("CALLSCOPE_")}
    assert set(ours) <= known
    for name, value in ours.items():
        patch.setenv(name, value)
    return kind.load()


def one_of(documents: Sequence[Document], kind: str, name: str) -> Document:
    """The manifest of that kind and name."""
    (found,) = [d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name]
    return found
