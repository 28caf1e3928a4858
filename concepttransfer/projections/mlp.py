"""ClipCap's multi-layer perceptron: one hidden layer of tanh, from one pooled feature to k soft prompts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from .base import Projection
from .folding import Standardized


class MLP(Standardized, Projection):
    """`dim -> k * d_model / 2 -> tanh -> k * d_model`, read as `b (k d) -> b k d` (Mokady et al. 2021, section 3.2).

    It saves the released mapper's tensors: `model.0.{weight,bias}` and `model.2.{weight,bias}`.
    """

    kind: ClassVar[str] = "mlp"

    def __init__(self, dim: int, d_model: int, prompt_tokens: int | None, dropout: float = 0.0) -> None:
        """Zeros, until `start` or `load_state_dict` fills them."""
        super().__init__(dim, d_model, self.needs(prompt_tokens), dropout)
        width = d_model * self.needs(prompt_tokens)
        self.model = nn.Sequential(nn.Linear(dim, width // 2), nn.Tanh(), nn.Linear(width // 2, width))

    @property
    def first(self) -> nn.Linear:
        """The layer that reads features."""
        layer: nn.Linear = self.model[0]  # type: ignore[assignment]
        return layer

    def start(self, deviation: float, scale: float, seed: int) -> None:
        """Normal weights that keep variances, biases 0: soft prompts start as large as words."""
        drawn = torch.Generator().manual_seed(seed)
        last: nn.Linear = self.model[2]  # type: ignore[assignment]
        with torch.no_grad():
            for layer, size in ((self.first, 1 / scale), (last, deviation / TANH)):
                values = torch.randn(layer.weight.shape, generator=drawn)
                layer.weight.copy_(values * (size / math.sqrt(layer.in_features)))
                layer.bias.zero_()

    def forward(self, features: Tensor, draws: Sequence[int] | None = None) -> Tensor:
        """Soft prompts `[b, k, d_model]` of pooled features `[b, 1, dim]`; `draws`: see `Projection.drop`."""
        self.check(features)
        prompt: Tensor = self.model(self.standardized(features[:, 0]))
        return self.drop(prompt.reshape(len(features), -1, self.d_model), draws)


TANH = 0.6277
"""Root mean square of tanh of a standard normal variable."""
