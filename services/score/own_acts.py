"""Acts that a rubric's author teaches by sentences: a linear head each, on the frozen encoder.

Logistic regression on the sentence's vector, hand-made features and the word n-grams that several
of the sentences share; every sentence is seen as written and bare, as recognizers drop punctuation.
Each sentence in turn is left out and judged by a head that never saw it, and these judgements set
the slope of the probabilities (Platt, "Probabilistic outputs for support vector machines", 1999,
whose smoothed targets keep few examples from sounding sure). What resembles none of the sentences
is not the act, however the head extrapolates. No chance is involved: the same sentences give the
same head.
"""

import hashlib
import json
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError

from callscope.errors import InvalidRubric
from callscope.rubric import OwnAct
from callscope.tokens import tokens
from callscope.types import ModelInfo, Role
from services.score import features
from services.score.encoder import Encoder
from services.score.reading import DECIMALS, FOUND, Reading
from services.score.weights import Tensors, pack, unpack

__all__ = [
    "PROVEN",
    "OwnActs",
    "OwnHead",
    "Trial",
    "calibrated",
    "find",
    "key",
    "learn",
    "nearness",
    "sigmoid",
    "vocabulary",
]

PROVEN = 30
"""Sentences for an act from which it is no longer on trial; fewer leave its precision open."""

KEPT = 128  # learned heads that no file has, of two megabytes at most

SUFFIX = ".heads.safetensors"  # of the file that `callscope rubric learn` writes
RECIPE = 1  # raised when the same sentences would give another head
FOLDS = 40  # at most; up to so many sentences each is left out alone
SHARED = 2  # sentences in which an n-gram must be, to be looked at
EMBEDDING_SCALE, HAND_SCALE, NGRAM_SCALE = 4.0, 1.0, 1.5
PENALTY = 1.0  # on the squares of weights
ITERATIONS = 100
FAR, NEAR = 0.25, 0.45  # cosine with the nearest sentence: no chance below, full chance above

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trial:
    """How the left-out sentences were judged: shares, None where nothing was found."""

    positives: int
    negatives: int
    precision: float | None
    recall: float


@dataclass(frozen=True, slots=True, eq=False)
class OwnHead:
    """A learned act. `known` are the vectors of the sentences that are the act, one a row."""

    act: str
    digest: str
    vocabulary: Mapping[str, int]
    weights: Array
    bias: float
    known: Floats
    trial: Trial

    @property
    def model(self) -> ModelInfo:
        """How records name it: by the sentences it was learned from, and on which encoder."""
        return ModelInfo("score", f"own-act {self.act}", self.digest)

    @property
    def on_trial(self) -> bool:
        """Whether it has seen too little to be trusted without a look."""
        return self.trial.positives < PROVEN

    def probabilities(self, vectors: Floats, texts: Sequence[str]) -> Array:
        """(sentences,), each the probability that the act is in the sentence."""
        logits = _rows(vectors, texts, self.vocabulary) @ self.weights + self.bias
        return sigmoid(logits) * nearness((vectors @ self.known.T).max(axis=1))


@dataclass(slots=True)
class _Learned:
    """A head that is learned once, by whoever comes first; others who want it wait."""

    head: OwnHead | None = None
    lock: Lock = field(default_factory=Lock)


class OwnActs:
    """The heads of rubrics' own acts, read from a folder, or learned at first use.

    Of those learned the latest are kept. Learning one keeps nobody waiting for another.
    """

    def __init__(self, encoder: Encoder, encoder_digest: str, folder: Path | None = None) -> None:
        self._encoder = encoder
        self._encoder_digest = encoder_digest
        self._stored = {head.digest: head for head in _stored(folder)}
        self._learned: OrderedDict[str, _Learned] = OrderedDict()
        self._lock = Lock()

    def of(self, acts: Sequence[OwnAct]) -> tuple[OwnHead, ...]:
        """The head of each act, in their order."""
        return tuple(self._one(act) for act in acts)

    def store(self, acts: Sequence[OwnAct], file: Path) -> Path:
        """Write the acts' heads beside the YAML `file` that describes them."""
        path = file.with_name(file.stem + SUFFIX)
        path.write_bytes(_saved(self.of(acts)))
        return path

    def _one(self, act: OwnAct) -> OwnHead:
        digest = key(act, self._encoder_digest)
        if digest in self._stored:
            return self._stored[digest]
        learned = self._place(digest)
        with learned.lock:
            if learned.head is None:
                learned.head = learn(act, self._encoder, digest)
            return learned.head

    def _place(self, digest: str) -> _Learned:
        """Where that head is kept, learned or not."""
        with self._lock:
            learned = self._learned.setdefault(digest, _Learned())
            self._learned.move_to_end(digest)
            while len(self._learned) > KEPT:
                self._learned.popitem(last=False)
        return learned


