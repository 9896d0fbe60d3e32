"""Learning the second reading from whole calls, see `services.score.rereading`.

The first reading's probabilities are those of the folds that did not see a call; the second reading
is judged in the same folds, by calls that it did not see either. It learns from calls as they are
and cut to pieces, so that it can read a fragment: what ends there is no farewell.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from services.score.heads import Speaker
from services.score.rereading import Correction, Lines, log_odds, probabilities, surroundings
from training.calibration import Figures, calibrate
from training.data import Data

__all__ = ["learn"]

DIRECTIONS = 24  # of an answer's meaning
LOUDNESS = 8.0  # of these
STRENGTH = 100.0  # of the L2 penalty on standardized features; by cross-validated likelihood
SPREAD = 0.05  # least spread of a feature
STEPS = 100
LONGEST = 9  # sentences of a piece
SEED = 2024

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What agents said in all calls; rows go together.

    `around` is (sentences, features), `first` the first reading's log-odds, (sentences, acts), as
    `labels`, NaN for unknown.
    """

    around: Array
    first: Array
    labels: Array
    fold: npt.NDArray[np.int64]


def learn(
    data: Mapping[Speaker, Data], first: Mapping[Speaker, Array]
) -> tuple[Correction, Figures]:
    """The correction, and its cross-validated figures; `first` are held-out log-odds."""
    calls = [*_conversations(data, first)]
    projection = _projection([lines for lines, _ in calls])
    pieces = [*_pieces(calls)]
    agent = data["agent"]
    rows = [row for _, each in (*calls, *pieces) for row in each]
    said = _Said(
        np.vstack([surroundings(lines, projection) for lines, _ in (*calls, *pieces)]),
        log_odds(probabilities(first["agent"][rows])),
        agent.labels[rows],
        agent.fold[rows],
    )
    held_out = np.zeros(said.first.shape)
    for fold in sorted({*said.fold.tolist()}):
        held = said.fold == fold
        trust, weights, bias = _fit(said, ~held)
        held_out[held] = trust * said.first[held] + said.around[held] @ weights + bias
    whole = sum(len(each) for _, each in calls)
    slopes, shifts, figures = calibrate(agent.acts, held_out[:whole], said.labels[:whole])
    trust, weights, bias = _fit(said, np.full(len(rows), True))
    correction = Correction(projection, trust * slopes, weights * slopes, (bias - shifts) * slopes)
    return correction, figures


def _conversations(
    data: Mapping[Speaker, Data], first: Mapping[Speaker, Array]
) -> Iterator[tuple[Lines, list[int]]]:
    """Whole calls, as written and bare, and which rows of the agent's data are said in each.

    Those in which no agent speaks are left out.
    """
    calls = defaultdict[tuple[str, int], list[tuple[int, Speaker, int]]](list)
    for speaker, each in data.items():
        for row, item in enumerate(each.items):
            if item.call:
                calls[item.call, row % 2].append((item.line, speaker, row))
    for said in map(sorted, calls.values()):
        found = {speaker: np.zeros((len(said), len(each.acts))) for speaker, each in data.items()}
        for place, (_, speaker, row) in enumerate(said):
            found[speaker][place] = probabilities(first[speaker][row])
        lines = Lines(
            [speaker == "agent" for _, speaker, _ in said],
            [data[speaker].lines.texts[row] for _, speaker, row in said],
            np.array([data[speaker].vectors[row] for _, speaker, row in said]),
            found["agent"],
            found["customer"],
        )
        if any(lines.by_agent):
            yield lines, [row for _, speaker, row in said if speaker == "agent"]


def _pieces(calls: Sequence[tuple[Lines, list[int]]]) -> Iterator[tuple[Lines, list[int]]]:
    """The calls cut at random into runs of a few sentences."""
    chance = np.random.default_rng(SEED)
    for lines, rows in calls:
        start, begun = 0, 0
        while start < len(lines.texts):
            end = start + int(chance.integers(1, LONGEST + 1))
            piece = Lines(
                lines.by_agent[start:end],
                lines.texts[start:end],
                lines.vectors[start:end],
                lines.agent[start:end],
                lines.customer[start:end],
            )
            spoken = sum(piece.by_agent)
            if spoken:
                yield piece, rows[begun : begun + spoken]
            start, begun = end, begun + spoken


def _projection(calls: Sequence[Lines]) -> Array:
    """The directions in which customers' sentences differ most: (dimensions, directions)."""
    customers = [lines.vectors[~np.array(lines.by_agent)] for lines in calls]
    vectors = np.vstack(customers).astype(np.float64)
    _, _, directions = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    found: Array = LOUDNESS * directions[:DIRECTIONS].T
    return found


def _fit(said: _Said, chosen: Rows) -> tuple[Array, Array, Array]:
    """Logistic regression of all acts: what the first reading counts, weights and bias."""
    rows = said.around[chosen]
    mean, scale = rows.mean(axis=0), 1 / (rows.std(axis=0) + SPREAD)
    around = torch.from_numpy((rows - mean) * scale)
    first, labels = torch.from_numpy(said.first[chosen]), torch.from_numpy(said.labels[chosen])
    known, target = ~torch.isnan(labels), torch.nan_to_num(labels)
    weights = torch.zeros(around.shape[1], labels.shape[1], dtype=torch.float64)
    trust = torch.ones(labels.shape[1], dtype=torch.float64)
    bias = torch.zeros_like(trust)
    learned = [each.requires_grad_() for each in (trust, weights, bias)]
    optimizer = torch.optim.LBFGS(learned, max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = trust * first + around @ weights + bias
        losses = (torch.nn.functional.softplus(logits) - target * logits) * known
        total: torch.Tensor = losses.sum() + 0.5 * STRENGTH * weights.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    found = [each.detach().numpy() for each in learned]
    unscaled = found[1] * scale[:, np.newaxis]
    return found[0], unscaled, found[2] - mean @ unscaled
