"""The cues that tell roles apart: `cues.yaml`, read and compiled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from callscope.types import Role

__all__ = ["Cue", "cues", "normalize"]


@dataclass(frozen=True, slots=True)
class Cue:
    """A family of wordings: whose it is, and how much a hearing of it says (nats)."""

    name: str
    role: Role
    weight: float
    pattern: re.Pattern[str]

    def heard(self, text: str) -> int:
        """How often the normalized text has one of the wordings."""
        return sum(1 for _ in self.pattern.finditer(text))


@cache
def cues(*roles: Role) -> tuple[Cue, ...]:
    """The cues for these roles, in the order of a call."""
    table = yaml.safe_load(files(__package__).joinpath("cues.yaml").read_text(encoding="utf-8"))
    pieces = {name: re.sub(r"\s+\|", "|", piece) for name, piece in table["pieces"].items()}
    return tuple(_cue(role, entry, pieces) for role in roles for entry in table[role.value])


def normalize(text: str) -> str:
    """Lower-case words parted by single spaces; sentences end in " . ", questions in " ? "."""
    text = text.lower().replace("\u2019", "'")
    text = re.sub(r"\b(mr|mrs|ms|dr|st)\.", r"\1", text)
    text = re.sub(r"(?<=\d)[.,](?=\d)", "", text)
    text = re.sub(r"\?[?!.]*", " ? ", text)
    text = re.sub(r"[.!;:\u2026]+(?=\s|$)", " . ", text)
    text = re.sub(r"[^\w'.?@ ]+", " ", text)
    return " ".join(text.split())


def _cue(role: Role, entry: Mapping[str, Any], pieces: Mapping[str, str]) -> Cue:
    wordings = "|".join(entry["wordings"])
    for name, piece in pieces.items():
        wordings = wordings.replace(f"<{name}>", piece)
    pattern = re.compile(rf"(?<![\w'])(?:{wordings})(?![\w'])")
    return Cue(entry["name"], role, entry["weight"], pattern)
