"""The encoder against the library it takes the weights from, and its branch."""

import copy

import numpy as np
import pytest
import torch

from callscope.models import ModelStore
from services.score.branch import changed, changes
from services.score.encoder import Encoder, load

TEXTS = (
    "Yes.",
    "I'm so sorry that you had to wait for the whole of the day, and for nothing at all.",
    "What would you like me to do about it?",
    "The fee is twelve pounds.",
)
LAST = 4


def quiet(_: float) -> None:
    """Progress that nobody watches."""


def test_the_vectors_are_those_of_the_library(models: ModelStore, encoder: Encoder) -> None:
    tokenizer, model = load(models.locate("minilm-l6").folder)
    tokens = tokenizer(list(TEXTS), padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = model.eval()(**tokens).last_hidden_state
    mask = tokens["attention_mask"].unsqueeze(-1)
    means = (states * mask).sum(dim=1) / mask.sum(dim=1)
    expected = torch.nn.functional.normalize(means, dim=1).numpy()
    assert np.allclose(encoder.encode(TEXTS, quiet), expected, atol=1e-6)


def test_a_vector_does_not_depend_on_what_is_encoded_with_it(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS, quiet)
    alone = np.vstack([encoder.encode([text], quiet) for text in TEXTS])
    assert np.allclose(together, alone, atol=1e-6)


def test_half_precision_hardly_moves_a_cosine(models: ModelStore, encoder: Encoder) -> None:
    half = Encoder(models.locate("minilm-l6").folder, "cpu", "bfloat16").encode(TEXTS, quiet)
    whole = encoder.encode(TEXTS, quiet)
    assert np.abs(half @ half.T - whole @ whole.T).max() < 0.005


def test_a_branch_without_changes_is_the_encoder(encoder: Encoder) -> None:
    last = encoder.branch_from(LAST).layers
    branch = encoder.branch(changes(last, last))
    plain, tuned = encoder.encode_both(TEXTS, branch, quiet)
    assert branch.first == LAST
    assert np.array_equal(plain, tuned)
    assert np.array_equal(plain, encoder.encode(TEXTS, quiet))


def test_changes_are_kept_to_within_half_a_step(encoder: Encoder) -> None:
    before = encoder.branch_from(LAST).layers
    after = copy.deepcopy(before)
    chance = torch.Generator().manual_seed(1)
    for parameter in after.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=chance)
    kept = changes(before, after)
    again = changed(copy.deepcopy(before), kept)
    for name, weight in after.state_dict().items():
        assert kept[name].dtype == np.int8
        step = float(kept[f"{name}.scale"].max())
        assert torch.allclose(again.state_dict()[name], weight, atol=0.51 * step)


def test_a_branch_leaves_the_published_layers_alone(encoder: Encoder) -> None:
    before = encoder.encode(TEXTS, quiet)
    layers = encoder.branch_from(LAST).layers
    doubled = copy.deepcopy(layers)
    for parameter in doubled.parameters():
        parameter.data *= 1.5
    _, tuned = encoder.encode_both(TEXTS, encoder.branch(changes(layers, doubled)), quiet)
    assert np.array_equal(encoder.encode(TEXTS, quiet), before)
    assert not np.allclose(tuned, before, atol=0.01)


@pytest.mark.parametrize("texts", [(), ("",)])
def test_nothing_to_encode_is_no_error(encoder: Encoder, texts: tuple[str, ...]) -> None:
    assert encoder.encode(texts, quiet).shape == (len(texts), encoder.dimensions)
