"""Train the linear heads that the score service ships.

    python -m training.heads [--models .models] [--out services/score/heads.safetensors]

Logistic regression on the frozen encoder's sentence vectors, hand-made features and word n-grams.
Each example is seen twice, as written and without punctuation and case, so that the heads do not
lean on what recognizers drop; agent sentences without a customer's words before them borrow some
from a customer's example, so that unrelated words before a sentence mean nothing. Five-fold
cross-validation, grouped by example, places each head's decision at its best F1 and sets the slope
of its probabilities (Platt 1999). Deterministic: the same examples give the same bytes.
"""

import argparse
import json
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save

from callscope.acts import AgentAct
from callscope.models import ModelStore
from services.score import features
from services.score.encoder import Encoder
from services.score.features import Context
from services.score.heads import SHIPPED, Speaker
from services.score.sentences import split_text
from training import examples
from training.examples import Example, Examples, bare

ENCODER = "minilm-l6"
FOLDS = 5
SEED = 2024
RARE = 3  # an n-gram in fewer examples is left out
BORROWED = 0.6  # share of examples without a customer's words that borrow some
STRENGTH = 1.0  # inverse of the L2 penalty
# How loudly each kind of feature may speak; found by cross-validated log-likelihood.
EMBEDDING_SCALE, HAND_SCALE, NGRAM_SCALE = 4.0, 1.0, 1.5
PLATEAU = 0.02  # how far below the best F1 a cut is as good
# Acts that cost an agent points are decided for precision.
ACCUSING, CAUTION = frozenset({AgentAct.DISMISSIVE, AgentAct.BLAMING}), 0.5

Array = npt.NDArray[np.float64]
Figures = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What is fitted: `rows` (sentences, features), `labels` (sentences, acts), NaN for unknown.

    `fold` says in which fold each sentence is held out, `dimensions` where the embedding ends.
    """

    acts: tuple[str, ...]
    vocabulary: dict[str, int]
    rows: Array
    labels: Array
    fold: npt.NDArray[np.int64]
    dimensions: int


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A fitted linear map from features to logits."""

    weights: Array
    bias: Array

    def __call__(self, rows: Array) -> Array:
        """Logits, (rows, acts)."""
        return rows @ self.weights + self.bias


def main() -> None:
    """Train, print the cross-validated figures, write the weights."""
    parser = argparse.ArgumentParser(description="Train the heads of the score service.")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--out", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order, however many cores there are
    model = ModelStore(arguments.models).locate(ENCODER)
    arguments.out.write_bytes(train(Encoder(model.folder, "cpu"), model.name, model.digest))


def train(encoder: Encoder, name: str, digest: str) -> bytes:
    """The content of the weights file; `name` and `digest` say which encoder it goes with."""
    tensors: dict[str, npt.NDArray[np.float32] | npt.NDArray[np.uint8]] = {}
    description: dict[str, object] = {
        "encoder": name,
        "encoder_digest": digest,
        "examples_digest": examples.digest(),
    }
    speakers: tuple[Speaker, ...] = ("agent", "customer")
    for speaker in speakers:
        data = prepare(speaker, encoder)
        linear, figures = calibrate(fit(data, data.fold >= 0), cross_validate(data), data)
        tensors[f"{speaker}.weights"] = linear.weights.astype(np.float32)
        tensors[f"{speaker}.bias"] = linear.bias.astype(np.float32)
        description[speaker] = {
            "acts": data.acts,
            "vocabulary": list(data.vocabulary),
            "cross_validation": figures,
        }
        print(f"{speaker}: {data.rows.shape[0]} sentences, {data.rows.shape[1]} features")
        for act, each in figures.items():
            print(f"  {act:26} F1 {each['f1']:.2f}  of {each['examples']:.0f} sentences")
    # Inside a tensor: the order of the format's own metadata is not fixed.
    text = json.dumps(description, sort_keys=True).encode()
    tensors["description"] = np.frombuffer(text, dtype=np.uint8)
    return save(tensors)


def prepare(speaker: Speaker, encoder: Encoder) -> Data:
    """The features and labels of one speaker's examples, each as written and bare."""
    loaded = examples.load(speaker)
    pairs = [pair for each in _with_context(speaker, loaded) for pair in _variants(each)]
    counts = Counter(gram for each in loaded.examples for gram in features.ngrams(each.text))
    grams = sorted(gram for gram, count in counts.items() if count >= RARE)
    vocabulary = {gram: place for place, gram in enumerate(grams)}
    texts = [each.text for each in pairs]
    vectors = encoder.encode(texts, lambda _: None)
    contexts = _contexts(encoder, vectors, [each.customer for each in pairs])
    rows = features.matrix(vectors, texts, contexts, vocabulary).astype(np.float64)
    chance = random.Random(SEED)  # noqa: S311 - nothing secret
    folds = [chance.randrange(FOLDS) for _ in loaded.examples]
    return Data(
        loaded.acts,
        vocabulary,
        rows,
        np.array([each.labels for each in pairs]),
        np.repeat(np.array(folds), 2),
        encoder.dimensions,
    )


