"""Train the branch and the heads of acts and cues that the score service ships.

    python -m training.heads [--models .models] [--out services/score/heads.safetensors]

The parts of `training.corpus` that train and calibrate are learned from; the test part is never
looked at. Two things are learned and added up: the encoder's last layers, tuned
(`training.tuning`), and logistic regression on the vectors of the encoder as it was published,
hand-made features and word n-grams. Each item is seen as written and without punctuation and case,
so that nothing leans on what recognizers drop; agent sentences without a customer's words before
them borrow some, so that unrelated words before a sentence mean nothing. Cross-validation, grouped
by the customer's words, places each head's decision at its best F1 and sets the slope of its
probabilities (Platt 1999). The tuned layers that ship are the mean of those of all folds.
Deterministic: the same corpus gives the same bytes on the same machine. Folds that are done are
kept, so that a run can be stopped and goes on.
"""

import argparse
import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save

from callscope.acts import AgentAct, Cue
from callscope.models import ModelStore
from services.score import features
from services.score.branch import changes
from services.score.encoder import Encoder
from services.score.heads import BRANCH, SHIPPED, Customer, Said, Speaker
from services.score.sentences import split_text
from training import corpus, tuning
from training.corpus import Item, Part
from training.examples import bare
from training.tuning import Lines, Network, Places

__all__ = ["SPEAKERS", "customers", "main", "train"]

ENCODER = "minilm-l6"
SPEAKERS: tuple[Speaker, ...] = ("agent", "customer")
KEPT = Path("build/training/acts")
FOLDS = 4
SEED = 2024
RARE = 3  # an n-gram in fewer items is left out
BORROWED = 0.5  # share of agent items without a customer's words that borrow some
STRENGTH = 1.0  # inverse of the L2 penalty
# How loudly each kind of feature may speak; found by cross-validated log-likelihood.
EMBEDDING_SCALE, HAND_SCALE, NGRAM_SCALE = 4.0, 1.0, 1.5
PLAIN = 0.4  # how much the regression's logit counts beside the tuned layers'; found likewise
PLATEAU = 0.02  # how far below the best F1 a cut is as good
# What costs an agent points, or is listened for in every sentence though it hardly ever comes, is
# decided for precision.
CAREFUL, CAUTION = frozenset({AgentAct.DISMISSIVE, AgentAct.BLAMING, *Cue}), 0.5

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Figures = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What is fitted; a row is a sentence.

    `dense` is (sentences, embedding and hand-made features), `sparse` (sentences, n-grams): few
    of them are in a sentence. `lines` are the same sentences as the tuned layers see them. `fold`
    says in which fold each sentence is held out, `dimensions` where the embedding ends.
    """

    acts: tuple[str, ...]
    vocabulary: dict[str, int]
    dense: Array
    sparse: Array
    lines: Lines
    fold: Places
    dimensions: int

    @property
    def labels(self) -> Array:
        """(sentences, acts), NaN for unknown."""
        return self.lines.labels


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A fitted linear map from features to logits."""

    weights: Array
    bias: Array

    def __call__(self, data: Data, chosen: npt.NDArray[np.bool_]) -> Array:
        """Logits of the chosen rows, (rows, acts)."""
        width = data.dense.shape[1]
        logits: Array = data.dense[chosen] @ self.weights[:width] + self.bias
        return logits + data.sparse[chosen] @ self.weights[width:]


