"""CAM++, the speaker embedding network: a densely connected TDNN with context-aware masking.

Architecture after Wang, Zheng, Chen, Cheng, Chen, "CAM++: A Fast and Efficient Network for
Speaker Verification Using Context-Aware Masking", Interspeech 2023 (arXiv 2303.00332). A small
2-D convolutional front end reduces the frequency axis; three blocks of densely connected 1-D
layers follow, each layer scaled by a mask computed from the utterance's and the neighborhood's
mean; statistics over time give one vector.

Modules are named as in the published state dict (192 dimensions, 80 mel bins), which therefore
loads strictly.
"""

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["EMBEDDING_SIZE", "CamPlusPlus"]

MEL_BINS = 80
EMBEDDING_SIZE = 192
FRONT_CHANNELS = 32
FIRST_TDNN_CHANNELS = 128
GROWTH = 32
BOTTLENECK = 4 * GROWTH
DENSE_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""(layers, dilation) of each densely connected block."""

CONTEXT_FRAMES = 100
"""Length of a context-aware mask's neighborhood, in frames after the first TDNN (20 ms each)."""


class CamPlusPlus(nn.Module):
    """Filterbank features, mean-normalized over time, to one speaker embedding each.

    Shapes: (batch, frames, 80) to (batch, 192). Embeddings are not length-normalized.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = FrontEnd()
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        stages["tdnn"] = Tdnn(self.head.out_channels, FIRST_TDNN_CHANNELS)
        channels = FIRST_TDNN_CHANNELS
        for number, (layers, dilation) in enumerate(DENSE_BLOCKS, start=1):
            stages[f"block{number}"] = DenseBlock(channels, layers, dilation)
            channels += layers * GROWTH
            stages[f"transit{number}"] = Transition(channels, channels // 2)
            channels //= 2
        stages["out_nonlinear"] = norm_relu(channels)
        stages["stats"] = StatisticsPooling()
        stages["dense"] = Projection(2 * channels, EMBEDDING_SIZE)
        self.xvector = nn.Sequential(stages)

    def forward(self, features: Tensor) -> Tensor:
        """Embed a batch of utterances of equal length."""
        maps = self.head(features.transpose(1, 2).unsqueeze(1))
        embeddings: Tensor = self.xvector(maps)
        return embeddings


def norm_relu(channels: int) -> nn.Sequential:
    """Batch normalization and a rectifier, under the state dict's names."""
    return nn.Sequential(
        OrderedDict(batchnorm=nn.BatchNorm1d(channels), relu=nn.ReLU(inplace=True))
    )


class FrontEnd(nn.Module):
    """The 2-D residual front end: (batch, 1, 80, frames) to (batch, 320, frames)."""

    def __init__(self) -> None:
        super().__init__()
        width = FRONT_CHANNELS
        self.conv1 = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(Residual(width, 2), Residual(width, 1))
        self.layer2 = nn.Sequential(Residual(width, 2), Residual(width, 1))
        self.conv2 = nn.Conv2d(width, width, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.out_channels = width * MEL_BINS // 8  # the frequency axis was halved three times

    def forward(self, spectrogram: Tensor) -> Tensor:
        maps = functional.relu(self.bn1(self.conv1(spectrogram)))
        maps = self.layer2(self.layer1(maps))
        return functional.relu(self.bn2(self.conv2(maps))).flatten(1, 2)


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut; `stride` thins out frequency only."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.Conv2d(channels, channels, 1, stride=(stride, 1), bias=False))
            self.shortcut.append(nn.BatchNorm2d(channels))

    def forward(self, maps: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(maps)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.shortcut(maps))


class Tdnn(nn.Module):
    """The first 1-D convolution; halves the frame rate to 20 ms."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(in_channels, out_channels, 5, stride=2, padding=2, bias=False)
        self.nonlinear = norm_relu(out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.nonlinear(self.linear(maps))
        return result


class DenseBlock(nn.ModuleDict):
    """Layers that each see the block's input and all earlier layers' outputs."""

    def __init__(self, in_channels: int, layers: int, dilation: int) -> None:
        super().__init__(
            {
                f"tdnnd{number + 1}": DenseLayer(in_channels + number * GROWTH, dilation)
                for number in range(layers)
            }
        )

    def forward(self, maps: Tensor) -> Tensor:
        for layer in self.values():
            maps = torch.cat([maps, layer(maps)], dim=1)
        return maps


class DenseLayer(nn.Module):
    """A bottleneck and a masked convolution that add `GROWTH` channels."""

    def __init__(self, in_channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = norm_relu(in_channels)
        self.linear1 = nn.Conv1d(in_channels, BOTTLENECK, 1, bias=False)
        self.nonlinear2 = norm_relu(BOTTLENECK)
        self.cam_layer = MaskedConvolution(BOTTLENECK, GROWTH, dilation)

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(maps))))
        return result


class MaskedConvolution(nn.Module):
    """A convolution scaled by a mask that utterance and neighborhood determine (section 2.2)."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            in_channels, out_channels, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(in_channels, in_channels // 2, 1)
        self.linear2 = nn.Conv1d(in_channels // 2, out_channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        # The mask is constant over a neighborhood: computed once there, then spread out.
        context = neighborhood_means(maps) + maps.mean(dim=-1, keepdim=True)
        mask = torch.sigmoid(self.linear2(functional.relu(self.linear1(context))))
        frames = maps.shape[-1]
        spread = mask.repeat_interleave(CONTEXT_FRAMES, dim=-1)[..., :frames]
        result: Tensor = self.linear_local(maps) * spread
        return result


def neighborhood_means(maps: Tensor) -> Tensor:
    """Mean over each run of `CONTEXT_FRAMES` frames, the last one as long as it happens to be."""
    return functional.avg_pool1d(maps, CONTEXT_FRAMES, stride=CONTEXT_FRAMES, ceil_mode=True)


class Transition(nn.Module):
    """Halves the channels between blocks."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.nonlinear = norm_relu(in_channels)
        self.linear = nn.Conv1d(in_channels, out_channels, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.linear(self.nonlinear(maps))
        return result


class StatisticsPooling(nn.Module):
    """Mean and standard deviation over time: (batch, channels, frames) to (batch, 2 channels)."""

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([maps.mean(dim=-1), maps.std(dim=-1)], dim=-1)


class Projection(nn.Module):
    """The last linear layer, with a normalization that has no weights of its own."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(in_channels, out_channels, 1, bias=False)
        self.nonlinear = nn.Sequential(
            OrderedDict(batchnorm=nn.BatchNorm1d(out_channels, affine=False))
        )

    def forward(self, statistics: Tensor) -> Tensor:
        result: Tensor = self.nonlinear(self.linear(statistics.unsqueeze(-1)).squeeze(-1))
        return result
