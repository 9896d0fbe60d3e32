"""The real models, loaded once."""

from pathlib import Path

import pytest

from callscope.models import ModelStore
from services.score.boundaries import Boundaries
from services.score.encoder import Encoder
from services.score.engine import ScoreEngine
from services.score.heads import Heads
from services.score.library import RubricLibrary
from services.score.reading import Reader


@pytest.fixture(scope="session")
def models(models_dir: Path) -> ModelStore:
    return ModelStore(models_dir)


@pytest.fixture(scope="session")
def engine(models: ModelStore) -> ScoreEngine:
    return ScoreEngine(models, RubricLibrary(), "cpu", threads=2)


@pytest.fixture(scope="session")
def encoder(models: ModelStore) -> Encoder:
    return Encoder(models.locate("minilm-l6").folder, "cpu")


@pytest.fixture(scope="session")
def reader(encoder: Encoder) -> Reader:
    return Reader(encoder, Heads.read(), Boundaries(encoder))
