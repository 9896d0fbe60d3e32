"""One setting for GPU and CPU: what `auto` comes to, what can be overridden, what is refused."""

import os

import ctranslate2
import pytest

from callscope.errors import InvalidSetting
from services.transcribe.compute import Compute, Computing

without_gpu = pytest.mark.skipif(
    ctranslate2.get_cuda_device_count() > 0, reason="this machine has a GPU"
)


@without_gpu
def test_auto_takes_the_cpu_its_cores_and_int8() -> None:
    computing = Computing.on_this_machine(Compute())
    assert (computing.device, computing.compute_type) == ("cpu", "int8")
    assert 1 <= computing.workers * computing.threads <= len(os.sched_getaffinity(0))
    assert computing.batch_size == 8
    assert computing.mixed_batches


@pytest.mark.parametrize(
    ("threads", "split"), [(1, (1, 1)), (2, (2, 1)), (4, (4, 1)), (16, (4, 4))]
)
def test_threads_are_shared_by_up_to_four_workers(threads: int, split: tuple[int, int]) -> None:
    computing = Computing.on_this_machine(Compute("cpu", threads=threads))
    assert (computing.workers, computing.threads) == split


def test_every_choice_can_be_overridden() -> None:
    wanted = Compute(
        "cpu", "float32", threads=4, workers=1, batch_size=3, mixed_batches="off", beam_size=5
    )
    assert Computing.on_this_machine(wanted) == Computing("cpu", "float32", 1, 4, 3, False, 5)


@without_gpu
def test_a_gpu_that_is_not_there_is_refused_with_a_remedy() -> None:
    with pytest.raises(InvalidSetting, match="sees no GPU") as refused:
        Computing.on_this_machine(Compute("cuda"))
    assert "auto" in (refused.value.remedy or "")


def test_a_precision_the_device_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(InvalidSetting, match="float8") as refused:
        Computing.on_this_machine(Compute("cpu", "float8"))
    assert "int8" in (refused.value.remedy or "")
