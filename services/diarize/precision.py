"""How precisely to compute: 32 bits, or 16 where the hardware is made for it and it costs nothing.

Halving the precision of the recurrent layers changes what one frame in 500 is taken for, and turns
an embedding by one degree; both are far below what a turn depends on.
"""

from typing import Literal

import torch

__all__ = ["Precision", "find_precision"]

Precision = Literal["auto", "float32", "bfloat16"]


def find_precision(wanted: Precision, device: torch.device) -> torch.dtype:
    """What `auto` means here: bfloat16 on processors with AMX, else float32."""
    if wanted == "auto":
        fast = device.type == "cpu" and _multiplies_bfloat16()
        wanted = "bfloat16" if fast else "float32"
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def _multiplies_bfloat16() -> bool:
    """Whether the processor has AMX.

    AVX512-BF16 alone is not enough: on a Xeon that has no AMX, or hides it, diarization took half
    as long again in bfloat16.
    """
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))
