"""Training on a handful of sentences, with the real encoder."""

import json
from pathlib import Path

import pytest
import torch

from callscope.models import ModelStore
from services.score.classifier import LENGTHS, ActClassifier, Pair
from training import acts, corpus, evaluate, loop
from training.acts import ActExamples
from training.calibrate import platt
from training.export import export
from training.loop import Recipe
from training.network import Network, tokenizer
from training.train import build

pytest.importorskip("peft")
# peft calls what transformers renamed
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

BLOCK = """
>R My phone is dead.
e Oh no, how awful.
c What's your number?
f So the phone is dead.
- It is blue.
"""
ITEMS = tuple(corpus.parse(BLOCK, "here"))
RECIPE = Recipe(epochs=3, rate=1e-3, layer_rate=1e-3, batch=2, lengths=LENGTHS, seed=1)


def trained(models: ModelStore, checkpoint: Path, stops: bool = False) -> Network:
    folder = models.locate("minilm-l6").folder
    done = False
    while not done:
        torch.manual_seed(1)
        network = build("acts", folder)
        examples = ActExamples.of(ITEMS)
        minutes = 0.0 if stops else float("inf")  # 0: stop after every step
        done = loop.run(
            network, tokenizer(folder), examples, acts.loss, RECIPE, checkpoint, minutes
        )
    return network


def test_the_same_seed_gives_the_same_weights_and_a_stop_changes_nothing(
    models: ModelStore, tmp_path: Path
) -> None:
    once = export(trained(models, tmp_path / "a.pt"), "minilm-l6", "digest")
    again = export(trained(models, tmp_path / "b.pt"), "minilm-l6", "digest")
    resumed = export(trained(models, tmp_path / "c.pt", stops=True), "minilm-l6", "digest")
    assert once == again == resumed


def test_what_is_exported_judges_as_what_was_trained(models: ModelStore, tmp_path: Path) -> None:
    network = trained(models, tmp_path / "a.pt")
    located = models.locate("minilm-l6")
    file = tmp_path / "acts.safetensors"
    file.write_bytes(export(network, located.name, located.digest))
    pairs = [Pair(item.customer, item.text) for item in ITEMS]
    expected = loop.predict(network, tokenizer(located.folder), pairs, LENGTHS).numpy()
    assert ActClassifier(models, file).logits(pairs) == pytest.approx(expected, abs=5e-3)


def test_platt_scaling_lowers_overconfidence() -> None:
    logits = torch.tensor([4.0, 4.0, 4.0, -4.0, -4.0, -4.0] * 20)
    labels = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 1.0] * 20)
    slope, shift = platt(logits, labels)
    assert slope * 4 + shift == pytest.approx(0.69, abs=0.1)  # the logit of 2/3


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


def test_the_field_tables_are_read_by_their_columns(tmp_path: Path) -> None:
    from training import field

    file = tmp_path / "epitome.csv"
    file.write_text(
        "sp_id,rp_id,seeker_post,response_post,ER,IP,EX\na,b,I am sad,I hear you,1,2,0\n",
        encoding="utf-8",
    )
    table = field.read(field.FIELD["epitome"], file)
    assert table.pairs == [Pair("I am sad", "I hear you")]
    assert table.targets.tolist() == [[1, 2, 0]]
