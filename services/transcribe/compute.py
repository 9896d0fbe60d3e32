"""Where and how finely to compute: what the settings ask for, and what this machine makes of it."""

import os
from dataclasses import dataclass
from typing import Literal

import ctranslate2

from callscope.errors import InvalidSetting

__all__ = ["Compute", "Computing"]

_MOST_WORKERS = 4  # batches at once on a CPU; each holds a few hundred megabytes


@dataclass(frozen=True, slots=True)
class Compute:
    """What the settings ask for; `auto` and 0 leave the choice to the machine."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "auto"
    threads: int = 0
    workers: int = 0
    batch_size: int = 0
    mixed_batches: Literal["auto", "on", "off"] = "auto"
    beam_size: int = 1


@dataclass(frozen=True, slots=True)
class Computing:
    """What is done.

    Attributes:
        device: cpu or cuda.
        compute_type: as CTranslate2 names it.
        workers: batches computed at the same time.
        threads: of each worker, on a CPU.
        batch_size: clips in a batch at most.
        mixed_batches: whether a batch may hold clips of several calls. On a CPU a clip's words do
            not depend on its batch, to the bit; on a GPU nobody has measured that, so there each
            call has batches of its own unless asked otherwise, and calls take turns.
        beam_size: hypotheses followed.
    """

    device: str
    compute_type: str
    workers: int
    threads: int
    batch_size: int
    mixed_batches: bool
    beam_size: int

    @classmethod
    def on_this_machine(cls, wanted: Compute) -> "Computing":
        """Make the choices that were left open.

        Raises:
            InvalidSetting: there is no GPU, or the device lacks the precision.
        """
        device = _device(wanted.device)
        cores = wanted.threads or len(os.sched_getaffinity(0))
        workers = wanted.workers or (min(cores, _MOST_WORKERS) if device == "cpu" else 1)
        return cls(
            device=device,
            compute_type=_precision(wanted.compute_type, device),
            workers=workers,
            threads=max(1, cores // workers),
            batch_size=wanted.batch_size or (8 if device == "cpu" else 24),
            mixed_batches={"on": True, "off": False, "auto": device == "cpu"}[wanted.mixed_batches],
            beam_size=wanted.beam_size,
        )


def _device(wanted: str) -> str:
    gpus = ctranslate2.get_cuda_device_count() if wanted != "cpu" else 0
    if wanted == "cuda" and not gpus:
        raise InvalidSetting(
            "CALLSCOPE_DEVICE is cuda, but CTranslate2 sees no GPU",
            remedy="Install NVIDIA's driver, cuBLAS and cuDNN, or set it to auto.",
        )
    return "cuda" if gpus else "cpu"


def _precision(wanted: str, device: str) -> str:
    if wanted == "auto":
        return "float16" if device == "cuda" else "int8"
    able = ctranslate2.get_supported_compute_types(device)
    if wanted not in able:
        raise InvalidSetting(
            f"CALLSCOPE_TRANSCRIBE_COMPUTE_TYPE is {wanted}, which this {device} cannot compute",
            remedy=f"Set it to auto, or to one of: {', '.join(sorted(able))}.",
        )
    return wanted
