"""CAM++, the speaker embedding network: a densely connected TDNN with context-aware masking.

Architecture after Wang, Zheng, Chen, Cheng and Chen, "CAM++: A Fast and Efficient Network for
Speaker Verification Using Context-Aware Masking", Interspeech 2023 (arXiv 2303.00332). A small
2-D convolutional front end reduces the frequency axis; three blocks of densely connected 1-D
layers follow, each layer scaled by a mask computed from the utterance's and the neighborhood's
mean; statistics over time give one vector.

Modules are named as in the published state dict (80 mel bins, 192 dimensions), which therefore
loads strictly. Behind the front end maps are laid out (channels, batch, frames): a pointwise
convolution is then one matrix product over the batch, and what a dense layer sees of its block
is one contiguous slice, which costs no copy.
"""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["EMBEDDING_SIZE", "MEL_BINS", "CamPlusPlus"]

MEL_BINS = 80
EMBEDDING_SIZE = 192

_FRONT_CHANNELS = 32
_FIRST_CHANNELS = 128
_GROWTH = 32
_BOTTLENECK = 4 * _GROWTH
_BLOCKS = ((12, 1), (24, 2), (16, 2))  # (layers, dilation)
_NEIGHBORHOOD = 100  # frames of 20 ms over which a mask's local context is taken


class CamPlusPlus(nn.Module):
    """Filterbank features, mean-normalized over time, to one speaker embedding each.

    Shapes: (batch, frames, 80) to (batch, 192). Embeddings are not scaled to unit length.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = _FrontEnd()
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        stages["tdnn"] = _Tdnn(self.head.out_channels, _FIRST_CHANNELS)
        channels = _FIRST_CHANNELS
        for number, (layers, dilation) in enumerate(_BLOCKS, start=1):
            stages[f"block{number}"] = _DenseBlock(channels, layers, dilation)
            channels += layers * _GROWTH
            stages[f"transit{number}"] = _Transition(channels, channels // 2)
            channels //= 2
        stages["out_nonlinear"] = _NormRelu(channels)
        stages["stats"] = _Statistics()
        stages["dense"] = _Projection(2 * channels, EMBEDDING_SIZE)
        self.xvector = nn.Sequential(stages)

    def forward(self, features: Tensor) -> Tensor:
        """Embed a batch of utterances of equal length."""
        embeddings: Tensor = self.xvector(self.head(features.transpose(1, 2).unsqueeze(1)))
        return embeddings

    def fused(self) -> "CamPlusPlus":
        """Fold normalizations into the convolutions before them: the same results, sooner.

        Changes this network, which must be in evaluation mode, and returns it.
        """
        for module in self.modules():
            if isinstance(module, _FrontEnd | _Residual | _Tdnn | _DenseLayer):
                module.fuse()
        self.head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self


class _FrontEnd(nn.Module):
    """Residual 2-D convolutions: (batch, 1, 80, frames) to (batch, 320, frames)."""

    def __init__(self) -> None:
        super().__init__()
        width = _FRONT_CHANNELS
        self.conv1 = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.bn1: nn.Module = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(_Residual(width, 2), _Residual(width, 1))
        self.layer2 = nn.Sequential(_Residual(width, 2), _Residual(width, 1))
        self.conv2 = nn.Conv2d(width, width, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2: nn.Module = nn.BatchNorm2d(width)
        self.out_channels = width * MEL_BINS // 8  # the frequency axis was halved three times

    def forward(self, spectrogram: Tensor) -> Tensor:
        maps = functional.relu_(self.bn1(self.conv1(spectrogram)))
        maps = self.layer2(self.layer1(maps))
        return functional.relu_(self.bn2(self.conv2(maps))).flatten(1, 2)

    def fuse(self) -> None:
        self.conv1, self.bn1 = _folded(self.conv1, self.bn1), nn.Identity()
        self.conv2, self.bn2 = _folded(self.conv2, self.bn2), nn.Identity()


class _Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; `stride` thins out frequency only."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1: nn.Module = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2: nn.Module = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.Conv2d(channels, channels, 1, stride=(stride, 1), bias=False))
            self.shortcut.append(nn.BatchNorm2d(channels))

    def forward(self, maps: Tensor) -> Tensor:
        inner = functional.relu_(self.bn1(self.conv1(maps)))
        return functional.relu_(self.bn2(self.conv2(inner)) + self.shortcut(maps))

    def fuse(self) -> None:
        self.conv1, self.bn1 = _folded(self.conv1, self.bn1), nn.Identity()
        self.conv2, self.bn2 = _folded(self.conv2, self.bn2), nn.Identity()
        if len(self.shortcut) > 0:
            self.shortcut = nn.Sequential(_folded(*self.shortcut))


class _NormRelu(nn.Module):
    """Batch normalization and a rectifier over (channels, batch, frames)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batchnorm: nn.Module = nn.BatchNorm1d(channels)

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu_(self.batchnorm(maps.flatten(1).unsqueeze(0))).view(maps.shape)


