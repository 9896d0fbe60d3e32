"""The recipe of docs/rubrics.md, "A behavior of your own in ten minutes", as written there."""

import re
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callscope import rubric as rubrics
from callscope.errors import InvalidInput, InvalidRubric
from callscope.pipeline import RubricSource
from callscope.record import to_json
from callscope.types import (
    CallRecord,
    ChannelLayout,
    OverallScore,
    Provenance,
    Recording,
    Review,
    RubricRef,
)
from services.rubric_cli import rubric
from services.score.engine import ScoreEngine
from tests.score.conversations import conversation, talk

PAGE = Path(__file__).parents[2] / "docs" / "rubrics.md"
OFFER = "I can call you back in half an hour if you like."
CALL = conversation(
    [
        ("agent", "Oakfield Water, how can I help?"),
        ("customer", "My cellar is flooded, and I can't wait on the phone."),
        ("agent", OFFER),
        ("customer", "Please do."),
        ("agent", "Have a nice day."),
    ]
)


def recipe() -> tuple[str, str]:
    """The own acts, and the behavior that uses them."""
    text = PAGE.read_text(encoding="utf-8").partition("in ten minutes\n")[2]
    acts, behavior = re.findall(r"^   ```yaml\n(.*?)^   ```", text, re.MULTILINE | re.DOTALL)
    return textwrap.dedent(acts), textwrap.dedent(behavior)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(rubric, [str(each) for each in arguments], catch_exceptions=False)


@pytest.fixture
def file(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALLSCOPE_MODELS_DIR", str(models_dir.resolve()))
    path = tmp_path / "callback.yaml"
    path.write_text(recipe()[0], encoding="utf-8")
    return path


@pytest.fixture
def record(tmp_path: Path) -> Path:
    card = CallRecord(
        schema_version="1.0",
        recording=Recording("x", "file:///calls/monday.wav", "a" * 64, 60.0, 8000, 2, "pcm"),
        language="en",
        layout=ChannelLayout.TWO_PARTY,
        channels=(),
        participants=(),
        utterances=CALL,
        metrics=talk(),
        behaviors=(),
        disclosures=(),
        overall=OverallScore(None, None),
        review=Review(False, ()),
        provenance=Provenance("1", (), RubricRef("general", "1", "c" * 64), "a" * 64),
    )
    path = tmp_path / "monday.json"
    path.write_text(to_json(card), encoding="utf-8")
    return path


def test_try_shows_where_it_fires_and_how_sure_it_is(file: Path, record: Path) -> None:
    shown = run("try", file, record)
    assert shown.exit_code == 0
    assert "Offers to call the customer back (callback_offer)" in shown.output
    assert "fires in 1 of 3 sentences of the agent (*; " in shown.output
    assert re.search(rf"\* +\d\d%  calls/monday.wav 00:0\d  {re.escape(OFFER)}", shown.output)
    assert "On trial below 30" in shown.output


def test_a_recording_that_cannot_be_read_is_left_out_and_gives_the_status(
    file: Path, record: Path
) -> None:
    empty = file.with_name("empty.wav")
    empty.touch()
    shown = run("try", file, empty, record)
    assert shown.exit_code == 3
    assert "empty.wav" in shown.stderr
    assert "fires in 1 of 3 sentences" in shown.output


def test_what_is_learned_is_used_by_name(file: Path, engine: ScoreEngine) -> None:
    learned = run("learn", file).output
    assert "callback_offer" in learned
    assert "what `callscope rubric try` shows that it got wrong" in learned  # nothing is above
    assert file.with_name("callback.heads.safetensors").is_file()
    acts, behavior = recipe()
    mine = 'id: mine\nversion: "1"\ntitle: Mine\n' + behavior.replace("weight: 0", "weight: 100")
    source = RubricSource(yaml=mine + acts)
    assert rubrics.problems(mine + acts) == ()
    card = engine.score(CALL, talk(), source, lambda _: None)
    assert [(e.quote, e.label) for b in card.behaviors for e in b.evidence] == [
        (OFFER, "callback_offer")
    ]
    assert "On trial" in card.behaviors[0].explanation


def test_a_behavior_on_trial_may_weigh_nothing() -> None:
    acts, behavior = recipe()
    whole = behavior + textwrap.indent(
        "- id: other\n  title: T\n  question: Q\n  weight: 100\n"
        "  acts: [{any_of: [apology], points: 100}]\n",
        "  ",
    )
    assert rubrics.problems('id: mine\nversion: "1"\ntitle: Mine\n' + whole + acts) == ()


def test_a_file_without_acts_is_refused(tmp_path: Path, record: Path) -> None:
    path = tmp_path / "none.yaml"
    path.write_text("own_acts: []\n", encoding="utf-8")
    with pytest.raises(InvalidRubric, match="own_acts: should be a list with at least 1 item"):
        run("try", path, record)


def test_what_is_no_record_is_refused(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}", encoding="utf-8")
    with pytest.raises(InvalidInput, match="no call record"):
        run("try", file, other)
