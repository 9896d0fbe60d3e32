"""The score engine: encoder, heads and rubrics behind `callscope.pipeline.Scorer`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from callscope.errors import ModelDamaged
from callscope.models import ModelStore
from callscope.pipeline import Progress, RubricSource
from callscope.rubric import Rubric
from callscope.types import Metrics, ModelInfo, Scorecard, Utterance
from services.score.disclosures import check_disclosures
from services.score.encoder import Encoder
from services.score.events import hear
from services.score.heads import Heads
from services.score.judge import Case
from services.score.library import RubricLibrary
from services.score.passages import PassageFinder
from services.score.reading import Reader
from services.score.scorecard import assemble
from services.score.wordings import WordingsCache

__all__ = ["ScoreEngine"]


class ScoreEngine:
    """Judges conversations. Holds the models; safe to use from several threads.

    Raises:
        ModelMissing, ModelDamaged: the encoder's files.
        InvalidRubric: a rubric in `rubrics_dir`.
    """

    def __init__(
        self,
        models: ModelStore,
        *,
        rubrics_dir: Path | None = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        threads: int = 0,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._library = RubricLibrary(rubrics_dir)
        heads = Heads.read()
        located = models.locate(heads.encoder)
        if located.digest != heads.encoder_digest:
            raise ModelDamaged(
                f"the act heads were trained on another {located.name} than the one installed"
            )
        self._encoder = Encoder(located.folder, device)
        self._reader = Reader(self._encoder, heads)
        self._wordings = WordingsCache(self._encoder)
        self.models = (ModelInfo("score", located.name, located.digest), heads.model)

    def score(
        self,
        utterances: Sequence[Utterance],
        metrics: Metrics,
        rubric: RubricSource,
        progress: Progress,
    ) -> Scorecard:
        """Judge the conversation by the rubric.

        Raises:
            RubricNotFound, InvalidRubric: see `check`.
        """
        rules = self.check(rubric)
        reading = self._reader.read(utterances, _share(progress, 0.0, 0.5))
        wordings = self._wordings.of(rules, _share(progress, 0.5, 0.6))
        heard = hear(rules, reading, wordings)
        finder = PassageFinder(self._encoder, wordings, reading)
        disclosures = check_disclosures(
            rules.disclosures, finder, heard, _share(progress, 0.6, 1.0)
        )
        case = Case(reading, metrics, heard, rules.thresholds)
        return assemble(rules, case, disclosures, self.models)

    def rubrics(self) -> tuple[Rubric, ...]:
        """The rubrics known by name, in order; the name is the id."""
        return self._library.all()

    def check(self, source: RubricSource) -> Rubric:
        """The rubric asked for.

        Raises:
            RubricNotFound: no rubric of that name.
            InvalidRubric: with every problem found.
        """
        return self._library.get(source)


def _share(progress: Progress, start: float, end: float) -> Progress:
    """Progress of one part of the work, as a share of the whole."""
    return lambda done: progress(start + (end - start) * done)
