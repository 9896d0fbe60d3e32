"""What an agent did in a sentence, given what was said around it: the second reading.

"Last four." or "And you are?" say little by themselves; what they do shows in the sentences around
them and in what the customer answers (context-aware dialogue act classification: Raheja and
Tetreault, NAACL 2019). The second reading corrects the first one's log-odds by what the first found
in the sentence, in the agent's sentences next to it and in the customer's turns on either side, and
by the meaning and form of the answer.

Customers are read once: what called for a behavior must not depend on what the agent made of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from services.score.features import Context, hand_features

__all__ = ["Correction", "Lines", "log_odds", "probabilities", "surroundings"]

NEAR = 6  # sentences of the agent on either side that tell what the talk is about
SURE = 1e-4  # probability that counts as none, and its complement as certain

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The sentences of a conversation in order, as first read; rows of all fields go together.

    `by_agent` tells whose they are. `agent` and `customer` are (sentences, acts), the probabilities
    of each speaker's acts, zeros where the other one speaks. `vectors` is (sentences, dimensions).
    """

    by_agent: Sequence[bool]
    texts: Sequence[str]
    vectors: Floats
    agent: Array
    customer: Array


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """A linear map from a sentence's surroundings to what is added to its log-odds.

    `projection` is (dimensions, directions): of an answer's meaning little is needed. `trust`
    (acts,) is what the first reading's own log-odds count, `weights` is (surroundings, acts).
    """

    projection: Array
    trust: Array
    weights: Array
    bias: Array

    def __call__(self, lines: Lines) -> Array:
        """The probabilities of the agent's acts in the agent's sentences, (sentences, acts)."""
        own = log_odds(lines.agent[np.array(lines.by_agent, dtype=bool)])
        around = surroundings(lines, self.projection).reshape(len(own), len(self.weights))
        return probabilities(self.trust * own + around @ self.weights + self.bias)


def probabilities(logits: Array) -> Array:
    """Of which these are the log-odds."""
    found: Array = 1 / (1 + np.exp(-logits))
    return found


def log_odds(probabilities: Array) -> Array:
    """Within bounds."""
    bounded = probabilities.clip(SURE, 1 - SURE)
    found: Array = np.log(bounded / (1 - bounded))
    return found


def surroundings(lines: Lines, projection: Array) -> Array:
    """What was heard around each of the agent's sentences: (sentences, features).

    That is, the probabilities of the agent's acts in it, in the agent's sentence before and in the
    one after, and the highest of several around; of the customer's acts in the turn before, in the
    answer, and in several around; the answer's form and meaning; and where in its turn and in the
    call the sentence is.
    """
    turns = [[*rows] for _, rows in groupby(range(len(lines.texts)), lambda r: lines.by_agent[r])]
    spoken = [(turn, row) for turn, rows in enumerate(turns) for row in rows if lines.by_agent[row]]
    nothing = np.zeros(lines.agent.shape[1])
    found = []
    for place, (turn, row) in enumerate(spoken):
        first, last = place == 0, place + 1 == len(spoken)
        asked = turns[turn - 1] if turn else []
        answer = turns[turn + 1] if turn + 1 < len(turns) else []
        near = [each for _, each in spoken[max(0, place - NEAR) : place + NEAR + 1]]
        around = [
            lines.agent[row],
            nothing if first else lines.agent[spoken[place - 1][1]],
            nothing if last else lines.agent[spoken[place + 1][1]],
            _most(lines.customer[asked]),
            _most(lines.customer[answer]),
            _most(lines.agent[[each for each in near if each != row]]),
            _most(lines.customer[near[0] : near[-1] + 1]),
            _form(lines, row, answer),
            lines.vectors[answer].sum(axis=0) @ projection / max(len(answer), 1),
            [first, last, row == turns[turn][0], row == turns[turn][-1], not answer],
        ]
        found.append(np.concatenate(around))
    return np.array(found)


def _most(found: Array) -> Array:
    """Each act's highest probability in some sentences, 0 in none."""
    most: Array = found.max(axis=0, initial=0.0)
    return most


def _form(lines: Lines, row: int, answer: Sequence[int]) -> list[float]:
    said = " ".join(lines.texts[each] for each in answer)
    return [*hand_features(said, Context(lines.texts[row])).values()]
