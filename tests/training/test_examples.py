"""The lists of examples for one act each."""

import math
from pathlib import Path

import pytest

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
