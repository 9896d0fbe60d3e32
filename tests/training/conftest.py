"""The real models, loaded once."""

from pathlib import Path

import pytest

from callscope.models import ModelStore
from training.finder import ActFinder


@pytest.fixture(scope="session")
def models(models_dir: Path) -> ModelStore:
    return ModelStore(models_dir)


@pytest.fixture(scope="session")
def finder(models: ModelStore) -> ActFinder:
    return ActFinder.of(models)
