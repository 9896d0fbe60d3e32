"""Acts that a rubric's author teaches: learned the same each time, honest about how little."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from callscope.acts import AgentAct
from callscope.errors import InvalidRubric
from callscope.pipeline import RubricSource
from callscope.rubric import OwnAct
from callscope.types import ModelInfo
from services.score import own_acts
from services.score.encoder import Encoder
from services.score.engine import ScoreEngine
from services.score.own_acts import OwnActs, OwnHead, key, learn
from tests.score.conversations import Line, conversation, talk

CALLBACK = OwnAct(
    "callback_offer",
    "Offers to call back",
    positive=(
        "I can call you back in an hour if you like.",
        "Would you like me to ring you back this afternoon?",
        "Shall I give you a call back once it's done?",
        "I'll call you back personally tomorrow morning.",
        "Can I phone you back when I hear from them?",
        "We can call you back so you don't have to wait.",
        "If you prefer, one of us calls you back tonight.",
        "I'd be happy to call you again on Friday to check.",
        "Rather than hold, would a callback work for you?",
        "Let me take your number and call you back.",
    ),
    negative=(
        "You can call us back any time.",
        "Please call back tomorrow.",
        "You'll have to ring the other department.",
        "I called you yesterday about this.",
        "Thank you for calling back.",
        "Can I have a number to reach you on?",
        "I'll send you an email about it.",
        "Did you call us before about this?",
        "Someone will write to you next week.",
        "I'll put you on hold for a minute.",
    ),
)
RUBRIC = """
id: mine
version: "1"
title: Mine
behaviors:
  - id: callback
    title: Offers to call back
    question: Does the agent offer to call the customer back?
    weight: 100
    acts: [{any_of: [callback_offer], points: 100}]
own_acts:
  - id: callback_offer
    title: Offers to call back
    for: {for}
    against: {against}
