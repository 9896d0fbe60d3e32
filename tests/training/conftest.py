"""The real models, loaded once."""

from pathlib import Path

import pytest

from callscope.models import ModelStore
from services.score.classifier import ActClassifier


@pytest.fixture(scope="session")
def models(models_dir: Path) -> ModelStore:
    return ModelStore(models_dir)


@pytest.fixture(scope="session")
def classifier(models: ModelStore) -> ActClassifier:
    return ActClassifier(models)
