"""Train the branch and the heads of acts and cues that the score service ships.

    python -m training.heads [--models .models] [--out services/score/heads.safetensors]

The parts of `training.corpus` that train and calibrate are learned from; the test part is never
looked at. Two things are learned and added up: the encoder's last layers, tuned
(`training.tuning`), and logistic regression on the vectors of the encoder as it was published,
hand-made features and word n-grams. Cross-validation, grouped by call or by the customer's words,
places each head's decision at its best F1 and sets the slope of its probabilities (Platt 1999).
From the probabilities of held-out sentences the second reading is learned (`training.rereading`).
The tuned layers that ship are the mean of those of all folds.
Deterministic: the same corpus gives the same bytes on the same machine. Folds that are done are
kept, so that a run can be stopped and goes on.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from callscope.models import ModelStore
from services.score.branch import changes
from services.score.encoder import Encoder
from services.score.heads import AGAIN, BRANCH, SHIPPED, Speaker
from services.score.weights import Tensors, pack
from training import corpus, rereading, tuning
from training.calibration import Figures, calibrate
from training.data import Data, prepare
from training.tuning import Network

__all__ = ["SPEAKERS", "main", "train"]

ENCODER = "minilm-l6"
SPEAKERS: tuple[Speaker, ...] = ("agent", "customer")
KEPT = Path("build/training/acts")
FOLDS = 4
SEED = 2024
STRENGTH = 1.0  # inverse of the L2 penalty
# How loudly each kind of feature may speak; found by cross-validated log-likelihood.
EMBEDDING_SCALE, HAND_SCALE, NGRAM_SCALE = 4.0, 1.0, 1.5
PLAIN = 0.4  # how much the regression's logit counts beside the tuned layers'; found likewise

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A fitted linear map from features to logits."""

    weights: Array
    bias: Array

    def __call__(self, data: Data, chosen: npt.NDArray[np.bool_]) -> Array:
        """Logits of the chosen rows, (rows, acts)."""
        width = data.dense.shape[1]
        logits: Array = data.dense[chosen] @ self.weights[:width] + self.bias
        logits += (data.sparse(chosen) @ torch.from_numpy(self.weights[width:])).numpy()
        return logits


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
    data = {speaker: prepare(speaker, encoder, FOLDS) for speaker in SPEAKERS}
    key = _key(data, digest)
    kept.mkdir(parents=True, exist_ok=True)
    network, held_out = tuned(data, encoder, kept / key)
    linears = fitted(data, kept / key)
    first: dict[Speaker, Array] = {}
    tensors: Tensors = {}
    description: dict[str, Any] = {
        "encoder": name,
        "encoder_digest": digest,
        "corpus_digest": corpus.digest(),
    }
    for speaker, each in data.items():
        *without, linear = linears[speaker]
        logits = held_out[speaker] + PLAIN * held(each, without)
        slopes, shifts, figures = calibrate(each.acts, logits, each.labels)
        weights, bias = _together(linear, network, speaker, each)
        width = len(weights) - len(each.vocabulary)
        first[speaker] = (logits - shifts) * slopes
        tensors[f"{speaker}.weights"] = (weights[:width] * slopes).astype(np.float32)
        tensors[f"{speaker}.grams"] = (weights[width:] * slopes).astype(np.float16)
        tensors[f"{speaker}.bias"] = ((bias - shifts) * slopes).astype(np.float32)
        description[speaker] = {
            "acts": each.acts,
            "vocabulary": list(each.vocabulary),
            "cross_validation": figures,
        }
        _show(speaker, figures)
    correction, figures = rereading.learn(data, first)
    description["agent"]["read_again"] = figures
    _show("agent, read again", figures)
    again = asdict(correction)
    tensors |= {AGAIN + name: value.astype(np.float32) for name, value in again.items()}
    before = encoder.branch_from(tuning.FIRST).layers
    tensors |= {BRANCH + key: value for key, value in changes(before, network.layers).items()}
    return pack(tensors, description)


def _together(
    linear: Linear, network: Network, speaker: Speaker, data: Data
) -> tuple[Array, Array]:
    """Weights of all dense features and of the n-grams, and the bias, of the sum of both."""
    added, bias = network.linear(speaker)
    plain, hand, grams = np.vsplit(PLAIN * linear.weights, [data.dimensions, data.dense.shape[1]])
    added[-len(hand) :] += hand
    return np.vstack([plain, added, grams]), bias + PLAIN * linear.bias


def _show(title: str, figures: Figures) -> None:
    print(title)
    for act, each in figures.items():
        print(f"  {act:26} F1 {each['f1']:.2f}  of {each['examples']:.0f} sentences")


