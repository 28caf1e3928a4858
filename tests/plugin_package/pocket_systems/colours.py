"""`colours:N`: the mean and the spread of the colours in each of N x N regions of a picture. Nothing is learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from concepttransfer.encoders.base import Built
from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.errors import BadInputError

SIDE = 48


class Colours(nn.Module):
    """Its only weight, 1, scales what it gives."""

    def __init__(self, regions: int) -> None:
        super().__init__()
        self.regions = regions
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, batch: Tensor) -> Tensor:
        """Pictures `[b, 3, h, w]` to `[b, regions * regions, 6]`."""
        mean = adaptive_avg_pool2d(batch, self.regions)
        spread = (adaptive_avg_pool2d(batch**2, self.regions) - mean**2).clamp(min=0).sqrt()
        return self.gain * torch.cat([mean, spread], 1).flatten(2).transpose(1, 2)


def pixels(picture: Image.Image) -> Tensor:
    """A picture as `[3, SIDE, SIDE]`, between 0 and 1."""
    small = np.asarray(picture.resize((SIDE, SIDE)), dtype=np.float32)
    return torch.from_numpy(small / 255).movedim(-1, 0)


def build(spec: EncoderSpec, root: Path) -> Built:
    """What concepttransfer calls for `model: "colours:N"`.

    Raises:
        BadInputError: N is no number of regions.
    """
    number = spec.model.removeprefix("colours:")
    if not number.isdecimal() or not 1 <= int(number) <= SIDE:
        raise BadInputError(f"`{spec.model}`: wanted is `colours:N`, N x N regions, N from 1 to {SIDE}.")
    return Built(
        module=Colours(int(number)),
        readouts={
            "patch_tokens": lambda module, batch: module(batch),
            "pooled": lambda module, batch: module(batch).flatten(1)[:, None],
        },
        transform=pixels,
        transform_id=f"pixels {SIDE}",
        space=spec.model,
    )
