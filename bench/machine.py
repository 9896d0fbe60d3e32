"""The machine and the software that figures were measured with."""

import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["cpu_name", "describe", "load", "peak_memory"]

_CPU_INFO = Path("/proc/cpuinfo")
_STATUS = Path("/proc/self/status")
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")  # what inference asks for


def describe(packages: Iterable[str]) -> dict[str, Any]:
    """Processor, cores that we may use, load by others, and versions."""
    return {
        "cpu": cpu_name(),
        "instructions": [flag for flag in _FLAGS if flag in _cpu_info("flags").split()],
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "load": load(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def load() -> float:
    """Processes that ran or waited in the last minute, ours included."""
    return round(os.getloadavg()[0], 1)


def cpu_name() -> str:
    """The processor, as the system calls it."""
    return _cpu_info("model name") or platform.processor() or "unknown"


def peak_memory() -> float:
    """Most resident memory of this process so far, in MB.

    Linux's VmHWM begins anew with the program; getrusage's peak is inherited from the parent.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def _cpu_info(field: str) -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == field:
                return value.strip()
    return ""
