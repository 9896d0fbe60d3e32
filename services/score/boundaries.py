"""Where sentences end in words that a recognizer wrote down without punctuation.

Acts are learned from sentences. Half a minute of speech read as one sentence blurs what is in it:
a notice, a charge and a farewell are each half heard, and all at the same time. A small network of
convolutions over the encoder's lower layers says after which words a sentence ends; it was trained
by `training/boundaries.py` on calls with punctuation.
"""

import hashlib
import re
from collections.abc import Sequence, Set
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import gelu

from callscope.types import ModelInfo
from services.score.encoder import Encoder
from services.score.weights import unpack

__all__ = ["ENDS", "LAYERS", "SHIPPED", "Boundaries", "Network", "bare_word"]

SHIPPED = Path(__file__).parent / "boundaries.safetensors"
LAYERS = (0, 2, 3)  # the network sees what enters these
WIDTH = 128
REACH = 5  # words that a convolution sees at once
CONVOLUTIONS = 2
DROPOUT = 0.35  # while it is trained
KINDS = 3  # after a word nothing, a comma, or the end of a sentence
ENDS = 2  # the place of the last of these
LINE = 0.25  # probability from which a sentence ends, placed on calls that it did not learn from
FEWEST = 8  # words that may hold more than one sentence
AT_ONCE = 80  # words

_MARKS = re.compile(r"[^\w'&%$£€@+ -]+")


class Network(nn.Module):
    """States of words, (texts, words, states), to logits of what follows each, (..., `KINDS`).

    `mask` (texts, words, 1) is 0 for words that are not there.
    """

    def __init__(self, states: int) -> None:
        super().__init__()
        self.enter = nn.Linear(states, WIDTH)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(CONVOLUTIONS))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(WIDTH, WIDTH, REACH, padding=REACH // 2) for _ in range(CONVOLUTIONS)
        )
        self.dropout = nn.Dropout(DROPOUT)
        self.decide = nn.Linear(WIDTH, KINDS)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Each word sees four words to either side."""
        seen = self.dropout(gelu(self.enter(states))) * mask
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            around = convolution((norm(seen) * mask).transpose(1, 2)).transpose(1, 2)
            seen = (seen + self.dropout(gelu(around))) * mask
        found: torch.Tensor = self.decide(seen)
        return found


class Boundaries:
    """Finds the ends of sentences in bare words.

    Args:
        encoder: the one that the network was trained on.
        path: what `training/boundaries.py` wrote.
    """

    def __init__(self, encoder: Encoder, path: Path = SHIPPED) -> None:
        content = path.read_bytes()
        tensors, described = unpack(content)
        self.encoder_digest = str(described["encoder_digest"])
        self.model = ModelInfo("score", "boundaries", hashlib.sha256(content).hexdigest())
        self._encoder = encoder
        self._network = Network(len(LAYERS) * encoder.dimensions)
        self._network.load_state_dict(
            {name: torch.from_numpy(each).float() for name, each in tensors.items()}
        )
        self._network.eval()

    def ends(self, words: Sequence[str]) -> Set[int]:
        """How many words each sentence ends after, but for the last, whose end is known."""
        found: set[int] = set()
        start = 0
        while len(words) - start >= FEWEST:
            likely = self._likely(words[start : start + AT_ONCE])
            ends = [place for place, each in enumerate(likely[:-1], 1) if each >= LINE]
            rest = start + len(likely) < len(words)
            if rest and not ends:
                ends = [len(likely)]
            found |= {start + end for end in ends}
            if not rest:
                break
            start += ends[-1]  # what comes after the last end goes on
        return found

    @torch.inference_mode()
    def _likely(self, words: Sequence[str]) -> list[float]:
        """The probability that a sentence ends after each of as many words as fit."""
        (states,) = self._encoder.word_states([[*map(bare_word, words)]], LAYERS)
        logits = self._network(states.unsqueeze(0), torch.ones(1, len(states), 1))
        likely: list[float] = logits[0].softmax(dim=1)[:, ENDS].tolist()
        return likely


def bare_word(word: str) -> str:
    """A word as recognizers without punctuation write it; a dash if it is nothing but marks."""
    return _MARKS.sub("", word.lower()).strip("'-") or "-"
