"""What is learned of where sentences end: the texts that it learns from, and the file it makes."""

from pathlib import Path

import pytest

from callscope.models import ModelStore
from services.score.boundaries import SHIPPED, Boundaries
from services.score.encoder import Encoder
from training import corpus
from training.boundaries import LONGEST, Bared, bared, train, turns

CALL = """# complete
# call: one
- Hello, Sam here.
c How can I help?
>- It's broken. I bought it
- right
>- Yes, twenty-one of them. Really?
- Okay.
"""


@pytest.fixture(scope="module")
def encoder(models: ModelStore) -> Encoder:
    return Encoder(models.locate("minilm-l6").folder, "cpu")


def test_marks_are_taken_away_and_told() -> None:
    (text,) = bared(["Well, I never - twenty-one?", "Yes."])
    assert text.words == ("well", "i", "never", "twenty", "one", "yes")
    assert text.kinds == (1, 0, 0, 0, 2, 2)


def test_long_texts_are_cut() -> None:
    assert [len(each.words) for each in bared(["So it goes."] * 40)] == [LONGEST, 120 - LONGEST]


def test_turns_and_other_runs_of_a_party_are_learned_from() -> None:
    found = [" ".join(each.words) for each in turns([*corpus.parse(CALL, "calls")])]
    assert found[:2] == ["hello sam here how can i help", "yes twenty one of them really"]
    assert {*found[2:]} >= {"yes twenty one of them really"}
    assert not any("bought" in text for text in found)  # nobody says where that ends


def test_the_same_texts_give_the_same_file_and_it_is_read(encoder: Encoder, tmp_path: Path) -> None:
    texts = [
        each
        for held_out in (False, True)
        for each in bared(["Thank you for calling.", "How can I help?"], held_out)
    ] * 30
    once, figures = train(encoder, "digest", texts, epochs=4)
    again, _ = train(encoder, "digest", texts, epochs=4)
    assert once == again
    assert figures["recall"] == figures["precision"] == 1.0
    file = tmp_path / "boundaries.safetensors"
    file.write_bytes(once)
    boundaries = Boundaries(encoder, file)
    assert boundaries.encoder_digest == "digest"
    assert boundaries.ends(["thank", "you", "for", "calling", "how", "can", "i", "help"]) == {4}


def test_what_ships_finds_the_ends_in_words_of_its_corpus(encoder: Encoder) -> None:
    boundaries = Boundaries(encoder, SHIPPED)
    texts: list[Bared] = [each for each in turns(corpus.load()) if each.held_out][:300]
    found = right = true = 0
    for text in texts:
        ends = {place for place, kind in enumerate(text.kinds[:-1], 1) if kind == 2}
        guessed = boundaries.ends(text.words)
        found, right, true = found + len(guessed), right + len(guessed & ends), true + len(ends)
    assert right > 0.3 * found
    assert right > 0.5 * true
