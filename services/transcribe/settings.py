"""Settings of the transcribe service."""

from typing import ClassVar, Literal

from pydantic import Field

from callscope.serving.settings import ServiceSettings

__all__ = ["TranscribeSettings"]


class TranscribeSettings(ServiceSettings):
    """What the transcribe service adds to the shared settings."""

    service: ClassVar[str] = "transcribe"

    port: int = Field(50051, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    model: str = Field(
        "whisper-base", description="Model of requests that name none; loaded at the start."
    )
    compute_type: Literal["auto", "int8", "int8_float16", "float16", "float32"] = Field(
        "auto", description="Precision; auto takes int8 on a CPU and float16 on a GPU."
    )
    batch_size: int = Field(
        0,
        ge=0,
        le=64,
        description="Clips decoded together, of all channels; 0 takes 8 on a CPU, 24 on a GPU.",
    )
    workers: int = Field(
        0,
        ge=0,
        le=64,
        description="Batches computed at the same time, which share the threads; 0 takes one for "
        "each thread, four at most, on a CPU, and one on a GPU.",
    )
    mixed_batches: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether a batch may hold clips of several calls; auto: on a CPU, where it "
        "changes no result.",
    )
    max_concurrent: int = Field(
        2, gt=0, description="Calls worked on at the same time; they share the model's batches."
    )
    beam_size: int = Field(
        1, ge=1, le=10, description="Hypotheses followed; more is slower and slightly better."
    )
