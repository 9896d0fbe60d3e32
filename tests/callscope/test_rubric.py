"""Rubrics: every problem at once, each with its line; a digest of the content alone."""

import functools
import json
import operator
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope import rubric, strict_yaml
from callscope.errors import InvalidRubric
from callscope.types import RubricRef

SHIPPED = sorted((Path(__file__).parents[2] / "services/score/rubrics").glob("*.yaml"))

SOUND = """\
id: small
version: "1"
title: Small
behaviors:
  - id: empathy
    title: Empathy
    question: Was there any?
    weight: 60
    window: {first_seconds: 30}
    opportunity: {any_of: [emotion]}
    acts:
      - any_of: [apology, understanding]
        points: 100
  - id: notices
    title: Notices
    question: Were they given?
    weight: 40
    detector: disclosures
events:
  - id: payment
    title: a payment
    words: [card number]
disclosures:
  - id: recording
    title: Recording
    deadline: {before: payment}
    required_when: [payment]
    elements:
      - id: recorded
        wordings: [this call is recorded]
"""


def said(text: str) -> list[str]:
    return [str(problem) for problem in rubric.problems(text)]


def changed(*changes: tuple[str, str]) -> str:
    text = SOUND
    for before, after in changes:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


def test_what_does_not_count_may_be_named_by_a_cue() -> None:
    unless = ("[apology, understanding]", "[apology]\n        unless: [proof_asked]")
    assert said(changed(unless)) == []


def test_a_sound_rubric_becomes_values() -> None:
    loaded = rubric.load(SOUND)
    assert [behavior.id for behavior in loaded.behaviors] == ["empathy", "notices"]
    assert loaded.behaviors[0].window.first_seconds == 30
    assert loaded.disclosures[0].elements[0].wordings == ("this call is recorded",)
    assert loaded.thresholds.review_confidence == 0.6
    assert loaded.ref == RubricRef("small", "1", loaded.digest)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_rubrics_are_sound_and_named_by_their_id(path: Path) -> None:
    loaded = rubric.load(path.read_text(encoding="utf-8"))
    assert loaded.id == path.stem


