"""Write the weights that ship from a trained network: `python -m training.export`."""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from callscope.models import ModelStore
from services.score.classifier import SHIPPED
from training import corpus
from training.network import SCALE, Network
from training.train import BUILD, ENCODER, build

__all__ = ["describe", "export", "main"]


def main(arguments: list[str] | None = None) -> None:
    """Write the file; `python -m training.calibrate` must follow."""
    parser = argparse.ArgumentParser(description="Write the weights of the classifier of acts.")
    parser.add_argument("--checkpoint", type=Path, default=BUILD / "acts-1.pt")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args(arguments)
    located = ModelStore(options.models).locate(options.encoder)
    network = build("acts", located.folder)
    network.load_state_dict(torch.load(options.checkpoint, weights_only=True)["network"])
    options.out.write_bytes(export(network, located.name, located.digest))


def export(network: Network, name: str, digest: str) -> bytes:
    """The file's content; `name` and `digest` say which encoder it goes with."""
    network.eval()
    mean, variance = network.norm.running_mean, network.norm.running_var
    if mean is None or variance is None:
        raise TypeError("the network keeps no running statistics")
    width = network.layer.weight.shape[1] - network.norm.num_features
    weight, bias = network.layer.weight.detach().clone(), network.layer.bias.detach().clone()
    deviation = torch.sqrt(variance + network.norm.eps)
    weight[:, width:] /= deviation  # the hand-made features are not normalized when it runs
    bias -= weight[:, width:] @ mean
    tensors = {
        "weight": weight.contiguous(),
        "bias": bias,
        "slope": torch.ones(len(bias)),
        "shift": torch.zeros(len(bias)),
    }
    for key, value in network.encoder.state_dict().items():
        for old, new in ((".lora_A.default.weight", "down"), (".lora_B.default.weight", "up")):
            if key.endswith(old):
                module = key.removeprefix("base_model.model.").removesuffix(old)
                tensors[f"{module}.{new}"] = value.half().contiguous()
    description = {
        "acts": corpus.ACTS,
        "corpus_digest": corpus.digest(),
        "encoder": name,
        "encoder_digest": digest,
        "scale": SCALE,
    }
    return save({**tensors, "description": describe(description)})


def describe(description: dict[str, Any]) -> torch.Tensor:
    """The description as a tensor: the order of the format's own metadata is not fixed."""
    text = json.dumps(description, sort_keys=True).encode()
    return torch.tensor(list(text), dtype=torch.uint8)


if __name__ == "__main__":
    main()
