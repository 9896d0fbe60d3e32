"""Fitting the heads, training on a field's table, and the command that measures both."""

import json
from pathlib import Path

import pytest
import torch

from callscope.models import ModelStore
from services.score.encoder import Encoder
from services.score.heads import Heads
from training import corpus, evaluate, field, heads, train
from training.corpus import Item, Part
from training.network import Network, collate
from training.states import Lengths, Lower, Pair
from training.words import WordModel

EPITOME = (
    "sp_id,rp_id,seeker_post,response_post,ER,ER_rat,IP,IP_rat,EX,EX_rat\n"
    "a,b,I am sad,I hear you,1,I hear you|,2,not there|,0,\n"
    "c,d,My cat ran away,Where was she last?,0,,0,,2,Where was she last?|\n"
    "e,f,It rains,Okay,0,,0,,0,\n"
    "g,h,Nobody calls,That must be lonely,2,must be lonely|That|,1,,0,\n"
)


def fitted(
    models: ModelStore, items: tuple[Item, ...], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> bytes:
    located = models.locate("minilm-l6")
    monkeypatch.setattr(corpus, "load", lambda: items)
    monkeypatch.setattr(heads, "FOLDS", 2)
    return heads.train(Encoder(located.folder, "cpu"), located.name, located.digest, kept)


@pytest.fixture(scope="module")
def lower(models_dir: Path) -> Lower:
    return Lower(ModelStore(models_dir).locate("minilm-l6").folder)


def words_of(lower: Lower, ids: list[int]) -> str:
    return " ".join(lower.tokenizer.convert_ids_to_tokens(ids))


@pytest.fixture
def some() -> tuple[Item, ...]:
    """Enough of the corpus to fit in seconds."""
    return corpus.load()[::80]


def test_the_same_corpus_gives_the_same_bytes_whatever_is_in_the_test_part(
    models: ModelStore,
    some: tuple[Item, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learned = tuple(item for item in some if corpus.part_of(item) is not Part.TEST)
    once = fitted(models, some, tmp_path / "once", monkeypatch)
    again = fitted(models, learned, tmp_path / "again", monkeypatch)
    assert once == again
    assert once == fitted(models, some, tmp_path / "once", monkeypatch)  # from the folds kept
    file = tmp_path / "heads.safetensors"
    file.write_bytes(once)
    assert Heads.read(file).corpus_digest == corpus.digest()


def test_evaluate_prints_the_metrics_of_the_files_columns(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.tsv"
    file.write_text(
        "ctx\ttext\temp\tq\nmy dog died\tI'm so sorry for your loss.\t1\tnone\n"
        "hello\tWhat is your account number?\t0\tclosed\n",
        encoding="utf-8",
    )
    evaluate.main(["--task", "acts", "--data", str(file), "--models", str(models_dir)])
    figures = json.loads(capsys.readouterr().out)
    assert figures["items"] == 2
    assert figures["as_written"]["empathy"]["f1"] == 1.0
    assert figures["without_punctuation"]["question"]["f1"] == 1.0
    assert "reflection" not in figures["as_written"]


def test_a_file_of_calls_has_nothing_held_out(models_dir: Path) -> None:
    calls = ["--task", "acts", "--data", str(corpus.FOLDER / "calls_hollow.txt")]
    with pytest.raises(ValueError, match="another file"):
        evaluate.main([*calls, "--held-out", "--models", str(models_dir)])


def test_the_field_tables_are_read_by_their_columns(tmp_path: Path) -> None:
    file = tmp_path / "epitome.csv"
    file.write_text(EPITOME, encoding="utf-8")
    table = field.read(field.FIELD["epitome"], file)
    assert table.pairs[0] == Pair("I am sad", "I hear you", "I am sad", (((0, 10),), (), ()))
    assert table.targets[0].tolist() == [1, 2, 0]


def test_a_stopped_run_ends_with_the_same_weights_and_can_be_measured(
    models_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train, "MEMBERS", 2)
    file = tmp_path / "epitome.csv"
    file.write_text(EPITOME, encoding="utf-8")
    common = ["--task", "epitome", "--data", str(file), "--models", str(models_dir)]
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    train.main([*common, "--all", "--out", str(whole)])
    capsys.readouterr()
    steps = train.MEMBERS * field.FIELD["epitome"].epochs  # one an epoch
    for _ in range(steps):  # no minutes: stop after every step
        train.main([*common, "--all", "--out", str(parts), "--minutes", "0"])
    assert capsys.readouterr().out.endswith(": done\n")
    one, other = (torch.load(each, weights_only=True) for each in (whole, parts))
    assert len(one["networks"]) == len(other["networks"]) == train.MEMBERS
    for first, second in zip(one["networks"], other["networks"], strict=True):
        assert all(torch.equal(first[name], second[name]) for name in first)
    chance = [network["layer.weight"] for network in one["networks"]]
    assert not torch.equal(chance[0], chance[1])
    evaluate.main([*common, "--model", str(whole)])
    figures = json.loads(capsys.readouterr().out)
    assert figures["items"] == 4
    assert len(figures["IP"]["alone"]) == 2
    with pytest.raises(ValueError, match="another file"):
        evaluate.main([*common, "--model", str(whole), "--held-out"])
    one["heads"] = "others"
    torch.save(one, whole)
    with pytest.raises(ValueError, match="train again"):
        evaluate.main([*common, "--model", str(whole)])


def test_marks_are_the_tokens_of_the_parts_named(lower: Lower, tmp_path: Path) -> None:
    file = tmp_path / "epitome.csv"
    file.write_text(EPITOME, encoding="utf-8")
    task = field.FIELD["epitome"]
    tokens = lower.tokens(field.read(task, file).pairs, task.lengths)
    marked = [
        token for token, mark in zip(tokens[3].ids, tokens[3].marks[:, 0], strict=True) if mark
    ]
    assert words_of(lower, marked) == "that must be lonely"
    assert not tokens[2].marks.any()


def test_a_long_text_keeps_its_beginning_and_its_end(lower: Lower) -> None:
    pair = Pair("one two three", "four five six seven eight nine ten")
    (tokens,) = lower.tokens([pair], Lengths(2, 3))
    assert words_of(lower, tokens.ids) == "[CLS] two three [SEP] four nine ten [SEP]"
    assert tokens.judged.tolist() == [False] * 4 + [True] * 4


def test_what_enters_a_network_does_not_depend_on_the_other_pairs(lower: Lower) -> None:
    pairs = [Pair("one two", "three"), Pair("", "Okay then, let us see."), Pair("What?", "No")]
    together = lower.states(pairs, Lengths(4, 4))
    for pair, state in zip(pairs, together, strict=True):
        (alone,) = lower.states([pair], Lengths(4, 4))
        assert torch.allclose(alone.entering.float(), state.entering.float(), atol=0.05)
    network = Network(lower.upper, outputs=3).eval()
    whole = network(collate(together)).logits
    for row, state in enumerate(together):
        assert torch.allclose(network(collate([state])).logits[0], whole[row], atol=0.02)


def test_the_word_model_learns_a_set_phrase_and_an_act_and_is_kept_whole() -> None:
    asked = [Pair("", f"{opening} what else") for opening in "abcd"]
    told = [Pair("", f"{opening} that is") for opening in "abcd"]
    targets = torch.tensor([[1]] * 4 + [[0]] * 4)
    acts = torch.tensor([[2.0]] * 4 + [[-2.0]] * 4)
    model = WordModel.fit(
        asked + told,
        acts,
        targets,
        outputs=2,
        loss=lambda logits, batch: torch.nn.functional.cross_entropy(logits, batch[:, 0]),
    )
    seen = [Pair("", "and what else is there"), Pair("", "that is it"), Pair("", ""), Pair("", "")]
    found = model.predict(seen, torch.tensor([[0.0], [0.0], [3.0], [-3.0]]))
    assert found.argmax(dim=1).tolist() == [1, 0, 1, 0]
    again = WordModel.of(model.state()).predict(seen, torch.tensor([[0.0], [0.0], [3.0], [-3.0]]))
    assert torch.equal(again, found)


def test_networks_and_words_decide_together() -> None:
    task = field.FIELD["annomi"]
    sure, unsure = torch.zeros(1, 10), torch.zeros(1, 10)
    sure[0, 1], unsure[0, 2] = 8.0, 1.0
    found = field.blended(task, [sure, unsure], torch.zeros(1, 10))
    assert found[0, :4].argmax() == 1
    assert torch.allclose(found[0, 4:7].softmax(dim=0), torch.full((3,), 1 / 3))


def test_a_table_without_marks_and_with_only_the_last_turn_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "annomi.csv"
    file.write_text(
        "transcript_id,text,prev_client,main,question,reflection\n"
        "1,Okay.,I quit.,other,none,none\n",
        encoding="utf-8",
    )
    table = field.read(field.FIELD["annomi"], file)
    assert table.pairs == [Pair("I quit.", "Okay.", "I quit.")]


def test_of_several_turns_the_clients_last_is_what_was_heard(tmp_path: Path) -> None:
    file = tmp_path / "annomi.csv"
    file.write_text(
        "transcript_id,text,prev_turns,main,question,reflection\n"
        "1,Okay.,therapist: How so? || client: I quit.,other,none,none\n"
        "1,And?,client: I quit. || therapist: Okay.,question,open,none\n",
        encoding="utf-8",
    )
    pairs = field.read(field.FIELD["annomi"], file).pairs
    assert [pair.context.customer for pair in pairs] == ["I quit.", ""]
    assert pairs[0].before == "therapist: How so? || client: I quit."