def test_three_rubrics_ship() -> None:
    assert [path.stem for path in SHIPPED] == ["collections", "general", "sales"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('version: "1"', "version: 1.0"), "line 2: version: should be text: put it in quotes"),
        (("title: Small\n", ""), "line 1: title: is missing"),
        (("id: small", "id: Small Talk"), "line 1: id: should be lower-case letters, digits and _"),
        (
            ("window: {first_seconds: 30}", "windwo: {first_seconds: 30}"),
            "line 9: behaviors[0] (empathy).windwo: unknown field (did you mean window?)",
        ),
        (
            ("weight: 60", "weight: lots"),
            "line 8: behaviors[0] (empathy).weight: should be a number",
        ),
        (
            ("weight: 60", "weight: 40%"),
            "line 8: behaviors[0] (empathy).weight: should be a number",
        ),
        (
            ("weight: 60", "weight: true"),
            "line 8: behaviors[0] (empathy).weight: should be a number",
        ),
        (
            ("weight: 60", "weight: .nan"),
            "line 8: behaviors[0] (empathy).weight: should be a finite",
        ),
        (("weight: 60", "weight: 50"), "line 4: behaviors: the weights add up to 90, not 100"),
        (
            ("detector: disclosures", "detector: magic"),
            "line 18: behaviors[1] (notices).detector: should be one of acts, disclosures",
        ),
        (
            ("{first_seconds: 30}", "{first_seconds: 30, last_seconds: 5}"),
            "line 9: behaviors[0] (empathy).window: needs exactly one of",
        ),
        (
            ("{first_seconds: 30}", "{first_seconds: 0}"),
            "line 9: behaviors[0] (empathy).window.first_seconds: should be greater than 0",
        ),
        (
            ("{first_seconds: 30}", "{}"),
            "line 9: behaviors[0] (empathy).window: needs exactly one of",
        ),
        (
            ("{first_seconds: 30}", "{first_seconds: 30, seconds: 5}"),
            "line 9: behaviors[0] (empathy).window.seconds: goes with after only",
        ),
        (
            ("{first_seconds: 30}", "{after: nothing}"),
            "line 9: behaviors[0] (empathy).window.after: no event nothing is defined",
        ),
        (
            ("any_of: [emotion]", "any_of: [apology]"),
            "line 10: behaviors[0] (empathy).opportunity.any_of[0]: apology is an act of the agent",
        ),
        (
            ("[apology, understanding]", "[apologie]"),
            "line 12: behaviors[0] (empathy).acts[0].any_of[0]: no act is named apologie "
            "(did you mean apology?)",
        ),
        (
            ("[apology, understanding]", "[emotion]"),
            "line 12: behaviors[0] (empathy).acts[0].any_of[0]: emotion is an act of the customer: "
            "it belongs in opportunity, answers.to or penalties",
        ),
        (
            ("[apology, understanding]", "[card_payment]"),
            "line 12: behaviors[0] (empathy).acts[0].any_of[0]: card_payment is a cue: it belongs",
        ),
        (
            ("words: [card number]", "cues: [card_payments]"),
            "line 22: events[0] (payment).cues[0]: should be one of recording_notice, ",
        ),
        (
            ("{first_seconds: 30}", "{last_share: 1}"),
            "line 9: behaviors[0] (empathy).window.last_share: should be a share: 0.6, say",
        ),
        (
            ("title: Small", "title: Small\nthresholds: {review_confidence: 50}"),
            "line 4: thresholds.review_confidence: should be a share",
        ),
        (
            ("[apology, understanding]", "[Apology]"),
            "line 12: behaviors[0] (empathy).acts[0].any_of[0]: no act is named Apology "
            "(did you mean apology?)",
        ),
        (
            ("points: 100", "points: 100\n    applies_to: all"),
            "line 14: behaviors[0] (empathy).applies_to: should be agent",
        ),
        (
            ("points: 100", "points: 100\n        count: 1.5"),
            "line 14: behaviors[0] (empathy).acts[0].count: should be a whole number",
        ),
        (
            ("points: 100", "points: 100\n    auto_fail: yes"),
            "line 14: behaviors[0] (empathy).auto_fail: should be true or false",
        ),
        (
            ("[apology, understanding]", "[apology]\n        unless: [stock]"),
            "line 13: behaviors[0] (empathy).acts[0].unless[0]: no act is named stock",
        ),
        (
            ("[apology, understanding]", "[]"),
            "line 12: behaviors[0] (empathy).acts[0].any_of: should be a list with at least 1 item",
        ),
        (
            ("[apology, understanding]", "apology"),
            "line 12: behaviors[0] (empathy).acts[0].any_of: should be a list",
        ),
        (
            (
                "{first_seconds: 30}",
                "{first_seconds: 30}\n    answers:\n"
                "      - {to: [question], any_of: [answer], points: 9}",
            ),
            "line 11: behaviors[0] (empathy).answers[0].any_of[0]: no act is named answer",
        ),
        (("points: 100", "points: 99"), "line 5: behaviors[0] (empathy): its points add up to 99"),
        (
            ("id: notices", "id: empathy"),
            "line 14: behaviors[1] (empathy).id: empathy is used twice",
        ),
        (
            (
                "    detector: disclosures",
                "    detector: disclosures\n    window: {last_seconds: 9}",
            ),
            "line 19: behaviors[1] (notices).window: has no effect with the detector disclosures",
        ),
        (
            ("words: [card number]", "said_by: agent"),
            "line 20: events[0] (payment): needs wordings, words or cues",
        ),
        (
            ("{before: payment}", "{before: later}"),
            "line 26: disclosures[0] (recording).deadline.before: no event later is defined",
        ),
        (
            ("{before: payment}", "{before: payment, seconds: 9}"),
            "line 26: disclosures[0] (recording).deadline: needs exactly one of seconds, before",
        ),
        (
            ("[payment]", "[payment, refund]"),
            "line 27: disclosures[0] (recording).required_when[1]: no event refund is defined",
        ),
        (
            ("wordings: [this call is recorded]", "wordings: []"),
            "line 30: disclosures[0] (recording).elements[0] (recorded).wordings: should be a list",
        ),
        (
            ("title: Small", "title: Small\nthresholds: {partial: 80}"),
            "line 4: thresholds: partial",
        ),
        (
            ("[this call is recorded]", "[this call is recorded, 通话会被录音]"),
            "line 30: disclosures[0] (recording).elements[0] (recorded).wordings[1]: has no word",
        ),
        (
            ("[this call is recorded]", "[this call is recorded]\n        unlike: [--]"),
            "line 31: disclosures[0] (recording).elements[0] (recorded).unlike[0]: has no word",
        ),
        (
            ("[this call is recorded]", "[this call is recorded]\n        mentions: [запись|录音]"),
            "line 31: disclosures[0] (recording).elements[0] (recorded).mentions[0]: has no word",
        ),
        (
            ("title: Recording", "title: Recording\n    script: 通话会被录音。"),
            "line 26: disclosures[0] (recording).script: has no word of the letters a-z",
        ),
        (
            ("words: [card number]", "words: [карта]"),
            "line 22: events[0] (payment).words[0]: has no word of the letters a-z",
        ),
    ],
)
def test_each_problem_is_reported_at_its_line(change: tuple[str, str], expected: str) -> None:
    (problem,) = said(changed(change))
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("field", "suggested"),
    [
        ("too", " (did you mean to?)"),
        ("agianst", " (did you mean against?)"),
        ("fore", " (did you mean for?)"),
        ("positive", ""),  # what the code calls it
    ],
)
def test_fields_are_suggested_as_yaml_calls_them(field: str, suggested: str) -> None:
    (problem,) = said(SOUND + f"    {field}: 1\n")
    assert problem.endswith(f": unknown field{suggested}")


