"""The memory of GPUs in the metrics. NVML is made up: these tests run where no GPU is."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest
from prometheus_client import REGISTRY

from callscope.serving import gpu
from callscope.serving.metrics import GPU_MEMORY


@pytest.fixture(autouse=True)
def unwatched() -> Iterator[None]:
    yield
    GPU_MEMORY.watch(tuple)


def memory(number: int, state: str) -> float | None:
    labels = {"gpu": str(number), "state": state}
    return REGISTRY.get_sample_value("callscope_gpu_memory_bytes", labels)


def two_gpus(monkeypatch: pytest.MonkeyPatch, driver: Path) -> None:
    monkeypatch.setattr(gpu, "_DRIVER", driver)
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 2)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda number: number)
    monkeypatch.setattr(
        pynvml,
        "nvmlDeviceGetMemoryInfo",
        lambda number: SimpleNamespace(used=10 + number, total=80),
    )


def test_each_gpus_memory_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "driver").touch()
    two_gpus(monkeypatch, tmp_path / "driver")
    gpu.watch_gpus()
    assert [memory(number, "used") for number in (0, 1)] == [10, 11]
    assert memory(1, "total") == 80


def test_nothing_is_shown_without_a_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    two_gpus(monkeypatch, tmp_path / "none")
    gpu.watch_gpus()
    assert memory(0, "used") is None


def test_a_driver_without_its_library_leaves_the_other_metrics(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "driver").touch()
    monkeypatch.setattr(gpu, "_DRIVER", tmp_path / "driver")

    def without() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", without)
    gpu.watch_gpus()
    assert memory(0, "used") is None
    assert "callscope_inflight" in {family.name for family in REGISTRY.collect()}


def test_a_gpu_that_fails_leaves_the_other_metrics(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "driver").touch()
    two_gpus(monkeypatch, tmp_path / "driver")

    def lost(_: int) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lost)
    gpu.watch_gpus()
    assert memory(0, "used") is None
    assert "callscope_inflight" in {family.name for family in REGISTRY.collect()}
