"""The examples behind the shipped heads, and that the heads are theirs."""

import json
import math
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from callscope.acts import AgentAct, CustomerAct
from callscope.models import load_manifest
from services.score.heads import SHIPPED, Heads, Speaker
from training import examples

FILES = {
    "thanks.yaml": """
speaker: agent
overlaps: [joy]
for: ["Thank you.", {after: "I paid.", say: "Thanks for paying."}]
against: ["You're welcome."]
""",
    "joy.yaml": """
speaker: agent
overlaps: []
for: ["How lovely, thank you!", "Thank you."]
against: []
""",
    "neutral.yaml": 'agent: ["Okay."]\ncustomer: []\n',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_labels_say_what_is_known(folder: Path) -> None:
    loaded = examples.load("agent", folder)
    labels = {
        each.text: dict(zip(loaded.acts, each.labels, strict=True)) for each in loaded.examples
    }
    assert labels["Thank you."] == {"thanks": 1.0, "joy": 1.0}
    assert labels["Thanks for paying."] == {"thanks": 1.0, "joy": 0.0}
    assert labels["Okay."] == {"thanks": 0.0, "joy": 0.0}
    assert labels["You're welcome."]["thanks"] == 0.0
    assert math.isnan(labels["You're welcome."]["joy"])
    assert math.isnan(labels["How lovely, thank you!"]["thanks"])


def test_an_example_may_follow_the_customers_words(folder: Path) -> None:
    said = {each.text: each.customer for each in examples.load("agent", folder).examples}
    assert (said["Thanks for paying."], said["Thank you."]) == ("I paid.", "")


def test_the_digest_follows_the_files(folder: Path) -> None:
    before = examples.digest(folder)
    (folder / "joy.yaml").write_text(FILES["joy.yaml"] + "# more\n", encoding="utf-8")
    assert examples.digest(folder) != before


def test_the_shipped_heads_were_trained_on_these_examples_and_this_encoder() -> None:
    described = json.loads(bytes(load_file(SHIPPED)["description"]))
    assert described["examples_digest"] == examples.digest(), "run `python -m training.heads`"
    heads = Heads.read()
    assert heads.encoder_digest == load_manifest()[heads.encoder].digest


@pytest.mark.parametrize(
    ("speaker", "acts"), [("agent", set(AgentAct) - {"name_use"}), ("customer", set(CustomerAct))]
)
def test_every_act_of_the_vocabulary_has_a_head(speaker: Speaker, acts: set[str]) -> None:
    assert set(Heads.read().groups[speaker].acts) == acts