@pytest.mark.parametrize(
    ("change", "suggested"),
    [
        (("words: [card number]", "cues: [card_payments]"), "card_payment"),
        (("any_of: [emotion]", "any_of: [EMOTION]"), "emotion"),
        (("detector: disclosures", "detector: disclosure"), "disclosures"),
    ],
)
def test_choices_are_suggested(change: tuple[str, str], suggested: str) -> None:
    (problem,) = said(changed(change))
    assert problem.endswith(f" (did you mean {suggested}?)")


def test_all_problems_come_at_once_in_order_of_line() -> None:
    text = changed(
        ('version: "1"', "version: 1"),
        ("weight: 60", "wieght: 60"),
        ("points: 100", "points: 1e99"),
        ("{before: payment}", "{before: never}"),
    )
    with pytest.raises(InvalidRubric) as caught:
        rubric.load(text, "mine.yaml")
    lines = caught.value.details["problems"].splitlines()
    assert caught.value.message.startswith(f"mine.yaml has {len(lines)} problems: line 2: version")
    assert [line.split(":")[0] for line in lines] == [
        *("line 2", "line 5", "line 8", "line 13", "line 26"),
    ]
    assert all(line in caught.value.message for line in lines)


def test_the_error_survives_a_workflow_that_stores_it() -> None:
    with pytest.raises(InvalidRubric) as caught:
        rubric.load("id: x")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert (again.message, again.details) == (caught.value.message, caught.value.details)


def test_a_rubric_of_many_problems_shows_the_first_fifty() -> None:
    lines = [f"field{n}: 1" for n in range(200)]
    with pytest.raises(InvalidRubric) as caught:
        rubric.load("\n".join(lines))
    assert len(caught.value.details["problems"].splitlines()) == 50


@pytest.mark.parametrize(
    "change",
    [
        ("id: small", "# a comment\nid: small"),
        ('version: "1"\ntitle: Small', 'title: Small\nversion: "1"'),
        ("{first_seconds: 30}", "{first_seconds: 30.0}"),
        ("    weight: 60", "    weight: 60\n    detector: acts\n    auto_fail: false"),
        ("title: Small", "title: Small\nthresholds: {delivered: 70}"),
    ],
    ids=["comment", "order", "30 and 30.0", "defaults", "default thresholds"],
)
def test_the_digest_ignores_what_means_nothing(change: tuple[str, str]) -> None:
    assert rubric.load(changed(change)).digest == rubric.load(SOUND).digest


