"""The score engine: encoder, heads and rubrics behind `callscope.pipeline.Scorer`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch

from callscope.errors import ModelDamaged
from callscope.models import ModelStore
from callscope.pipeline import Progress, RubricSource
from callscope.rubric import OwnAct, Rubric
from callscope.types import Metrics, ModelInfo, Role, Scorecard, Timing, Utterance
from services.score.boundaries import Boundaries
from services.score.disclosures import check_disclosures
from services.score.encoder import Encoder
from services.score.events import hear
from services.score.heads import Heads
from services.score.judge import Case
from services.score.library import RubricLibrary
from services.score.own_acts import OwnActs, OwnHead, find
from services.score.passages import PassageFinder
from services.score.plain_speech import as_heard, plain
from services.score.reading import Reader, Reading
from services.score.scorecard import assemble, without_times
from services.score.second_opinion import Judge, compared
from services.score.wordings import WordingsCache

__all__ = ["ScoreEngine"]

Device = Literal["auto", "cpu", "cuda"]


class ScoreEngine:
    """Judges conversations. Holds the models; safe to use from several threads.

    Args:
        models: where the encoder is.
        library: the rubrics known by name.
        device: where the encoder runs; `auto` takes a GPU if there is one.
        threads: CPU threads; 0 leaves PyTorch's choice.
        second: another judge, whose disagreement sends a call to review; None for none.
        encoder: makes the encoder from its folder and the device.

    Raises:
        ModelMissing, ModelDamaged: the encoder's files, or heads trained on others.
        Unavailable: no such device.
    """

    def __init__(
        self,
        models: ModelStore,
        library: RubricLibrary,
        device: Device = "auto",
        threads: int = 0,
        second: Judge | None = None,
        encoder: Callable[[Path, Device], Encoder] = Encoder,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._library = library
        heads = Heads.read()
        located = models.locate(heads.encoder)
        if located.digest != heads.encoder_digest:
            raise ModelDamaged(
                f"the act heads were trained on another {located.name} than the one installed"
            )
        self._encoder = encoder(located.folder, device)
        boundaries = Boundaries(self._encoder)
        self._reader = Reader(self._encoder, heads, boundaries)
        self._wordings = WordingsCache(self._encoder)
        self._second = second
        self.own_acts = OwnActs(self._encoder, located.digest, library.folder)
        encoded = ModelInfo("score", located.name, located.digest)
        self.models = (encoded, heads.model, boundaries.model)

    def warm_up(self) -> None:
        """Embed the wordings of the known rubrics, so that the first call need not wait."""
        for rubric in self._library.all():
            self.own_acts.of(rubric.own_acts)
            self._wordings.of(rubric, lambda _: None)

    def score(
        self,
        utterances: Sequence[Utterance],
        metrics: Metrics,
        rubric: RubricSource,
        progress: Progress,
    ) -> Scorecard:
        """Judge the conversation by the rubric, as `callscope.pipeline.Scorer` asks.

        Raises:
            RubricNotFound: no rubric of that name.
            InvalidRubric: the YAML does not hold together.
        """
        return self.judge(utterances, metrics, self._library.get(rubric), progress)

    def judge(
        self,
        utterances: Sequence[Utterance],
        metrics: Metrics,
        rubric: Rubric,
        progress: Progress,
    ) -> Scorecard:
        """Judge the conversation: read it, hear its events, check disclosures, judge behaviors."""
        own = self.own_acts.of(rubric.own_acts)
        reading = self._read(utterances, own, _share(progress, 0.0, 0.4))
        wordings = self._wordings.of(rubric, _share(progress, 0.4, 0.5))
        hearing = hear(rubric, reading, wordings, self._encoder)
        finder = PassageFinder(self._encoder, wordings, reading, Role.AGENT)
        disclosures = check_disclosures(
            rubric.disclosures, finder, hearing, metrics, _share(progress, 0.5, 1.0)
        )
        on_trial = {head.act: head.trial.positives for head in own if head.on_trial}
        case = Case(reading, metrics, hearing.heard, rubric.thresholds, on_trial)
        models = (*self.models, *(head.model for head in own))
        card = assemble(rubric, case, disclosures, models)
        if metrics.timing is Timing.NONE:
            card = without_times(card)
        if self._second is None:
            return card
        return compared(card, rubric, utterances, metrics.timing, self._second)

    def read(self, utterances: Sequence[Utterance], acts: Sequence[OwnAct]) -> Reading:
        """The conversation's sentences with the probability of each of `acts` in the agent's."""
        return self._read(utterances, self.own_acts.of(acts), lambda _: None)

    def _read(
        self, utterances: Sequence[Utterance], own: Sequence[OwnHead], progress: Progress
    ) -> Reading:
        reading = self._reader.read(plain(utterances), progress)
        return as_heard(find(reading, own), utterances)


def _share(progress: Progress, start: float, end: float) -> Progress:
    """Progress of one part of the work, as a share of the whole."""
    return lambda done: progress(start + (end - start) * done)
