"""Layers that multiply in bfloat16 while they learn, where the processor has tiles."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from services.score.layers import Layer, Packing
from training.precision import fastest

WIDTH, WIDE = 24, 48


@pytest.fixture
def layer() -> Layer:
    torch.manual_seed(1)

    def linear(inputs: int = WIDTH, outputs: int = WIDTH) -> nn.Linear:
        return nn.Linear(inputs, outputs)

    asked = SimpleNamespace(num_attention_heads=2, query=linear(), key=linear(), value=linear())
    attended = SimpleNamespace(dense=linear(), LayerNorm=nn.LayerNorm(WIDTH))
    return Layer(
        SimpleNamespace(
            attention=SimpleNamespace(self=asked, output=attended),
            intermediate=SimpleNamespace(dense=linear(WIDTH, WIDE)),
            output=SimpleNamespace(dense=linear(WIDE), LayerNorm=nn.LayerNorm(WIDTH)),
        )
    ).eval()


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    def has(tiles: bool) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": tiles})

    return has


def test_without_tiles_a_layer_stays_as_it_is(
    layer: Layer, processor: Callable[[bool], None]
) -> None:
    processor(False)
    assert fastest(layer) is layer


def test_with_tiles_it_finds_nearly_the_same_and_learns_in_32_bits(
    layer: Layer, processor: Callable[[bool], None]
) -> None:
    processor(True)
    coarse = fastest(layer)
    states, packing = torch.randn(12, WIDTH), Packing.of([5, 7], torch.device("cpu"))
    found, exact = coarse(states, packing), layer(states, packing)
    assert found.dtype is torch.float32
    assert torch.allclose(found, exact, atol=0.05)
    assert not torch.equal(found, exact)
    found.square().sum().backward()
    kept = coarse.state_dict()
    assert kept.keys() == layer.state_dict().keys()
    assert all(torch.equal(kept[name], each) for name, each in layer.state_dict().items())
    assert all(
        each.grad is not None and each.grad.dtype is torch.float32 for each in coarse.parameters()
    )
