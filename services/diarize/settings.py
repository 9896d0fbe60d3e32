"""Settings of the diarize service."""

from typing import ClassVar, Literal

from pydantic import Field

from callscope.serving.settings import ServiceSettings

__all__ = ["DiarizeSettings"]


class DiarizeSettings(ServiceSettings):
    """What the diarize service adds to the shared settings."""

    service: ClassVar[str] = "diarize"

    port: int = Field(50052, ge=0, le=65535)
    segmentation_step: float = Field(
        2.5,
        ge=0.5,
        le=8,
        description="Seconds between the 10 s windows in which speakers sharing a channel are "
        "told apart; smaller is slower and hardly better.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Of the networks; auto takes bfloat16 on CPUs with AMX, else float32. With "
        "AVX512-BF16 alone it depends on the processor which is faster.",
    )
    min_speakers: int = Field(
        1, ge=1, description="Fewest speakers on a shared channel, where the request says nothing."
    )
    max_speakers: int = Field(
        4, ge=1, description="Most speakers on a shared channel, where the request says nothing."
    )