"""
CALL: list[Line] = [
    ("agent", "Thank you for calling, how can I help?"),
    ("customer", "Can I call you back tomorrow? I can call you back in an hour."),
    ("agent", "I can call you back in half an hour if you like."),
    ("customer", "Yes please."),
]


@pytest.fixture(scope="module")
def head(encoder: Encoder) -> OwnHead:
    return learn(CALLBACK, encoder, "a digest")


def likely(head: OwnHead, encoder: Encoder, text: str) -> float:
    return float(head.probabilities(encoder.encode([text], lambda _: None), [text])[0])


def test_what_was_taught_is_told_from_what_comes_near(head: OwnHead, encoder: Encoder) -> None:
    assert likely(head, encoder, "Let me call you back after lunch.") > 0.5
    assert likely(head, encoder, "i can call you back in twenty minutes") > 0.5
    assert likely(head, encoder, "You are welcome to call us back.") < 0.5


def test_what_resembles_nothing_taught_is_not_it(head: OwnHead, encoder: Encoder) -> None:
    assert likely(head, encoder, "The meter reads four hundred and two.") < 0.05


def test_the_same_sentences_in_any_order_give_the_same_head(
    head: OwnHead, encoder: Encoder
) -> None:
    shuffled = replace(CALLBACK, positive=CALLBACK.positive[::-1], negative=CALLBACK.negative[::-1])
    again = learn(shuffled, encoder, "a digest")
    assert again.weights.tobytes() == head.weights.tobytes()
    assert (again.bias, again.trial) == (head.bias, head.trial)
    assert key(shuffled, "encoder") == key(CALLBACK, "encoder")
    assert key(CALLBACK, "encoder") != key(CALLBACK, "another")


def test_heads_that_lack_a_fold_are_those_learned_from_nothing() -> None:
    random = np.random.default_rng(0)
    rows, targets = random.normal(size=(40, 90)), np.tile([1.0, 1.0, 0.0, 0.0], 10)
    rows[targets == 1, :3] += 1
    groups = np.repeat(np.arange(20), 2)
    found = own_acts._held_out(rows, targets, groups, own_acts._fit(rows, targets))
    for group in range(20):
        out = groups == group
        solution = own_acts._fit(rows[~out], targets[~out])
        assert found[out] == pytest.approx(rows[out] @ solution[:-1] + solution[-1], abs=1e-3)


def test_it_knows_how_little_it_has_seen(head: OwnHead) -> None:
    assert (head.trial.positives, head.trial.negatives, head.on_trial) == (10, 10, True)


def test_sentences_that_say_nothing_teach_nothing(encoder: Encoder) -> None:
    mixed = replace(
        CALLBACK,
        positive=(*CALLBACK.positive[::2], *CALLBACK.negative[::2]),
        negative=(*CALLBACK.positive[1::2], *CALLBACK.negative[1::2]),
    )
    confused = learn(mixed, encoder, "a digest")
    assert likely(confused, encoder, CALLBACK.positive[0]) < 0.7


def test_a_rubrics_behavior_uses_its_own_act_by_name(engine: ScoreEngine) -> None:
    card = engine.score(conversation(CALL), talk(), source(), lambda _: None)
    (behavior,) = card.behaviors
    (evidence,) = behavior.evidence  # the customer's words, though much alike, are no act
    assert (evidence.quote, evidence.label) == (CALL[2][1], "callback_offer")
    assert behavior.explanation.endswith(" On trial: learned callback_offer from 10 sentences.")
    named = [model for model in card.models if model.name == "own-act callback_offer"]
    encoder = engine.models[0]
    assert named == [ModelInfo("score", named[0].name, key(CALLBACK, encoder.digest))]


def test_other_rubrics_do_not_know_it(engine: ScoreEngine) -> None:
    card = engine.score(conversation(CALL), talk(), RubricSource(name="general"), lambda _: None)
    assert not any(model.name.startswith("own-act") for model in card.models)


def test_a_stored_head_is_the_learned_one(encoder: Encoder, tmp_path: Path) -> None:
    first = OwnActs(encoder, "encoder")
    first.store([CALLBACK], tmp_path / "mine.yaml")
    (stored,) = OwnActs(encoder, "encoder", tmp_path).of([CALLBACK])
    (learned,) = first.of([CALLBACK])
    assert stored.weights.tobytes() == learned.weights.tobytes()
    assert (stored.digest, stored.bias, stored.trial) == (
        *(learned.digest, learned.bias, learned.trial),
    )


def test_a_known_act_does_not_wait_for_one_that_is_learned(
    encoder: Encoder, head: OwnHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = OwnActs(encoder, "encoder")
    heads.of([CALLBACK])
    begun, free = Event(), Event()
    learned: list[str] = []

    def slow(act: OwnAct, _: Encoder, digest: str) -> OwnHead:
        learned.append(act.id)
        begun.set()
        assert free.wait(60)
        return replace(head, act=act.id, digest=digest)

    monkeypatch.setattr(own_acts, "learn", slow)
    other = replace(CALLBACK, id="other")
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(heads.of, [other]) for _ in range(2)]
        try:
            assert begun.wait(60)
            (known,) = pool.submit(heads.of, [CALLBACK]).result(timeout=60)
        finally:
            free.set()
    assert known.act == "callback_offer"
    first, second = (each.result() for each in waiting)
    assert first[0] is second[0]
    assert learned == ["other"]


def test_the_latest_heads_are_kept(
    encoder: Encoder, head: OwnHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[str] = []

    def noted(act: OwnAct, _: Encoder, digest: str) -> OwnHead:
        learned.append(act.id)
        return replace(head, act=act.id, digest=digest)

    monkeypatch.setattr(own_acts, "learn", noted)
    monkeypatch.setattr(own_acts, "KEPT", 2)
    heads = OwnActs(encoder, "encoder")
    for name in ("a", "b", "a", "c", "a", "b"):
        heads.of([replace(CALLBACK, id=name)])
    assert learned == ["a", "b", "c", "b"]


def test_a_damaged_file_says_what_to_do(encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "mine.heads.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InvalidRubric, match="holds no learned acts") as raised:
        OwnActs(encoder, "encoder", tmp_path)
    assert "callscope rubric learn" in raised.value.remedy


def test_no_shipped_act_can_be_taught_anew(engine: ScoreEngine) -> None:
    yaml = source().yaml or ""
    with pytest.raises(InvalidRubric, match="apology is the name of a shipped act"):
        engine.score(
            *(conversation(CALL), talk()),
            RubricSource(yaml=yaml.replace("callback_offer", AgentAct.APOLOGY)),
            lambda _: None,
        )


def source() -> RubricSource:
    text = RUBRIC.replace("{for}", str(list(CALLBACK.positive)))
    return RubricSource(yaml=text.replace("{against}", str(list(CALLBACK.negative))))
