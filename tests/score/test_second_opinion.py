"""The second judge, over real HTTP to a server of ours that speaks the protocol."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from callscope.errors import InvalidSetting, Unavailable
from callscope.pipeline import RubricSource
from callscope.types import Outcome, Scorecard, Timing
from services.score import second_opinion
from services.score.engine import ScoreEngine
from services.score.library import RubricLibrary
from services.score.second_opinion import ChatJudge, compared
from services.score.settings import ScoreSettings
from tests.score.conversations import Line, conversation, talk

CALL: list[Line] = [
    ("agent", "Oakfield Water, this is Tariq, how can I help?"),
    ("customer", "My cellar is flooded and I'm so worried."),
    ("agent", "That sounds really frightening, leave it with me."),
]
GENERAL = RubricSource(name="general")
RUBRIC = RubricLibrary().get(GENERAL)
JUDGED = {each.id for each in RUBRIC.behaviors if each.detector == "acts"}

Reply = Callable[[dict[str, Any]], tuple[int, bytes]]


@dataclass
class Endpoint:
    """A chat endpoint; `reply` is what it answers to a request's body."""

    url: str = ""
    reply: Reply = lambda _: (500, b"")
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append(body)
            state.keys.append(self.headers["Authorization"])
            status, content = (
                state.reply(body) if self.path == "/v1/chat/completions" else (404, b"")
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def judge(endpoint: Endpoint) -> Iterator[ChatJudge]:
    chat = ChatJudge(endpoint.url, "local-8b", key="secret", timeout=5)
    yield chat
    chat.close()


@pytest.fixture(scope="module")
def card(engine: ScoreEngine) -> Scorecard:
    return engine.score(conversation(CALL), talk(), GENERAL, lambda _: None)


def saying(outcomes: dict[str, str]) -> Reply:
    return answering(json.dumps({"outcomes": outcomes}))


def answering(content: str) -> Reply:
    answer = {"id": "x", "choices": [{"index": 0, "message": {"content": content}}]}
    return lambda _: (200, json.dumps(answer).encode())


def same_as(card: Scorecard) -> dict[str, str]:
    return {each.behavior: each.outcome.value for each in card.behaviors}


def counted(result: str) -> float:
    return float(second_opinion.OPINIONS.labels(result)._value.get())


def test_one_who_agrees_changes_nothing_but_the_provenance(
    endpoint: Endpoint, judge: ChatJudge, card: Scorecard
) -> None:
    endpoint.reply = saying(same_as(card))
    before = counted("agrees")
    with_both = compared(card, RUBRIC, conversation(CALL), Timing.WORDS, judge)
    assert (with_both.behaviors, with_both.review) == (card.behaviors, card.review)
    assert [model.name for model in with_both.models][-1] == "local-8b"
    assert counted("agrees") == before + len(JUDGED)


def test_one_who_disagrees_sends_the_call_to_review(
    endpoint: Endpoint, judge: ChatJudge, card: Scorecard
) -> None:
    theirs = same_as(card) | {"empathy_opening": "missed"}
    assert same_as(card)["empathy_opening"] == "delivered"
    endpoint.reply = saying(theirs)
    before = counted("disagrees")
    with_both = compared(card, RUBRIC, conversation(CALL), Timing.WORDS, judge)
    reason = "Empathy in the opening: delivered, but the second judge says missed."
    assert with_both.review.needed
    assert with_both.review.reasons == (*card.review.reasons, reason)
    assert (with_both.behaviors, with_both.overall) == (card.behaviors, card.overall)
    assert counted("disagrees") == before + 1


def test_it_is_asked_once_for_what_was_said_by_people(
    endpoint: Endpoint, judge: ChatJudge, card: Scorecard
) -> None:
    endpoint.reply = saying(same_as(card))
    compared(card, RUBRIC, conversation([("ivr", "Press one."), *CALL]), Timing.WORDS, judge)
    (body,) = endpoint.asked
    assert (body["model"], body["temperature"]) == ("local-8b", 0)
    assert endpoint.keys == ["Bearer secret"]
    question = json.loads(body["messages"][1]["content"])
    assert {each["id"] for each in question["behaviors"]} == JUDGED
    assert len(question["call"]) == len(CALL)
    assert question["call"][0] == f"[2 s] agent: {CALL[0][1]}"


def test_a_text_without_times_is_sent_without_any(
    endpoint: Endpoint, judge: ChatJudge, card: Scorecard
) -> None:
    endpoint.reply = saying(same_as(card))
    compared(card, RUBRIC, conversation(CALL), Timing.NONE, judge)
    question = json.loads(endpoint.asked[0]["messages"][1]["content"])
    assert question["call"] == [f"{role}: {text}" for role, text in CALL]
    opening = next(each for each in question["behaviors"] if each["id"] == "empathy_opening")
    assert opening["window"] == "In the first 75 words"


@pytest.mark.parametrize(
    "reply",
    [
        (500, b"{}"),
        (200, b"certainly! here is"),
        (200, b'{"choices": []}'),
        (200, b'{"choices": [{"message": {"content": "{}"}}]}'),
        (
            200,
            b'{"choices": [{"message": {"content": "{\\"outcomes\\": {\\"x\\": \\"good\\"}}"}}]}',
        ),
        (200, b'{"choices": [{"message": {"content": "{\\"outcomes\\": {}}"}}]}'),
        (200, b" " * 200_000),
    ],
    ids=["error", "prose", "empty", "no outcomes", "no such outcome", "silent", "endless"],
)
def test_an_answer_that_cannot_be_used_sends_the_call_to_review(
    endpoint: Endpoint, judge: ChatJudge, card: Scorecard, reply: tuple[int, bytes]
) -> None:
    endpoint.reply = lambda _: reply
    before = counted("failed")
    with_both = compared(card, RUBRIC, conversation(CALL), Timing.WORDS, judge)
    assert with_both.review.reasons[-1] == "The second judge gave no opinion."
    assert counted("failed") == before + len(JUDGED)


@pytest.mark.parametrize(
    "content",
    [
        "Customer said: my card number is 4111",
        '{"outcomes": {"empathy_opening": "my card number is 4111"}}',
        '{"outcomes": {"my card number is 4111": "bad"}}',
    ],
    ids=["prose", "outcome", "behavior"],
)
def test_what_it_says_reaches_no_log(
    endpoint: Endpoint,
    judge: ChatJudge,
    card: Scorecard,
    caplog: pytest.LogCaptureFixture,
    content: str,
) -> None:
    endpoint.reply = answering(content)
    compared(card, RUBRIC, conversation(CALL), Timing.WORDS, judge)
    assert "the second judge's answer is not in the form asked for" in caplog.text
    assert "card number" not in caplog.text


def test_nobody_listening_is_no_failure_of_the_call(card: Scorecard) -> None:
    nobody = ChatJudge("http://127.0.0.1:9/v1", "local-8b", timeout=1)
    with pytest.raises(Unavailable, match="does not answer"):
        nobody.outcomes(RUBRIC.behaviors, conversation(CALL), Timing.WORDS)
    assert (
        compared(card, RUBRIC, conversation(CALL), Timing.WORDS, nobody).behaviors == card.behaviors
    )
    nobody.close()


def test_a_call_that_cannot_be_judged_is_sent_nowhere(
    engine: ScoreEngine, endpoint: Endpoint, judge: ChatJudge
) -> None:
    silent = engine.score((), talk(), GENERAL, lambda _: None)
    assert {each.outcome for each in silent.behaviors} == {Outcome.NOT_ASSESSABLE}
    assert compared(silent, RUBRIC, (), Timing.WORDS, judge) == silent
    assert endpoint.asked == []


def test_it_is_off_by_default_and_needs_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ScoreSettings.load().second_opinion_url is None
    monkeypatch.setenv("CALLSCOPE_SCORE_SECOND_OPINION_URL", "http://localhost:8000/v1")
    with pytest.raises(InvalidSetting, match="second_opinion_model"):
        ScoreSettings.load()
