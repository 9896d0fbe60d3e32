"""Settings of the score service."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from callscope.serving.settings import ServiceSettings

__all__ = ["ScoreSettings"]


class ScoreSettings(ServiceSettings):
    """What the score service adds to the shared settings."""

    service: ClassVar[str] = "score"

    port: int = Field(50053, ge=0, le=65535)
    rubrics_dir: Path | None = Field(
        None,
        description="Folder with rubrics of your own (*.yaml), read at the start; one with a "
        "shipped rubric's id replaces it.",
    )
