"""A linear map through a few dimensions: how narrow may the way from a picture to a language model be?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from concepttransfer.errors import BadInputError
from concepttransfer.projections import Projection


class Bottleneck(Projection):
    """`dim -> width -> d_model` for each token (or `k * d_model` of one pooled feature), linear throughout."""

    kind: ClassVar[str] = "bottleneck"
    mean: Tensor | None
    deviation: Tensor | None

    def __init__(
        self, dim: int, d_model: int, prompt_tokens: int | None = None, dropout: float = 0.0, *, width: int = 4
    ) -> None:
        super().__init__(dim, d_model, prompt_tokens, dropout)
        if width < 1:
            raise BadInputError(f"`width` of a bottleneck is {width}; wanted is 1 or more.")
        self.width = width
        self.narrow = nn.Linear(dim, width)
        self.wide = nn.Linear(width, d_model * (prompt_tokens or 1))
        self.register_buffer("mean", None, persistent=False)
        self.register_buffer("deviation", None, persistent=False)

    def options(self) -> dict[str, Any]:
        """What besides the shape makes it again."""
        return {"width": self.width}

    def start(self, deviation: float, scale: float, seed: int) -> None:
        """Soft prompts start as large as words."""
        drawn = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.narrow.weight.normal_(0, 1 / (scale * math.sqrt(self.dim)), generator=drawn)
            self.wide.weight.normal_(0, deviation / math.sqrt(self.width), generator=drawn)
            self.narrow.bias.zero_()
            self.wide.bias.zero_()

    def standardize(self, mean: Tensor, deviation: Tensor) -> None:
        """From now on features are brought to mean 0 and deviation 1."""
        self.mean, self.deviation = mean.to(self.narrow.weight), deviation.to(self.narrow.weight)

    def fold(self) -> None:
        """`W (x - m) / s + b` is `(W / s) x + (b - (W / s) m)`."""
        if self.mean is None or self.deviation is None:
            return
        with torch.no_grad():
            self.narrow.weight /= self.deviation
            self.narrow.bias -= self.narrow.weight @ self.mean
        self.mean = self.deviation = None

    def forward(self, features: Tensor, draws: Sequence[int] | None = None) -> Tensor:
        """Soft prompts `[b, k, d_model]` of features `[b, tokens, dim]`."""
        self.check(features)
        if self.mean is not None and self.deviation is not None:
            features = (features - self.mean) / self.deviation
        prompt = self.wide(self.narrow(features))
        return self.drop(prompt.reshape(len(features), -1, self.d_model), draws)
