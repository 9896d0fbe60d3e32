"""Train what finds the ends of sentences in bare words, `services.score.boundaries`.

    python -m training.boundaries [--models .models] [--out services/score/boundaries.safetensors]

It learns from the calls of `training/corpus` whose sentences end with a mark: each turn without its
marks, and, since turns on paper are shorter than on the telephone, a party's sentences once more in
random runs. One call in ten is held out, to measure. About a quarter of an hour on one core; the
same corpus gives the same bytes on the same machine.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from callscope.models import ModelStore
from services.score.boundaries import ENDS, LAYERS, LINE, SHIPPED, Network, bare_word
from services.score.encoder import Encoder
from services.score.sentences import ENDED, split_text
from services.score.weights import pack
from training import corpus, metrics

__all__ = ["Bared", "bared", "main", "train", "turns"]

ENCODER = "minilm-l6"
SEED = 2024
HELD_OUT = 10  # one call of so many is not learned from
RUNS = (2, 3, 4, 6, 8, 10)  # sentences
LONGEST = 90  # words of a text; what is longer is cut
EPOCHS = 5
BATCH = 1024  # words
RATE = 3e-3  # at its peak
DECAY = 0.02

_COMMA = re.compile(r"[,;:\N{EM DASH}-]$")
_BETWEEN = re.compile(r"\s+|-(?=[A-Za-z])")


@dataclass(frozen=True, slots=True)
class Bared:
    """Words without marks, and what followed each: nothing, a comma, or a sentence's end."""

    words: tuple[str, ...]
    kinds: tuple[int, ...]
    held_out: bool


def main() -> None:
    """Train, print the figures of the calls held out, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--out", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order, however many cores there are
    model = ModelStore(arguments.models).locate(ENCODER)
    texts = [*turns(corpus.load())]
    content, figures = train(Encoder(model.folder, "cpu"), model.digest, texts)
    print(json.dumps(figures))
    arguments.out.write_bytes(content)


def turns(items: Sequence[corpus.Item]) -> Iterator[Bared]:
    """What a party says in one go in each call, and the same in other runs of sentences."""
    chance = np.random.default_rng(SEED)
    called = [each for each in items if each.call]
    for call, lines in groupby(called, lambda each: each.call):
        held_out = hashlib.sha256(call.encode()).digest()[0] % HELD_OUT == 0
        said: dict[bool, list[str]] = {False: [], True: []}
        for by_agent, turn in groupby(lines, lambda each: each.by_agent):
            sentences = [s for line in turn for s in split_text(line.text)]
            if all(map(ENDED.search, sentences)):
                yield from bared(sentences, held_out)
                said[by_agent] += sentences
        for sentences in () if held_out else said.values():
            start = 0
            while start < len(sentences):
                end = start + int(chance.choice(RUNS))
                yield from bared(sentences[start:end], held_out)
                start = end


def bared(sentences: Sequence[str], held_out: bool = False) -> Iterator[Bared]:
    """The sentences without their marks, in texts that are not too long."""
    words: list[str] = []
    kinds: list[int] = []
    for sentence in sentences:
        told = [each for each in _BETWEEN.split(sentence) if any(map(str.isalnum, each))]
        words += map(bare_word, told)
        kinds += [int(_COMMA.search(each) is not None) for each in told]
        if told:
            kinds[-1] = ENDS
    for start in range(0, len(words), LONGEST):
        part = slice(start, start + LONGEST)
        if len(words[part]) > 1:
            yield Bared(tuple(words[part]), tuple(kinds[part]), held_out)


def train(
    encoder: Encoder, digest: str, texts: Sequence[Bared], epochs: int = EPOCHS
) -> tuple[bytes, dict[str, float]]:
    """The content of the weights file, and how well it does on what is held out.

    `digest` is the encoder's.
    """
    learned, held_out = ([t for t in texts if t.held_out is out] for out in (False, True))
    torch.manual_seed(SEED)
    network = Network(len(LAYERS) * encoder.dimensions)
    _fit(network, [*_batches(encoder, learned)], epochs)
    described = {"encoder_digest": digest, "corpus_digest": corpus.digest()}
    tensors = {name: each.half().numpy() for name, each in network.state_dict().items()}
    return pack(tensors, described), _figures(network, [*_batches(encoder, held_out)])


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Texts of about the same length: `states` (texts, words, states), `kinds` (texts, words).

    `mask` is (texts, words, 1); `known` (texts, words) leaves out last words as well, after which
    a text ends in any case.
    """

    states: torch.Tensor
    kinds: torch.Tensor
    mask: torch.Tensor
    known: torch.Tensor


def _batches(encoder: Encoder, texts: Sequence[Bared]) -> Iterator[_Batch]:
    """From the shortest to the longest."""
    together: list[Bared] = []
    for text in sorted(texts, key=lambda each: len(each.words)):
        if len(text.words) * (len(together) + 1) > BATCH:
            yield _together(encoder, together)
            together = []
        together.append(text)
    if together:
        yield _together(encoder, together)


def _together(encoder: Encoder, texts: Sequence[Bared]) -> _Batch:
    states = encoder.word_states([text.words for text in texts], LAYERS)
    longest = max(map(len, states))
    kinds = torch.zeros(len(texts), longest, dtype=torch.long)
    mask = torch.zeros(len(texts), longest)
    known = torch.zeros(len(texts), longest, dtype=torch.bool)
    wide = torch.zeros(len(texts), longest, states[0].shape[1], dtype=torch.float16)
    for row, (text, each) in enumerate(zip(texts, states, strict=True)):
        size = len(each)  # less than the words where those make too many tokens
        kinds[row, :size] = torch.tensor(text.kinds[:size])
        wide[row, :size] = each.half()
        mask[row, :size] = 1
        known[row, : size - 1] = True
    return _Batch(wide, kinds, mask.unsqueeze(2), known)


def _fit(network: Network, batches: Sequence[_Batch], epochs: int) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=DECAY)
    steps = epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    chance = np.random.default_rng(SEED)
    for epoch in range(epochs):
        total = 0.0
        for place in chance.permutation(len(batches)):
            batch = batches[place]
            logits = network(batch.states.float(), batch.mask)[batch.known]
            loss = cross_entropy(logits, batch.kinds[batch.known])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {epochs}: loss {total / len(batches):.3f}", flush=True)
    network.eval()


@torch.inference_mode()
def _figures(network: Network, batches: Sequence[_Batch]) -> dict[str, float]:
    """Of the ends that are found: how many are ends, and how many are marks of any kind."""
    found, true = [], []
    for batch in batches:
        likely = network(batch.states.float(), batch.mask).softmax(dim=2)[..., ENDS]
        found.append(likely[batch.known] >= LINE)
        true.append(batch.kinds[batch.known])
    ends, kinds = torch.cat(found), torch.cat(true)
    figures = metrics.f1(kinds == ENDS, ends)
    figures["precision_of_any_mark"] = metrics.f1(kinds > 0, ends)["precision"]
    return {"places": len(kinds)} | {name: round(each, 3) for name, each in figures.items()}


if __name__ == "__main__":
    main()
