"""The gRPC door, as a client meets it."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from callscope.clients import RemoteScorer
from callscope.errors import InvalidInput, InvalidRubric, RubricNotFound
from callscope.pipeline import RubricSource
from callscope.serving.embedded import embedded
from callscope.v1 import score_pb2, score_pb2_grpc
from services.score import servicer
from services.score.engine import ScoreEngine
from services.score.settings import ScoreSettings
from tests.score.conversations import Line, conversation, talk

CALL: list[Line] = [
    ("agent", "Oakfield Water, this is Tariq, how can I help?"),
    ("customer", "My cellar is flooded and I'm so worried."),
    ("agent", "That sounds really frightening, leave it with me."),
]
GENERAL = RubricSource(name="general")


@pytest.fixture(scope="module")
def target(models_dir: Path) -> Iterator[str]:
    settings = ScoreSettings.load(models_dir=models_dir, port=0, metrics_port=0, device="cpu")
    with embedded([(servicer.build(settings), settings)]) as (running,):
        yield running.target


@pytest.fixture
def client(target: str) -> Iterator[RemoteScorer]:
    remote = RemoteScorer(target, timeout=60)
    yield remote
    remote.close()


def test_over_the_wire_the_scorecard_is_the_engines(
    client: RemoteScorer, engine: ScoreEngine
) -> None:
    seen: list[float] = []
    near = engine.score(conversation(CALL), talk(), GENERAL, lambda _: None)
    assert client.score(conversation(CALL), talk(), GENERAL, seen.append) == near
    assert seen
    assert seen[-1] == 1.0


def test_rubrics_are_listed(client: RemoteScorer) -> None:
    assert [each.name for each in client.rubrics()] == ["collections", "general", "sales"]


def test_a_sound_rubric_says_what_it_is(client: RemoteScorer) -> None:
    summary = client.check(GENERAL)
    assert (summary.name, summary.title) == ("general", "General service")
    assert len(summary.rubric.digest) == 64


def test_an_unsound_rubric_comes_back_with_every_problem(client: RemoteScorer) -> None:
    with pytest.raises(InvalidRubric) as caught:
        client.check(RubricSource(yaml="id: x\nversion: 1\n"))
    assert "line 2: version" in caught.value.message
    assert len(caught.value.details["problems"].splitlines()) == 3


def test_an_unknown_rubric_is_not_found(client: RemoteScorer) -> None:
    with pytest.raises(RubricNotFound):
        client.score(conversation(CALL), talk(), RubricSource(name="none"), lambda _: None)


def test_utterances_out_of_place_are_refused_with_the_remedy(client: RemoteScorer) -> None:
    """Such as a stretch of a call, which sentences would be looked up in by the wrong places."""
    with pytest.raises(InvalidInput, match="utterance 0 has the index 1") as caught:
        client.score(conversation(CALL)[1:], talk(), GENERAL, lambda _: None)
    assert caught.value.remedy == "Number the utterances in their order, from 0."


def test_a_request_without_a_rubric_is_refused(target: str) -> None:
    with grpc.insecure_channel(target) as channel:
        stub = score_pb2_grpc.ScorerStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.Score(score_pb2.ScoreRequest(), timeout=20))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "names no rubric" in str(caught.value.details())