@pytest.mark.parametrize(
    "change",
    [
        ('version: "1"', 'version: "2"'),
        ("{first_seconds: 30}", "{first_seconds: 31}"),
        ("[apology, understanding]", "[apology]"),
        ("this call is recorded", "this call is taped"),
        ("title: Small", "title: Small\nthresholds: {delivered: 71}"),
    ],
)
def test_the_digest_knows_what_means_something(change: tuple[str, str]) -> None:
    assert rubric.load(changed(change)).digest != rubric.load(SOUND).digest


@given(st.text(max_size=60))
def test_any_text_gives_a_rubric_or_its_problems(text: str) -> None:
    assert rubric.problems(text) != ()


@given(st.lists(st.sampled_from(SOUND.splitlines()), max_size=40))
def test_lines_in_any_order_give_a_rubric_or_its_problems(lines: list[str]) -> None:
    text = "\n".join(lines)
    if not rubric.problems(text):
        assert rubric.load(text).behaviors


OWN = """
own_acts:
  - id: callback
    title: Offers to call back
    for: [one is, two is, three is, four is, five is]
    against: [one not, two not, three not, four not, five not]
"""


def test_own_acts_are_acts_of_the_rubric() -> None:
    loaded = rubric.load(SOUND.replace("[apology, understanding]", "[apology, callback]") + OWN)
    (act,) = loaded.own_acts
    assert (act.id, act.positive[0], act.negative[-1]) == ("callback", "one is", "five not")
    assert loaded.behaviors[0].acts[0].any_of == ("apology", "callback")


def test_own_acts_can_stand_in_a_file_of_their_own() -> None:
    assert rubric.load_own_acts(OWN) == rubric.load(SOUND + OWN).own_acts
    with pytest.raises(InvalidRubric, match="describes no acts of its own"):
        rubric.load_own_acts(SOUND)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            ("one not", "one is"),
            "own_acts[0] (callback).against[0]: 'one is' is both for and against",
        ),
        (
            ("one not", "One is!"),
            "own_acts[0] (callback).against[0]: 'One is!' is both for and against",
        ),
        (("five is", "one is"), "own_acts[0] (callback).for[4]: 'one is' is there already"),
        (
            ("five not", "Four not."),
            "own_acts[0] (callback).against[4]: 'Four not.' is there already",
        ),
        (("one not", "不是"), "own_acts[0] (callback).against[0]: has no word of the letters a-z"),
        *(
            (
                ("id: callback", f"id: {name}"),
                f"own_acts[0] ({name}).id: {name} is the name of a shipped act",
            )
            for name in ("apology", "emotion", "recording_notice")
        ),
        (
            ("five is", "Please note: five is"),
            "own_acts[0] (callback).for[4]: should be text, but its colon makes it a mapping",
        ),
        (("five is", "[]"), "own_acts[0] (callback).for[4]: should be text"),
        (
            ("two is, three is, four is, ", ""),
            "own_acts[0] (callback).for: should be a list with at least 5 items",
        ),
    ],
)
def test_problems_of_own_acts_have_their_lines(change: tuple[str, str], problem: str) -> None:
    with pytest.raises(InvalidRubric) as raised:
        rubric.load_own_acts(OWN.replace(*change))
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("    after: [later]", "disclosures[0] (recording).after[0]: later is no other disclosure"),
        ("    rushed_above: 20", "disclosures[0] (recording).rushed_above: should be greater than"),
    ],
)
def test_problems_of_disclosures_have_their_lines(fields: str, problem: str) -> None:
    found = said(changed(("    elements:", f"{fields}\n    elements:")))
    assert any(problem in each for each in found), found


@pytest.mark.parametrize("wrong", [[], {}, [[]], [{}]])
def test_a_list_or_a_mapping_in_any_place_is_read_or_reported(wrong: object) -> None:
    whole = SOUND + OWN
    for *above, last in filter(None, strict_yaml.read(whole).lines):
        data: Any = strict_yaml.read(whole).data
        holder = functools.reduce(operator.getitem, above, data)
        holder[last] = wrong
        found = rubric.problems(json.dumps(data))
        assert found or last != "id", (*above, last)


def test_an_element_leans_only_on_one_that_stands_alone() -> None:
    more = "    elements:\n      - {id: b, only_with: c, wordings: [some words]}"
    (found,) = said(changed(("    elements:", more)))
    assert "only_with: c is no other element that can stand alone" in found
