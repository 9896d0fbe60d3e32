"""The gateway's settings."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

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
    auth: Literal["auto", "keys", "none"] = Field(
        "auto",
        description="Who is let in: `keys`: who sends a valid API key; `none`: everyone; `auto`: "
        "everyone until the first key is made, and until then on loopback addresses only.",
    )
    rate_limit: float = Field(
        100, ge=0, description="Requests a second that one key may send on average; 0: no limit."
    )
    rate_burst: int = Field(
        200, gt=0, description="Requests that one key may send at once after a pause."
    )
    upload_idle_seconds: float = Field(
        60, gt=0, description="An upload of which no byte arrives for so long is refused."
    )
    shared_sources: bool = Field(
        False,
        description="Whether every key may name any URI in CALLSCOPE_AUDIO_ROOTS and "
        "CALLSCOPE_AUDIO_BUCKETS; else only what lies there in a folder of its tenant's name.",
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
    stages_tls_ca: Path | None = Field(
        None,
        description="PEM file of the authorities that signed the three services' certificates; "
        "empty to speak no TLS with them.",
    )
    stages_tls_cert: Path | None = Field(
        None, description="PEM file of the certificate to show to the three services."
    )
    stages_tls_key: Path | None = Field(None, description="PEM file of that certificate's key.")
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
        22,
        gt=0,
        description="How often a stage is tried while its service cannot take it (22: for about "
        "17 minutes).",
    )
    retry_seconds: float = Field(
        1, gt=0, description="Pause before the second attempt; it doubles with each further one."
    )
    retry_seconds_max: float = Field(60, gt=0, description="Longest pause between two attempts.")
    poll_seconds: float = Field(
        0.2, gt=0, description="Seconds between two looks at the queue of accepted calls."
    )
    max_concurrent: int = Field(4, gt=0, description="Live calls analyzed at the same time.")
    backfill_concurrent: int = Field(
        2, gt=0, description="Calls of the backfill lane analyzed at the same time, beside them."
    )
    takeover_seconds: float = Field(
        30,
        gt=0,
        description="A gateway that has been silent for so long is taken for dead, and another on "
        "the same database goes on with its calls; the same for all of them.",
    )
    rescore_concurrent: int = Field(
        1,
        ge=0,
        description="Calls judged again at the same time, beside those that come in; 0 leaves "
        "that to other gateways.",
    )
    clip_concurrent: int = Field(
        2,
        ge=1,
        description="Clips cut at the same time; eight times as many may wait, others are told to "
        "come back.",
    )
    default_rubric: str = Field(
        "general",
        description="Rubric of calls that name none; one that the score service does not know "
        "keeps them out, with 503.",
    )
    public_url: str = Field(
        "",
        description="Address under which others reach the REST API, for links in events; empty "
        "makes them paths.",
    )
    name_pattern: str | None = Field(
        None,
        description="Regular expression that a whole file name matches, folders included; its "
        "named groups become facts: (.*/)?(?P<agent>[^_]+)_(?P<started_at>[0-9TZ]+)[.]wav. Empty "
        "reads no names.",
    )
    time_format: str | None = Field(
        None,
        description="How file names, sidecars and tables write times that are not ISO 8601, as "
        "Python's strptime has it: %d.%m.%Y-%H.%M.%S.",
    )
    time_zone: str | None = Field(
        None,
        description="Where clocks stood that wrote times without an offset, such as Europe/Berlin; "
        "empty does not read such times.",
    )
    details_dir: Path | None = Field(
        None,
        description="Folder with a table of call details for each tenant, TENANT.csv; read anew "
        "when it changes. Empty for none.",
    )
    details_key: str = Field(
        "file",
        description="Its column with the recordings' paths, names, or names without ending.",
    )
    inbound_bucket: str | None = Field(
        None,
        description="Bucket of the S3 server whose recordings are taken in as they arrive; empty "
        "for none.",
    )
    inbound_prefix: str = Field(
        "", description="What the names of inbound recordings begin with; empty for all."
    )
    inbound_suffixes: Annotated[tuple[str, ...], NoDecode] = Field(
        (
            ".wav",
            ".mp3",
            ".flac",
            ".ogg",
            ".opus",
            ".m4a",
            ".mp4",
            ".aac",
            ".amr",
            ".gsm",
            ".au",
            ".wma",
            ".webm",
            ".vcon",
        ),
        description="What the names of inbound recordings end with, separated by commas; with "
        ".vtt, .srt or .txt transcripts are taken in as well.",
    )
    inbound_sidecar: Literal["if_present", "required"] = Field(
        "if_present",
        description="Whether an inbound recording waits for its sidecar, call.wav.json or "
        "call.json.",
    )
    inbound_tenant: str = Field("default", description="Whose the inbound recordings are.")
    inbound_listen: bool = Field(
        True,
        description="Listen to the inbound bucket over a connection that stays open; MinIO knows "
        "how, Amazon S3 does not.",
    )
    inbound_sweep_seconds: float = Field(
        300, gt=0, description="Seconds between two looks through the whole inbound bucket."
    )
    inbound_token: SecretStr | None = Field(
        None,
        description="What bucket notifications sent to /v1/bucket-events must carry as their "
        "bearer token; empty refuses them all.",
    )
    webhook_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks that are not public and that webhooks may reach all the same, "
        "without TLS too, separated by commas: 10.1.0.0/16.",
    )
    webhook_timeout: float = Field(
        15, gt=0, description="Seconds a webhook's receiver has to answer."
    )
    webhook_attempts: int = Field(
        12, gt=0, description="How often an event is sent to a webhook that does not take it."
    )
    webhook_retry_seconds: float = Field(
        5,
        gt=0,
        description="Pause before the second attempt; each further one is four times as long, and "
        "6 hours at most.",
    )
    audio_days: int | None = Field(
        None,
        gt=0,
        description="Days after which a call's audio is erased, where its tenant has no setting of "
        "its own; empty keeps it.",
    )
    record_days: int | None = Field(
        None,
        gt=0,
        description="Days after which a whole call is erased, where its tenant has no setting of "
        "its own; empty keeps it.",
    )
    retention_sweep_seconds: float = Field(
        3600, gt=0, description="Seconds between two looks for what is to be erased."
    )

    @field_validator("inbound_suffixes", "webhook_networks", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("webhook_networks")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            ip_network(each)
        return value

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, value: str | None) -> str | None:
        try:
            return value if value is None else ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no time zone of that name") from None

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
