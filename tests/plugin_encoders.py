"""Encoders of no known library, as an outsider would write them for the plug-in route."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn import functional

from concepttransfer.encoders.base import Built


class Block(nn.Module):
    """He et al. 2016, section 4.2, option A: a shortcut that strides and pads channels with zeros."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.stride, self.extra = (2, (n_out - n_in) // 2) if n_in != n_out else (1, 0)
        self.conv1 = nn.Conv2d(n_in, n_out, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        shortcut = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.extra, self.extra))
        return (inner + shortcut).relu()


class CifarResNet(nn.Module):
    def __init__(self, depth: int, stride: int) -> None:
        super().__init__()
        n = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*[Block(16, 16) for _ in range(n)])
        self.layer2 = nn.Sequential(Block(16, 32), *[Block(32, 32) for _ in range(n - 1)])
        self.layer3 = nn.Sequential(Block(32, 64), *[Block(64, 64) for _ in range(n - 1)])
        self.linear = nn.Linear(64, 10)

    def forward_features(self, batch: Tensor) -> Tensor:
        return self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(batch)).relu())))


def cifar_resnet(depth: int = 20, stride: int = 1) -> nn.Module:
    return CifarResNet(depth, stride)


class Colours(nn.Module):
    """The mean colour of each quarter of a picture: features that can be checked by eye."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))


def quarters(module: Colours, batch: Tensor) -> Tensor:
    return module.gain * functional.adaptive_avg_pool2d(batch, 2).flatten(2).transpose(1, 2)


def pixels(picture) -> Tensor:
    import numpy as np

    return torch.from_numpy(np.array(picture.resize((8, 8)))).movedim(-1, 0).float() / 255


def letters(text: str) -> Tensor:
    return torch.tensor([float(ord(letter)) for letter in text[:4].ljust(4)])


def colours() -> Built:
    return Built(Colours(), {"last_map": quarters}, pixels, "pixels 8", "plugin colours")


def slow_colours() -> Built:
    """A batch takes as long as on a small GPU, so that a process can be killed half way."""

    def slowly(module: Colours, batch: Tensor) -> Tensor:
        time.sleep(0.015)
        return quarters(module, batch)

    return Built(Colours(), {"last_map": slowly}, pixels, "pixels 8", "plugin slow colours")


def text_letters() -> Built:
    readouts = {"projected": lambda module, batch: batch[:, None] * module.gain}
    return Built(Colours(), readouts, letters, "letters", "plugin letters", modality="text")


def huge() -> Built:
    return Built(Colours(), {"last_map": lambda m, x: quarters(m, x) * 1e6}, pixels, "pixels 8", "plugin huge")


def wide() -> Built:
    """8,192 numbers a picture for almost no work."""
    readouts = {"last_map": lambda m, x: quarters(m, x).flatten(1)[:, :8].repeat(1, 1024)[:, None]}
    return Built(Colours(), readouts, pixels, "pixels 8", "plugin wide")


def nothing() -> int:
    return 3