def tuned(
    data: Mapping[Speaker, Data], encoder: Encoder, kept: Path
) -> tuple[Network, dict[Speaker, Array]]:
    """The mean network of all folds, and each sentence's logits by one that did not see it.

    `kept` begins the names of the files in which the folds are kept.
    """
    lines = {speaker: each.lines for speaker, each in data.items()}
    held_out = {speaker: np.zeros(each.labels.shape) for speaker, each in data.items()}
    files = [Path(f"{kept}-{fold}.pt") for fold in range(FOLDS)]
    learned = [
        {speaker: np.flatnonzero(each.fold[::2] != fold) for speaker, each in data.items()}
        for fold in range(FOLDS)
    ]
    networks = [Network(encoder.branch_from(tuning.FIRST), lines) for _ in range(FOLDS)]

    done = all(file.exists() for file in files)
    texts = [] if done else [*lines["agent"].texts, *lines["customer"].texts]
    states = encoder.states(texts, tuning.FIRST)

    def tune(fold: int) -> None:
        network = networks[fold]
        tuning.tune(network, states, lines, learned[fold], SEED + fold)
        found: dict[str, Any] = {"network": network.state_dict()}
        for speaker, each in data.items():
            rows = np.flatnonzero(each.fold == fold)
            logits = tuning.logits(network, states, each.lines, rows, speaker)
            found[speaker] = torch.from_numpy(logits)
        torch.save(found, files[fold])

    _make(files, tune)
    for fold, (network, file) in enumerate(zip(networks, files, strict=True)):
        found = torch.load(file, weights_only=True)
        network.load_state_dict(found["network"])
        for speaker, each in data.items():
            held_out[speaker][each.fold == fold] = found[speaker].numpy()
    return tuning.average(networks), held_out


def _make(files: Sequence[Path], work: Callable[[int], None]) -> None:
    """Do the work of each file that is not there in a process of its own, one a core at a time.

    The processes are forks, so that they share what is in memory.
    """
    fork = multiprocessing.get_context("fork")
    places = [place for place, file in enumerate(files) if not file.exists()]
    cores = os.cpu_count() or 1
    for first in range(0, len(places), cores):
        together = places[first : first + cores]
        running = [fork.Process(target=_alone, args=(work, place)) for place in together]
        for process in running:
            process.start()
        for process in running:
            process.join()
        if any(process.exitcode for process in running):
            raise ChildProcessError("a fold ended before it was done; what it said is above")


def _alone(work: Callable[[int], None], place: int) -> None:
    # A fork has none of its parent's threads, and would wait for their help without an end.
    torch.set_num_threads(1)
    work(place)


def _key(data: Mapping[Speaker, Data], digest: str) -> str:
    """Of all that the folds' networks and linear maps follow from."""
    scales = [STRENGTH, EMBEDDING_SCALE, HAND_SCALE, NGRAM_SCALE]
    settings = [digest, FOLDS, SEED, tuning.FIRST, asdict(tuning.RECIPE), scales]
    sha = hashlib.sha256(json.dumps(settings).encode())
    for each in data.values():
        sha.update(json.dumps([each.lines.texts, [*each.vocabulary]]).encode())
        for array in (each.lines.before, each.lines.hand, each.labels, each.fold):
            sha.update(array.tobytes())
    return sha.hexdigest()[:16]


def fitted(data: Mapping[Speaker, Data], kept: Path) -> dict[Speaker, list[Linear]]:
    """For each speaker the maps that have not seen a fold, fold after fold, and last one of all.

    `kept` begins the names of the files in which they are kept.
    """
    pieces = [(speaker, fold) for speaker in data for fold in range(FOLDS + 1)]
    files = [Path(f"{kept}-{speaker}-{fold}.npz") for speaker, fold in pieces]

    def fit_one(place: int) -> None:
        speaker, fold = pieces[place]
        np.savez(files[place], **asdict(fit(data[speaker], data[speaker].fold != fold)))

    _make(files, fit_one)
    found: dict[Speaker, list[Linear]] = {speaker: [] for speaker in data}
    for (speaker, _), file in zip(pieces, files, strict=True):
        with np.load(file) as arrays:
            found[speaker].append(Linear(**arrays))
    return found


def fit(data: Data, chosen: npt.NDArray[np.bool_]) -> Linear:
    """Logistic regression of every act on the chosen rows; unknown labels leave no loss."""
    mean, scale = _scales(data, data.dense[chosen])
    x = torch.from_numpy((data.dense[chosen] - mean) * scale)
    grams = NGRAM_SCALE * data.sparse(chosen)
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


def held(data: Data, linears: Sequence[Linear]) -> Array:
    """Each sentence's logits from the map that has not seen its fold."""
    logits = np.zeros(data.labels.shape)
    for fold, linear in enumerate(linears):
        chosen = data.fold == fold
        logits[chosen] = linear(data, chosen)
    return logits


if __name__ == "__main__":
    main()