def main() -> None:
    """Train, print the cross-validated figures, write the weights."""
    parser = argparse.ArgumentParser(description="Train what the score service finds acts with.")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument(
        "--kept", type=Path, default=KEPT, help="folder for the folds that are done"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order, however many cores there are
    model = ModelStore(arguments.models).locate(ENCODER)
    encoder = Encoder(model.folder, "cpu")
    arguments.out.write_bytes(train(encoder, model.name, model.digest, arguments.kept))


def train(encoder: Encoder, name: str, digest: str, kept: Path) -> bytes:
    """The content of the weights file; `name` and `digest` say which encoder it goes with."""
    data = {speaker: prepare(speaker, encoder) for speaker in SPEAKERS}
    network, held_out = tuned(data, encoder, digest, kept)
    tensors: dict[str, npt.NDArray[np.generic]] = {}
    description: dict[str, object] = {
        "encoder": name,
        "encoder_digest": digest,
        "corpus_digest": corpus.digest(),
    }
    for speaker, each in data.items():
        linear = fit(each, each.fold >= 0)
        logits = held_out[speaker] + PLAIN * cross_validate(each)
        slopes, shifts, figures = calibrate(logits, each)
        weights, bias = _together(linear, network, speaker, each)
        width = len(weights) - len(each.vocabulary)
        tensors[f"{speaker}.weights"] = (weights[:width] * slopes).astype(np.float32)
        tensors[f"{speaker}.grams"] = (weights[width:] * slopes).astype(np.float32)
        tensors[f"{speaker}.bias"] = ((bias - shifts) * slopes).astype(np.float32)
        description[speaker] = {
            "acts": each.acts,
            "vocabulary": list(each.vocabulary),
            "cross_validation": figures,
        }
        _show(speaker, figures)
    before = encoder.branch_from(tuning.FIRST).layers
    tensors |= {BRANCH + key: value for key, value in changes(before, network.layers).items()}
    # Inside a tensor: the order of the format's own metadata is not fixed.
    text = json.dumps(description, sort_keys=True).encode()
    tensors["description"] = np.frombuffer(text, dtype=np.uint8)
    return save(tensors)


def _together(
    linear: Linear, network: Network, speaker: Speaker, data: Data
) -> tuple[Array, Array]:
    """Weights of all dense features and of the n-grams, and the bias, of the sum of both."""
    added, bias = network.linear(speaker)
    plain, hand, grams = np.vsplit(PLAIN * linear.weights, [data.dimensions, data.dense.shape[1]])
    added[-len(hand) :] += hand
    return np.vstack([plain, added, grams]), bias + PLAIN * linear.bias


def _show(speaker: Speaker, figures: Figures) -> None:
    print(speaker)
    for act, each in figures.items():
        print(f"  {act:26} F1 {each['f1']:.2f}  of {each['examples']:.0f} sentences")


def prepare(speaker: Speaker, encoder: Encoder) -> Data:
    """The features and labels of one speaker's items, each as written and bare."""
    columns = corpus.PLACES[speaker]
    items = [
        item
        for item in corpus.load()
        if corpus.part_of(item) is not Part.TEST and item.by_agent == (speaker == "agent")
    ]
    pairs = [pair for item in _with_context(items) for pair in (item, _bare(item))]
    counts = Counter(gram for item in items for gram in features.ngrams(item.text))
    grams = sorted(gram for gram, count in counts.items() if count >= RARE)
    vocabulary = {gram: place for place, gram in enumerate(grams)}
    texts = [pair.text for pair in pairs]
    vectors = encoder.encode(texts, lambda _: None)
    before = customers(encoder, [pair.customer for pair in pairs])
    said = Said.after(texts, vectors, vectors, before)
    rows = features.matrix(vectors, texts, said.contexts, vocabulary).astype(np.float64)
    width = encoder.dimensions + features.HAND_FEATURES
    hand = rows[:, encoder.dimensions : width].astype(np.float32)
    labels = np.array([pair.labels for pair in pairs])[:, columns]
    return Data(
        tuple(corpus.ACTS[place] for place in columns),
        vocabulary,
        rows[:, :width],
        rows[:, width:],
        Lines(texts, said.before, hand, labels),
        np.repeat(np.array([_fold(item) for item in items]), 2),
        encoder.dimensions,
    )


def customers(encoder: Encoder, said: Sequence[str]) -> list[Customer]:
    """What customers said, "" for nothing, with the vectors of its sentences."""
    parts = [split_text(text) for text in said]
    flat = encoder.encode([part for each in parts for part in each], lambda _: None)
    ends = np.cumsum([len(each) for each in parts], dtype=np.int64)
    return [
        (text, flat[end - len(each) : end])
        for text, each, end in zip(said, parts, ends, strict=True)
    ]


def tuned(
    data: Mapping[Speaker, Data], encoder: Encoder, digest: str, kept: Path
) -> tuple[Network, dict[Speaker, Array]]:
    """The mean network of all folds, and each sentence's logits by one that did not see it."""
    lines = {speaker: each.lines for speaker, each in data.items()}
    states = encoder.states([*lines["agent"].texts, *lines["customer"].texts], tuning.FIRST)
    held_out = {speaker: np.zeros(each.labels.shape) for speaker, each in data.items()}
    networks = []
    for fold in range(FOLDS):
        network = Network(encoder.branch_from(tuning.FIRST), lines)
        file = kept / f"{_key(data, digest)}-{fold}.pt"
        if file.exists():
            network.load_state_dict(torch.load(file, weights_only=True))
        else:
            print(f"fold {fold + 1} of {FOLDS}", flush=True)
            learned = {
                speaker: np.flatnonzero(each.fold[::2] != fold) for speaker, each in data.items()
            }
            tuning.tune(network, states, lines, learned, SEED + fold)
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.save(network.state_dict(), file)
        networks.append(network)
        for speaker, each in data.items():
            rows = np.flatnonzero(each.fold == fold)
            held_out[speaker][rows] = tuning.logits(network, states, each.lines, rows, speaker)
    return tuning.average(networks), held_out


def _key(data: Mapping[Speaker, Data], digest: str) -> str:
    """Of all that the folds' networks follow from."""
    sha = hashlib.sha256(json.dumps([digest, FOLDS, SEED, asdict(tuning.RECIPE)]).encode())
    for each in data.values():
        sha.update(json.dumps(each.lines.texts).encode())
        for array in (each.lines.before, each.lines.hand, each.labels, each.fold):
            sha.update(array.tobytes())
    return sha.hexdigest()[:16]


def _with_context(items: Sequence[Item]) -> list[Item]:
    chance = random.Random(SEED)  # noqa: S311 - nothing secret
    lenders = sorted({item.customer for item in items if item.customer})
    return [
        item
        if item.customer or not item.by_agent or chance.random() > BORROWED
        else replace(item, customer=chance.choice(lenders))
        for item in items
    ]


def _bare(item: Item) -> Item:
    return replace(item, text=bare(item.text), customer=bare(item.customer))


def _fold(item: Item) -> int:
    """By the customer's words, so that what answers them is held out together."""
    key = f"fold {item.customer or item.text}".lower()
    return hashlib.sha256(key.encode()).digest()[0] % FOLDS


def fit(data: Data, chosen: npt.NDArray[np.bool_]) -> Linear:
    """Logistic regression of every act on the chosen rows; unknown labels leave no loss."""
    mean, scale = _scales(data, data.dense[chosen])
    x = torch.from_numpy((data.dense[chosen] - mean) * scale)
    grams = torch.from_numpy(data.sparse[chosen] * NGRAM_SCALE).to_sparse()
    y = torch.from_numpy(data.labels[chosen])
    known = ~torch.isnan(y)
    target = torch.nan_to_num(y)
    share = (target.sum(dim=0) / known.sum(dim=0)).clamp(1e-4, 1 - 1e-4)
    bias = torch.logit(share).requires_grad_()
    sizes = [(x.shape[1], y.shape[1]), (grams.shape[1], y.shape[1])]
    weights = [torch.zeros(size, dtype=torch.float64, requires_grad=True) for size in sizes]
    optimizer = torch.optim.LBFGS(
        [*weights, bias], max_iter=200, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = x @ weights[0] + torch.sparse.mm(grams, weights[1]) + bias
        losses = (torch.nn.functional.softplus(logits) - target * logits) * known
        penalty = weights[0].square().sum() + weights[1].square().sum()
        total: torch.Tensor = STRENGTH * losses.sum() + 0.5 * penalty
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    near, far = (each.detach().numpy() for each in weights)
    unscaled = near * scale[:, np.newaxis]
    return Linear(np.vstack([unscaled, far * NGRAM_SCALE]), bias.detach().numpy() - mean @ unscaled)


def _scales(data: Data, rows: Array) -> tuple[Array, Array]:
    """What is taken from each dense feature, and what it is multiplied by, before the fit."""
    hand = rows[:, data.dimensions :]
    mean, scale = np.zeros(rows.shape[1]), np.full(rows.shape[1], EMBEDDING_SCALE)
    mean[data.dimensions :] = hand.mean(axis=0)
    scale[data.dimensions :] = HAND_SCALE / (hand.std(axis=0) + 0.05)
    return mean, scale


def cross_validate(data: Data) -> Array:
    """Each sentence's logits from the fold it was held out of."""
    logits = np.zeros(data.labels.shape)
    for fold in range(FOLDS):
        held = data.fold == fold
        logits[held] = fit(data, ~held)(data, held)
    return logits


def calibrate(logits: Array, data: Data) -> tuple[Array, Array, Figures]:
    """Each head's slope, and its best cut, which is taken off first, on held-out logits."""
    shifts, slopes, figures = [], [], {}
    for place, act in enumerate(data.acts):
        known = ~np.isnan(data.labels[:, place])
        truth, values = data.labels[known, place] == 1, logits[known, place]
        beta = CAUTION if act in CAREFUL else 1.0
        shift = _cut(truth, values, beta)
        shifts.append(shift)
        slopes.append(_slope(truth, values - shift))
        f1 = round(_f(truth, values >= shift, 1.0), 3)
        figures[act] = {"f1": f1, "examples": float(truth.sum() / 2)}
    return np.array(slopes), np.array(shifts), figures


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
    grid = np.linspace(0.2, 4, 77)
    signed = np.where(truth, values, -values)
    return float(min(grid, key=lambda slope: np.logaddexp(0, -slope * signed).sum()))


if __name__ == "__main__":
    main()
