"""How much memory of the GPUs is taken, as NVIDIA's management library (NVML) tells it."""

from collections.abc import Iterator
from pathlib import Path

from callscope.serving.metrics import GPU_MEMORY, Reading

__all__ = ["watch_gpus"]

_DRIVER = Path("/dev/nvidiactl")


def watch_gpus() -> None:
    """Have /metrics show the memory of each GPU; it shows none where NVIDIA's driver is not."""
    if _DRIVER.exists():
        GPU_MEMORY.watch(_memory)


def _memory() -> Iterator[Reading]:
    import pynvml  # of no use without a driver

    try:
        pynvml.nvmlInit()
        for number in range(pynvml.nvmlDeviceGetCount()):
            memory = pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(number))
            for state, size in (("used", memory.used), ("total", memory.total)):
                yield "callscope_gpu_memory_bytes", (str(number), state), size
    except pynvml.NVMLError:
        return  # a container without the library, a GPU that has fallen off the bus
