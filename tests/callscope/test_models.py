"""The manifest and the store: every file verified, nothing looked up online."""

import hashlib
import re
import socket
from pathlib import Path

import pytest

from callscope.errors import ModelDamaged, ModelMissing, UnknownModel
from callscope.models import FileState, Manifest, Model, ModelFile, ModelStore, load_manifest

ROOT = Path(__file__).parents[2]
CONTENT = {"config.json": b"{}", "weights.bin": bytes(range(256)) * 16}


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with one small model in it, whole."""
    files = {
        name: ModelFile(len(data), hashlib.sha256(data).hexdigest())
        for name, data in CONTENT.items()
    }
    model = Model("score", "A toy", "MIT", "ours", required=True, files=files)
    store = ModelStore(tmp_path, Manifest({"toy": model}))
    store.folder("toy").mkdir()
    for name, data in CONTENT.items():
        (store.folder("toy") / name).write_bytes(data)
    return store


def test_a_whole_model_is_located_with_the_digest_over_its_files(store: ModelStore) -> None:
    found = store.locate("toy")
    lines = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(CONTENT.items())
    )
    assert found.folder == store.root / "toy"
    assert found.digest == hashlib.sha256(lines.encode()).hexdigest()


def test_a_flipped_bit_is_found_and_the_file_named(store: ModelStore) -> None:
    path = store.folder("toy") / "weights.bin"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelDamaged, match=r"weights\.bin") as caught:
        store.locate("toy")
    assert "config.json" not in caught.value.message
    assert "callscope models pull toy" in caught.value.remedy


def test_a_truncated_file_is_damaged_even_at_a_quick_look(store: ModelStore) -> None:
    path = store.folder("toy") / "weights.bin"
    path.write_bytes(path.read_bytes()[:-1])
    assert store.check("toy", quick=True) == {
        "config.json": FileState.GOOD,
        "weights.bin": FileState.DAMAGED,
    }


def test_a_folder_in_a_files_place_is_damaged(store: ModelStore) -> None:
    path = store.folder("toy") / "config.json"
    path.unlink()
    path.mkdir()
    with pytest.raises(ModelDamaged, match=r"config\.json"):
        store.locate("toy")


def test_a_missing_file_is_named_with_its_folder(store: ModelStore) -> None:
    (store.folder("toy") / "weights.bin").unlink()
    with pytest.raises(ModelMissing, match=r"weights\.bin") as caught:
        store.locate("toy")
    assert str(store.folder("toy")) in caught.value.message
    assert "CALLSCOPE_MODELS_DIR" in caught.value.remedy


def test_a_missing_folder_is_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="whisper-base"):
        ModelStore(tmp_path / "nowhere").locate("whisper-base")


@pytest.mark.parametrize("name", ["whisper-huge", "../toy", "", "toy/weights.bin"])
def test_an_unknown_name_is_refused_with_the_known_ones(store: ModelStore, name: str) -> None:
    with pytest.raises(UnknownModel, match=re.escape(repr(name))) as caught:
        store.locate(name)
    assert "toy" in caught.value.remedy


def test_the_models_that_were_pulled_are_whole_and_need_no_network(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    store = ModelStore(models_dir)
    for name in (*store.manifest.required, "whisper-tiny.en"):
        assert store.locate(name).folder == models_dir / name


def test_every_stage_has_a_required_model_with_a_source_that_needs_no_account() -> None:
    manifest = load_manifest()
    required = [manifest[name] for name in manifest.required]
    assert {model.stage for model in required} == {"transcribe", "diarize", "score"}
    assert all(model.pypi is not None for model in required)


def test_every_model_has_a_source_a_permissive_license_and_its_attribution_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for name, model in load_manifest().models.items():
        assert model.pypi or model.hub, name
        assert model.license in {"MIT", "Apache-2.0"}, name
        assert model.attribution.rpartition(", ")[2] in notice, name