def key(act: OwnAct, encoder_digest: str) -> str:
    """SHA-256 of all that decides the head: the sentences, the encoder, the recipe."""
    content = [RECIPE, encoder_digest, act.id, sorted(act.positive), sorted(act.negative)]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def find(reading: Reading, heads: Sequence[OwnHead]) -> Reading:
    """The reading with the probability of each own act in the agent's sentences."""
    rows = [
        row
        for row, each in enumerate(reading.findings)
        if each.sentence.role is Role.AGENT and not each.sentence.backchannel
    ]
    if not heads or not rows:
        return reading
    texts = [reading.findings[row].sentence.text for row in rows]
    findings = list(reading.findings)
    for head in heads:
        found = head.probabilities(reading.vectors[rows], texts)
        for row, probability in zip(rows, found, strict=True):
            more = {head.act: round(float(probability), DECIMALS)}
            known = findings[row].probabilities
            findings[row] = replace(findings[row], probabilities={**known, **more})
    return replace(reading, findings=tuple(findings))


# --------------------------------------------------------------------------------------- learning


def learn(act: OwnAct, encoder: Encoder, digest: str) -> OwnHead:
    """Fit the head of one act."""
    sentences = [*sorted(act.positive), *sorted(act.negative)]
    labels = np.repeat([1.0, 0.0], [len(act.positive), len(act.negative)])
    texts = [text for each in sentences for text in (each, " ".join(tokens(each)))]
    groups = np.repeat(np.arange(len(sentences)), 2)
    vectors = encoder.encode(texts, lambda _: None)
    grams = vocabulary(sentences)
    rows, targets = _rows(vectors, texts, grams), np.repeat(labels, 2)
    solution = _fit(rows, targets)
    weights, bias = solution[:-1], float(solution[-1])
    held_out = _held_out(rows, targets, groups, solution)
    slope, offset = calibrated(held_out, targets)
    is_act = targets == 1
    others = groups[:, np.newaxis] != groups[np.newaxis, is_act]
    nearest = np.where(others, vectors @ vectors[is_act].T, -1.0).max(axis=1)
    judged = sigmoid(slope * held_out + offset) * nearness(nearest)
    return OwnHead(
        act.id,
        digest,
        grams,
        slope * weights,
        slope * bias + offset,
        vectors[is_act],
        _trial(judged[::2] >= FOUND, labels == 1),
    )


def vocabulary(sentences: Sequence[str]) -> dict[str, int]:
    """The word n-grams that several of the sentences share, and their places."""
    counts = Counter(gram for each in sentences for gram in features.ngrams(each))
    grams = sorted(gram for gram, count in counts.items() if count >= SHARED)
    return {gram: place for place, gram in enumerate(grams)}


def _rows(vectors: Floats, texts: Sequence[str], vocabulary: Mapping[str, int]) -> Array:
    """(texts, features), each kind of feature as loud as it may speak."""
    contexts = [features.NO_CONTEXT] * len(texts)
    rows = features.matrix(vectors, texts, contexts, vocabulary).astype(np.float64)
    dimensions = vectors.shape[1]
    rows[:, :dimensions] *= EMBEDDING_SCALE
    rows[:, dimensions : rows.shape[1] - len(vocabulary)] *= HAND_SCALE
    rows[:, rows.shape[1] - len(vocabulary) :] *= NGRAM_SCALE
    return rows


def _held_out(rows: Array, targets: Array, groups: npt.NDArray[np.int64], solution: Array) -> Array:
    """The logit of each text by a head that saw neither form of its sentence.

    These heads are near the `solution` for all texts: they are looked for from there, by its
    curvature. In the plane of the rows, with no more columns than texts, logits are the same.
    """
    plane, turned = np.linalg.qr(rows.T)
    start = np.append(plane.T @ solution[:-1], solution[-1])
    near = start, _by_curvature(turned.T, targets, start)
    logits = np.zeros(len(targets))
    folds = groups % min(FOLDS, int(groups[-1]) + 1)
    for fold in np.unique(folds):
        out = folds == fold
        found = _fit(turned.T[~out], targets[~out], near)
        logits[out] = turned.T[out] @ found[:-1] + found[-1]
    return logits


