"""A real engine with the tiny English model."""

from pathlib import Path

import pytest

from callscope.audio import AudioReader
from callscope.models import ModelStore
from services.transcribe.compute import Compute
from services.transcribe.engine import Engine


@pytest.fixture(scope="session")
def engine(models_dir: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Reads the sample and what tests make."""
    reader = AudioReader(roots=[sample, tmp_path_factory.getbasetemp()])
    return Engine(reader, ModelStore(models_dir), "whisper-tiny.en", Compute("cpu", threads=2))
