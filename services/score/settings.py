"""Settings of the score service."""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, HttpUrl, SecretStr, model_validator

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
    second_opinion_url: HttpUrl | None = Field(
        None,
        description="Base of a chat endpoint of OpenAI's form (`http://localhost:8000/v1`) that "
        "judges every call too: its words are sent there. Where it disagrees, the call goes to "
        "review. Empty for none: nothing is sent.",
    )
    second_opinion_model: str = Field(
        "", description="The model's name at that endpoint; needed with it."
    )
    second_opinion_key: SecretStr | None = Field(
        None, description="Bearer token for that endpoint, if it wants one."
    )
    second_opinion_seconds: float = Field(
        30.0,
        gt=0,
        le=600,
        description="How long to wait for the endpoint; without an answer the call goes to review.",
    )

    @model_validator(mode="after")
    def _model_is_named(self) -> Self:
        if self.second_opinion_url is not None and not self.second_opinion_model:
            raise ValueError("second_opinion_url needs second_opinion_model")
        return self
