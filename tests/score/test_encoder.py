"""The encoder against the library it takes the weights from, and its branch."""

import copy

import numpy as np
import numpy.typing as npt
import pytest
import torch

from callscope.models import ModelStore
from services.score.branch import changed, changes, pooled
from services.score.encoder import Encoder, load
from services.score.layers import Packing

TEXTS = (
    "Yes.",
    "I'm so sorry that you had to wait for the whole of the day, and for nothing at all.",
    "What would you like me to do about it?",
    "The fee is twelve pounds.",
)
LAST = 4

Floats = npt.NDArray[np.float32]


def quiet(_: float) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def published(models: ModelStore) -> Floats:
    """What the library makes of the texts."""
    tokenizer, model = load(models.locate("minilm-l6").folder)
    tokens = tokenizer(list(TEXTS), padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = model.eval()(**tokens).last_hidden_state
    mask = tokens["attention_mask"].unsqueeze(-1)
    means = (states * mask).sum(dim=1) / mask.sum(dim=1)
    vectors: Floats = torch.nn.functional.normalize(means, dim=1).numpy()
    return vectors


def test_the_layers_are_those_of_the_library(encoder: Encoder, published: Floats) -> None:
    states = encoder.states(TEXTS, 0)
    packing = Packing.of([len(states[text]) for text in TEXTS], torch.device("cpu"))
    with torch.inference_mode():
        entered = torch.cat([states[text] for text in TEXTS]).float()
        found = pooled(encoder.branch_from(0)(entered, packing), packing)
    assert np.allclose(found.numpy(), published, atol=1e-3)  # what enters them has 16 bits


def test_eight_bits_hardly_move_a_cosine(encoder: Encoder, published: Floats) -> None:
    found = encoder.encode(TEXTS, quiet)
    assert (found * published).sum(axis=1).min() > 0.97
    assert np.abs(found @ found.T - published @ published.T).max() < 0.03


def test_processors_without_instructions_for_it_find_the_same(
    models: ModelStore, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    plain = Encoder(models.locate("minilm-l6").folder, "cpu")
    assert np.array_equal(plain.encode(TEXTS, quiet), encoder.encode(TEXTS, quiet))


def test_a_vector_does_not_depend_on_what_is_encoded_with_it(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS, quiet)
    alone = np.vstack([encoder.encode([text], quiet) for text in TEXTS])
    assert np.allclose(together, alone, atol=1e-6)


def test_a_branch_without_changes_is_the_encoder(encoder: Encoder) -> None:
    last = encoder.branch_from(LAST).layers
    branch = encoder.branch(changes(last, last)).in_eight_bits()
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
    branch = encoder.branch(changes(layers, doubled)).in_eight_bits()
    _, tuned = encoder.encode_both(TEXTS, branch, quiet)
    assert np.array_equal(encoder.encode(TEXTS, quiet), before)
    assert not np.allclose(tuned, before, atol=0.01)


@pytest.mark.parametrize("texts", [(), ("",)])
def test_nothing_to_encode_is_no_error(encoder: Encoder, texts: tuple[str, ...]) -> None:
    assert encoder.encode(texts, quiet).shape == (len(texts), encoder.dimensions)
