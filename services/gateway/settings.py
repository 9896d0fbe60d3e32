"""The gateway's settings."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr

from callscope.serving.settings import ServiceSettings

__all__ = ["GatewaySettings"]


class GatewaySettings(ServiceSettings):
    """What the gateway adds to the settings every service has."""

    service: ClassVar[str] = "gateway"

    port: int = Field(50050, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    http_host: str = Field(
        "127.0.0.1", description="Address of the REST API; 0.0.0.0 in a container."
    )
    http_port: int = Field(
        8080, ge=0, le=65535, description="Port of the REST API; 0 takes a free one."
    )
    data_dir: Path = Field(
        Path(".callscope"),
        description="Folder of the recordings taken in and, with SQLite, the databases. The "
        "transcribe and diarize services read <data_dir>/blobs.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL, for instance postgresql+psycopg://user:password@host/name; "
        "empty for SQLite in data_dir.",
    )
    bucket: str | None = Field(
        None,
        description="Bucket of the S3 server to keep recordings in; empty keeps them in data_dir. "
        "The transcribe and diarize services must be allowed to read it.",
    )
    executor_id: str = Field(
        "gateway",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Name of this gateway, the same after every restart and unlike any other "
        "gateway's on the same database: what it left unfinished is resumed under this name.",
    )
    transcribe_target: str = Field(
        "localhost:50051", description="host:port of the transcribe service."
    )
    diarize_target: str = Field("localhost:50052", description="host:port of the diarize service.")
    score_target: str = Field("localhost:50053", description="host:port of the score service.")
    transcribe_timeout: float = Field(
        7200, gt=0, description="Seconds one attempt to transcribe a call may take."
    )
    diarize_timeout: float = Field(
        7200, gt=0, description="Seconds one attempt to diarize a call may take."
    )
    score_timeout: float = Field(
        900, gt=0, description="Seconds one attempt to score a call may take."
    )
    stage_attempts: int = Field(
        10, gt=0, description="How often a stage is tried while its service cannot take it."
    )
    retry_seconds: float = Field(
        1, gt=0, description="Pause before the second attempt; it doubles with each further one."
    )
    poll_seconds: float = Field(
        0.2, gt=0, description="Seconds between two looks at the queue of accepted calls."
    )
    max_concurrent: int = Field(4, gt=0, description="Calls analyzed at the same time.")
    rescore_concurrent: int = Field(
        1,
        ge=0,
        description="Calls judged again at the same time, beside those that come in; 0 leaves "
        "that to other gateways.",
    )
    default_rubric: str = Field("general", description="Rubric of calls that name none.")

    def store_root(self) -> Path:
        """The folder of recordings that the transcribe and diarize services must be let into."""
        return self.data_dir.resolve() / "blobs"

    def database_urls(self) -> tuple[str, str]:
        """SQLAlchemy URLs of the gateway's own tables, and of DBOS's.

        Two files with SQLite, which has one writer to a file; one database with PostgreSQL, where
        DBOS keeps to a schema of its own.
        """
        if self.database_url is not None:
            url = self.database_url.get_secret_value()
            return url, url
        folder = self.data_dir.resolve()
        return f"sqlite:///{folder}/callscope.db", f"sqlite:///{folder}/workflows.db"