def _by_curvature(rows: Array, targets: Array, solution: Array) -> Array:
    """Steps from the solution, a column each, along which the loss curves alike."""
    x = np.column_stack([rows, np.ones(len(rows))])
    chances = sigmoid(x @ solution)
    curvature = (x.T * (_balance(targets) * chances * (1 - chances))) @ x
    curvature[:-1, :-1] += PENALTY * np.eye(rows.shape[1])
    steps: Array = np.linalg.inv(np.linalg.cholesky(curvature)).T
    return steps


def _fit(rows: Array, targets: Array, near: tuple[Array, Array] | None = None) -> Array:
    """Weights and bias of logistic regression, both classes weighing the same."""
    return _minimize(rows, targets, _balance(targets), PENALTY, near)


def _balance(targets: Array) -> Array:
    """How much each text weighs."""
    share = float(targets.mean())
    return np.where(targets == 1, 0.5 / share, 0.5 / (1 - share))


def calibrated(logits: Array, targets: Array) -> tuple[float, float]:
    """Platt's slope and offset, with his smoothed targets; a slope below 0 tells nothing apart."""
    positives, negatives = float((targets == 1).sum() / 2), float((targets == 0).sum() / 2)
    smoothed = np.where(targets == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    solution = _minimize(logits[:, np.newaxis], smoothed, np.ones(len(targets)), penalty=1e-3)
    return max(0.0, float(solution[0])), float(solution[1])


def _minimize(
    rows: Array,
    targets: Array,
    weigh: Array,
    penalty: float,
    near: tuple[Array, Array] | None = None,
) -> Array:
    """The weights and, last, the bias that minimize the penalized logistic loss.

    `near` is where to look first, and the steps from there, a column each.
    """
    x, y, w = (torch.from_numpy(np.ascontiguousarray(each)) for each in (rows, targets, weigh))
    steps = torch.zeros(rows.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([steps], max_iter=ITERATIONS, line_search_fn="strong_wolfe")
    start, basis = map(torch.from_numpy, near) if near is not None else (None, None)

    def solution() -> torch.Tensor:
        return steps if start is None or basis is None else start + basis @ steps

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = solution()
        logits = x @ found[:-1] + found[-1]
        losses = w * (torch.nn.functional.softplus(logits) - y * logits)
        total = losses.sum() + 0.5 * penalty * found[:-1].square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    found: Array = solution().detach().numpy()
    return found


def _trial(found: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> Trial:
    right = int((found & true).sum())
    return Trial(
        positives=int(true.sum()),
        negatives=int((~true).sum()),
        precision=round(right / int(found.sum()), DECIMALS) if found.any() else None,
        recall=round(right / int(true.sum()), DECIMALS),
    )


def nearness(cosines: npt.NDArray[np.floating]) -> Array:
    """How far a judgement may count, by the cosine with the nearest sentence learned from."""
    near: Array = np.clip((cosines.astype(np.float64) - FAR) / (NEAR - FAR), 0.0, 1.0)
    return near


def sigmoid(logits: Array) -> Array:
    """The probabilities of logits."""
    odds: Array = 1 / (1 + np.exp(-logits))
    return odds


# ---------------------------------------------------------------------------------------- storing


def _saved(heads: Sequence[OwnHead]) -> bytes:
    tensors: Tensors = {}
    described = {}
    for head in heads:
        tensors[f"{head.act}.weights"] = head.weights
        tensors[f"{head.act}.known"] = head.known
        described[head.act] = {
            "digest": head.digest,
            "bias": head.bias,
            "vocabulary": list(head.vocabulary),
            "trial": {name: getattr(head.trial, name) for name in Trial.__dataclass_fields__},
        }
    return pack(tensors, described)


def _stored(folder: Path | None) -> list[OwnHead]:
    paths = sorted(folder.glob(f"*{SUFFIX}")) if folder is not None else []
    return [head for path in paths for head in _read(path)]


def _read(path: Path) -> list[OwnHead]:
    try:
        tensors, described = unpack(path.read_bytes())
        return [
            OwnHead(
                act=act,
                digest=each["digest"],
                vocabulary={gram: place for place, gram in enumerate(each["vocabulary"])},
                weights=tensors[f"{act}.weights"],
                bias=each["bias"],
                known=tensors[f"{act}.known"],
                trial=Trial(**each["trial"]),
            )
            for act, each in described.items()
        ]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InvalidRubric(
            f"{path} holds no learned acts: {error}",
            remedy="Delete it, or write it anew with `callscope rubric learn`.",
        ) from None