class _Tdnn(nn.Module):
    """The first 1-D convolution, with a stride to 20 ms; from batch first to channels first."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(in_channels, out_channels, 5, stride=2, padding=2, bias=False)
        self.nonlinear = _NormRelu(out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.nonlinear(self.linear(maps).transpose(0, 1).contiguous())
        return result

    def fuse(self) -> None:
        self.linear = _folded(self.linear, self.nonlinear.batchnorm)
        self.nonlinear.batchnorm = nn.Identity()


class _DenseBlock(nn.ModuleDict):
    """Layers that each see the block's input and all earlier layers' outputs."""

    def __init__(self, in_channels: int, layers: int, dilation: int) -> None:
        super().__init__(
            {
                f"tdnnd{number + 1}": _DenseLayer(in_channels + number * _GROWTH, dilation)
                for number in range(layers)
            }
        )

    def forward(self, maps: Tensor) -> Tensor:
        seen, batch, frames = maps.shape
        grown = maps.new_empty(seen + len(self) * _GROWTH, batch, frames)
        grown[:seen] = maps
        for layer in self.values():
            grown[seen : seen + _GROWTH] = layer(grown[:seen])
            seen += _GROWTH
        return grown


class _DenseLayer(nn.Module):
    """A bottleneck and a masked convolution that add `_GROWTH` channels."""

    def __init__(self, in_channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _NormRelu(in_channels)
        self.linear1 = nn.Conv1d(in_channels, _BOTTLENECK, 1, bias=False)
        self.nonlinear2 = _NormRelu(_BOTTLENECK)
        self.cam_layer = _MaskedConvolution(_BOTTLENECK, _GROWTH, dilation)

    def forward(self, maps: Tensor) -> Tensor:
        bottleneck = _pointwise(self.linear1, self.nonlinear1(maps))
        result: Tensor = self.cam_layer(self.nonlinear2(bottleneck))
        return result

    def fuse(self) -> None:
        self.linear1 = _folded(self.linear1, self.nonlinear2.batchnorm)
        self.nonlinear2.batchnorm = nn.Identity()


class _MaskedConvolution(nn.Module):
    """A convolution over three frames, scaled by a mask from the context (section 2.2)."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            in_channels, out_channels, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(in_channels, in_channels // 2, 1)
        self.linear2 = nn.Conv1d(in_channels // 2, out_channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        frames = maps.shape[-1]
        # Constant over a neighborhood: computed once for each, then spread over its frames.
        context = functional.avg_pool1d(maps, _NEIGHBORHOOD, stride=_NEIGHBORHOOD, ceil_mode=True)
        context = context + maps.mean(dim=-1, keepdim=True)
        hidden = functional.relu_(_pointwise(self.linear1, context))
        mask = torch.sigmoid(_pointwise(self.linear2, hidden))
        return self._convolve(maps).mul_(
            mask.repeat_interleave(_NEIGHBORHOOD, dim=-1)[..., :frames]
        )

    def _convolve(self, maps: Tensor) -> Tensor:
        """All three taps as one matrix product, added up with their delays."""
        (shift,) = self.linear_local.dilation
        taps = self.linear_local.weight.permute(2, 0, 1).flatten(0, 1)  # (3 out, in)
        products = (taps @ maps.flatten(1)).view(3, -1, *maps.shape[1:])
        before, result, after = products.unbind()
        result[..., shift:] += before[..., :-shift]
        result[..., :-shift] += after[..., shift:]
        return result


class _Transition(nn.Module):
    """Halves the channels between blocks."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.nonlinear = _NormRelu(in_channels)
        self.linear = nn.Conv1d(in_channels, out_channels, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        return _pointwise(self.linear, self.nonlinear(maps))


class _Statistics(nn.Module):
    """Mean and standard deviation over time: (channels, batch, frames) to (batch, 2 channels)."""

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([maps.mean(dim=-1), maps.std(dim=-1)]).T


class _Projection(nn.Module):
    """The last linear layer; its normalization has no weights of its own."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(in_channels, out_channels, 1, bias=False)
        norm = nn.BatchNorm1d(out_channels, affine=False)
        self.nonlinear = nn.Sequential(OrderedDict(batchnorm=norm))

    def forward(self, statistics: Tensor) -> Tensor:
        result: Tensor = self.nonlinear(self.linear(statistics.unsqueeze(-1)).squeeze(-1))
        return result


def _folded(convolution: Any, norm: Any) -> Any:
    """The convolution with the normalization that follows it inside."""
    return fuse_conv_bn_eval(convolution, norm)


def _pointwise(convolution: nn.Conv1d, maps: Tensor) -> Tensor:
    """A convolution of length one, on (channels, batch, frames)."""
    weight, columns = convolution.weight[..., 0], maps.flatten(1)
    if convolution.bias is None:
        return (weight @ columns).view(-1, *maps.shape[1:])
    return torch.addmm(convolution.bias[:, None], weight, columns).view(-1, *maps.shape[1:])
