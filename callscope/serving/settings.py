"""Settings that every service has, read once from the environment and handed down.

`CALLSCOPE_<SERVICE>_<FIELD>` sets one service, `CALLSCOPE_<FIELD>` all of them; the first wins.
`docs/configuration.md` is generated from the fields below.
"""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from callscope.errors import InvalidSetting

__all__ = ["ServiceSettings"]

_ALIKE = 0.8  # from here on a name may be another, misspelled
_Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+(:\d{1,5})?$")]


class ServiceSettings(BaseSettings):
    """The settings all services share; each service adds its own."""

    service: ClassVar[str]
    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: int = Field(0, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    metrics_port: int = Field(
        9464, ge=0, le=65535, description="Port of /metrics, /healthz and /readyz."
    )
    tls_cert: Path | None = Field(
        None,
        description="PEM file of the certificate to show, and of those between it and its "
        "authority; empty for no TLS.",
    )
    tls_key: Path | None = Field(None, description="PEM file of that certificate's key.")
    tls_client_ca: Path | None = Field(
        None,
        description="PEM file of authorities: clients have to show a certificate of one of them "
        "(mutual TLS).",
    )
    models_dir: Path = Field(
        Path(".models"), description="Folder with the models that `callscope models pull` fetched."
    )
    audio_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Folders that file:// URIs may point into, separated by commas."
    )
    audio_buckets: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Buckets that s3:// URIs may point into, separated by commas."
    )
    audio_hosts: Annotated[tuple[_Host, ...], NoDecode] = Field(
        (),
        description="Hosts, with or without a port, that https:// links may point to, separated by "
        "commas; those who send links can read all that these give without a sign-in.",
    )
    s3_endpoint: str | None = Field(
        None, description="host:port of the MinIO or S3 server; empty for none."
    )
    s3_access_key: SecretStr | None = Field(None, description="Access key for the S3 server.")
    s3_secret_key: SecretStr | None = Field(None, description="Secret key for the S3 server.")
    s3_secure: bool = Field(True, description="Speak TLS to the S3 server.")
    max_audio_bytes: int = Field(
        2 << 30, gt=0, description="Largest recording taken, in bytes (2 GiB)."
    )
    max_audio_seconds: float = Field(
        4 * 3600, gt=0, description="Longest recording taken, in seconds (4 hours)."
    )
    max_sample_rate: int = Field(
        48_000, gt=0, description="Highest sample rate taken, in hertz; the lowest is 4000."
    )
    extra_channels: Literal["refuse", "downmix"] = Field(
        "refuse", description="What to do with more than two channels."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where models run; auto takes a GPU if there is one."
    )
    threads: int = Field(
        0, ge=0, description="CPU threads for the models; 0 takes the cores this process may use."
    )
    max_concurrent: int = Field(1, gt=0, description="Requests computed at the same time.")
    max_queue: int = Field(
        16, ge=0, description="Requests that may wait; beyond, RESOURCE_EXHAUSTED."
    )
    drain_seconds: float = Field(
        30, ge=0, description="How long SIGTERM lets running requests finish."
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+$",
        description="Where traces are sent, OTLP over gRPC, such as http://collector:4317; empty "
        "sends none.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log line written."
    )

    @field_validator("audio_roots", "audio_buckets", "audio_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by the two below
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no hidden files
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the service's own variables, then the shared ones."""
        own, shared = (
            # In compose files and ConfigMaps, a variable left empty is one that is not set.
            EnvSettingsSource(settings_cls, env_prefix=prefix, env_ignore_empty=True)
            for prefix in (f"CALLSCOPE_{cls.service.upper()}_", "CALLSCOPE_")
        )
        return init_settings, own, shared

    @classmethod
    def load(cls, **values: Any) -> Self:
        """Read the environment; `values` win over it.

        Raises:
            InvalidSetting: naming each variable that cannot be read, and why.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            problems = "; ".join(
                f"{cls._variable(each['loc'])}: {each['msg']}" for each in error.errors()
            )
            raise InvalidSetting(f"settings of {cls.service}: {problems}") from None

    @classmethod
    def misspelled(cls) -> dict[str, str]:
        """Variables of the service that set nothing, and which one each may have been meant for."""
        prefix = f"CALLSCOPE_{cls.service.upper()}_"
        known = [name.upper() for name in cls.model_fields]
        given = {name for name, value in os.environ.items() if value and name.startswith(prefix)}
        unknown = sorted({name.removeprefix(prefix) for name in given} - {*known})
        near = {name: get_close_matches(name, known, 1, _ALIKE) for name in unknown}
        return {f"{prefix}{name}": f"{prefix}{meant[0]}" for name, meant in near.items() if meant}

    @classmethod
    def _variable(cls, location: Sequence[int | str]) -> str:
        """The variable that a problem comes from: the service's own where that is set."""
        name = "_".join(str(part) for part in location).upper()
        own = f"CALLSCOPE_{cls.service.upper()}_{name}"
        return own if os.environ.get(own) else f"CALLSCOPE_{name}"
