"""Weights files: tensors, and what describes them, in the format of safetensors.

The description is a tensor itself, since the order of the format's own metadata is not fixed: the
same content gives the same bytes.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

__all__ = ["Tensors", "pack", "unpack"]

Tensors = dict[str, npt.NDArray[Any]]

DESCRIPTION = "description"


def pack(tensors: Tensors, described: Mapping[str, Any]) -> bytes:
    """The content of a weights file."""
    text = json.dumps(described, sort_keys=True).encode()
    return save({**tensors, DESCRIPTION: np.frombuffer(text, dtype=np.uint8)})


def unpack(content: bytes) -> tuple[Tensors, dict[str, Any]]:
    """The tensors of a weights file, and what describes them.

    Raises:
        SafetensorError, KeyError, ValueError: it is no such file.
    """
    tensors = load(content)
    described: dict[str, Any] = json.loads(bytes(tensors.pop(DESCRIPTION)))
    return tensors, described