def _with_context(speaker: Speaker, loaded: Examples) -> list[Example]:
    if speaker == "customer":
        return list(loaded.examples)
    chance = random.Random(SEED)  # noqa: S311 - nothing secret
    lenders = [each.text for each in examples.load("customer").examples if 1.0 in each.labels]
    return [
        each
        if each.customer or chance.random() > BORROWED
        else Example(each.text, chance.choice(lenders), each.labels)
        for each in loaded.examples
    ]


def _variants(example: Example) -> tuple[Example, Example]:
    return example, Example(bare(example.text), bare(example.customer), example.labels)


def _contexts(encoder: Encoder, vectors: npt.NDArray[np.float32], said: list[str]) -> list[Context]:
    parts = [split_text(text) for text in said]
    flat = encoder.encode([part for each in parts for part in each], lambda _: None)
    ends = np.cumsum([len(each) for each in parts])
    return [
        Context(text, float((flat[end - len(each) : end] @ vector).max())) if each else Context()
        for text, each, end, vector in zip(said, parts, ends, vectors, strict=True)
    ]


def fit(data: Data, chosen: npt.NDArray[np.bool_]) -> Linear:
    """Logistic regression of every act on the chosen rows; unknown labels leave no loss."""
    mean, scale = _scales(data, data.rows[chosen])
    x = torch.from_numpy((data.rows[chosen] - mean) * scale)
    y = torch.from_numpy(data.labels[chosen])
    known = ~torch.isnan(y)
    target = torch.nan_to_num(y)
    share = target.sum(dim=0) / known.sum(dim=0)
    weights = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.logit(share).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weights, bias], max_iter=200, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = x @ weights + bias
        losses = (torch.nn.functional.softplus(logits) - target * logits) * known
        total = STRENGTH * losses.sum() + 0.5 * weights.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    unscaled = weights.detach().numpy() * scale[:, np.newaxis]
    return Linear(unscaled, bias.detach().numpy() - mean @ unscaled)


def _scales(data: Data, rows: Array) -> tuple[Array, Array]:
    """What is taken from each feature, and what it is multiplied by, before the fit."""
    hand = slice(data.dimensions, data.dimensions + features.HAND_FEATURES)
    mean = np.zeros(rows.shape[1])
    mean[hand] = rows[:, hand].mean(axis=0)
    scale = np.full(rows.shape[1], NGRAM_SCALE)
    scale[: data.dimensions] = EMBEDDING_SCALE
    scale[hand] = HAND_SCALE / (rows[:, hand].std(axis=0) + 0.05)
    return mean, scale


def cross_validate(data: Data) -> Array:
    """Each sentence's logits from the fold it was held out of."""
    logits = np.zeros(data.labels.shape)
    for fold in range(FOLDS):
        held = data.fold == fold
        logits[held] = fit(data, ~held)(data.rows[held])
    return logits


def calibrate(linear: Linear, logits: Array, data: Data) -> tuple[Linear, Figures]:
    """Move each head's decision to its best place on held-out logits, and fit its slope there."""
    shifts, slopes, figures = [], [], {}
    for place, act in enumerate(data.acts):
        known = ~np.isnan(data.labels[:, place])
        truth, values = data.labels[known, place] == 1, logits[known, place]
        beta = CAUTION if act in ACCUSING else 1.0
        shift = _cut(truth, values, beta)
        shifts.append(shift)
        slopes.append(_slope(truth, values - shift))
        f1 = round(_f(truth, values >= shift, 1.0), 3)
        figures[act] = {"f1": f1, "examples": float(truth.sum() / 2)}
    bias = (linear.bias - np.array(shifts)) * np.array(slopes)
    return Linear(linear.weights * np.array(slopes), bias), figures


def _cut(truth: npt.NDArray[np.bool_], values: Array, beta: float) -> float:
    """The middle of the cuts that are as good as the best: the very best is an accident."""
    cuts = np.unique(values)
    scores = np.array([_f(truth, values >= cut, beta) for cut in cuts])
    return float(np.median(cuts[scores >= scores.max() - PLATEAU]))


def _f(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_], beta: float) -> float:
    """The F measure; `beta` below 1 weighs precision more."""
    right = (1 + beta**2) * (truth & found).sum()
    return float(right / (beta**2 * truth.sum() + found.sum()))


def _slope(truth: npt.NDArray[np.bool_], values: Array) -> float:
    """The slope through the decision that makes the held-out labels likeliest."""
    grid = np.linspace(0.5, 4, 71)
    signed = np.where(truth, values, -values)
    return float(min(grid, key=lambda slope: np.logaddexp(0, -slope * signed).sum()))


if __name__ == "__main__":
    main()
