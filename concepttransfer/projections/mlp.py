"""ClipCap's MLP: one hidden layer between a pooled feature and k soft prompts (Mokady et al. 2021, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from .pooled import EmptyLinear, FromOneFeature

TANH_DEVIATION = 0.6279
"""Root mean square of tanh(z) for a standard normal z."""


class MLP(FromOneFeature):
    """`dim -> k * d_model / 2 -> tanh -> k * d_model`, read as `b (k d) -> b k d`.

    It saves `model.0.{weight,bias}` and `model.2.{weight,bias}`: the keys and shapes that the released files hold
    below `clip_project.`.
    """

    kind: ClassVar[str] = "mlp"

    def __init__(self, dim: int, d_model: int, prompt_tokens: int | None = None, dropout: float = 0.0) -> None:
        """Zeros, until `start` or `load_state_dict` fills them.

        Raises:
            BadInputError: `prompt_tokens` is not said.
        """
        super().__init__(dim, d_model, prompt_tokens, dropout)
        width = d_model * self.soft_prompts
        self.model = nn.Sequential(EmptyLinear(dim, width // 2), nn.Tanh(), EmptyLinear(width // 2, width))

    @property
    def first(self) -> EmptyLinear:
        """The layer that reads the feature."""
        return self._layer(0)

    def _layer(self, number: int) -> EmptyLinear:
        layer = self.model[number]
        if not isinstance(layer, EmptyLinear):
            raise TypeError(f"Layer {number} is no linear one.")
        return layer

    def start(self, deviation: float, scale: float, seed: int) -> None:
        """Normal weights, biases 0: the hidden layer starts at deviation 1 and soft prompts as large as words.

        The released code starts from torch's default, whose first prompts are as large as the features happen to be.
        """
        generator = torch.Generator().manual_seed(seed)
        last = self._layer(2)
        self.first.draw(1 / (scale * math.sqrt(self.dim)), generator)
        last.draw(deviation / (TANH_DEVIATION * math.sqrt(last.in_features)), generator)

    def forward(self, features: Tensor, draws: Sequence[int] | None = None) -> Tensor:
        """Soft prompts `[b, k, d_model]` of features `[b, 1, dim]`.

        Args:
            features: of b pictures.
            draws: an integer for each picture, from which its dropout mask is drawn in training; None: no dropout.

        Raises:
            ShapeError: features of another width, or several tokens where one pooled feature is wanted.
        """
        prompt = self.model(self.pooled(features))
        return self.drop(prompt.reshape(len(features), self.soft_prompts, self.d_model), draws)
