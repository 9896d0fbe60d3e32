"""Models on this machine: a name becomes a folder whose every file was verified."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from callscope.errors import ModelDamaged, ModelMissing
from callscope.models.manifest import Manifest, ModelFile, load_manifest

__all__ = ["FileState", "LocalModel", "ModelStore", "sha256_of"]


class FileState(StrEnum):
    """What a model's file turned out to be."""

    GOOD = "good"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A verified model: `digest` is the SHA-256 over its files' names and digests."""

    name: str
    folder: Path
    digest: str


class ModelStore:
    """The models under `root`, one folder each; it reads local files and nothing else."""

    def __init__(self, root: Path, manifest: Manifest | None = None) -> None:
        self.root = root
        self.manifest = manifest or load_manifest()

    def folder(self, name: str) -> Path:
        """Where the model's files belong, whether or not they are there."""
        return self.root / name

    def locate(self, name: str) -> LocalModel:
        """The model's folder, after reading every file and comparing its SHA-256.

        Raises:
            UnknownModel: the manifest has no such name.
            ModelMissing: a file is not there.
            ModelDamaged: a file is not the manifest's, byte for byte, or cannot be read.
        """
        model = self.manifest[name]
        states = self.check(name)
        folder = self.folder(name)
        pull = f"`callscope models pull {name}`"
        if missing := [file for file, state in states.items() if state is FileState.MISSING]:
            raise ModelMissing(
                f"model {name}: {', '.join(missing)} missing in {folder}",
                remedy=f"Run {pull}, or mount the models and set CALLSCOPE_MODELS_DIR.",
            )
        if damaged := [file for file, state in states.items() if state is FileState.DAMAGED]:
            raise ModelDamaged(
                f"model {name}: {', '.join(damaged)} in {folder} cannot be read "
                "or differs from the manifest's SHA-256",
                remedy=f"Run {pull}: it replaces damaged files.",
            )
        return LocalModel(name, folder, model.digest)

    def check(self, name: str, *, quick: bool = False) -> dict[str, FileState]:
        """Every file's state, in the manifest's order; `quick` compares sizes only.

        Raises:
            UnknownModel: the manifest has no such name.
        """
        folder = self.folder(name)
        return {
            file: _state(folder / file, expected, quick)
            for file, expected in self.manifest[name].files.items()
        }


def sha256_of(path: Path) -> str:
    """The file's SHA-256, hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state(path: Path, expected: ModelFile, quick: bool) -> FileState:
    try:
        good = path.stat().st_size == expected.size
        if good and not quick:
            good = sha256_of(path) == expected.sha256
    except (FileNotFoundError, NotADirectoryError):
        return FileState.MISSING
    except OSError:
        return FileState.DAMAGED
    return FileState.GOOD if good else FileState.DAMAGED
