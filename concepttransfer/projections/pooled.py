"""What the projections have in common that make k soft prompts from one pooled feature (ClipCap's)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from .base import Projection


class EmptyLinear(nn.Linear):
    """A linear layer of zeros, until `start` or `load_state_dict` fills it: making it draws no random numbers."""

    def reset_parameters(self) -> None:
        """Zeros."""
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()

    def draw(self, deviation: float, generator: torch.Generator) -> None:
        """Normal weights of this deviation, drawn on the CPU so that every device gets the same ones; bias 0."""
        drawn = torch.randn(self.weight.shape, generator=generator)
        with torch.no_grad():
            self.reset_parameters()
            self.weight.copy_(drawn * deviation)


class FromOneFeature(Projection):
    """k soft prompts `[b, k, d_model]` of one pooled feature `[b, 1, dim]`, which a linear layer reads first."""

    kind: ClassVar[str]
    mean: Tensor | None
    deviation: Tensor | None

    def __init__(self, dim: int, d_model: int, prompt_tokens: int | None, dropout: float) -> None:
        super().__init__(dim, d_model, prompt_tokens, dropout)
        if prompt_tokens is None:
            raise BadInputError(
                f"A projection of kind `{self.kind}` makes k soft prompts from one pooled feature, and k is not said. "
                "Write it with the encoder: {features: pooled, prompt_tokens: 10}."
            )
        self.register_buffer("mean", None, persistent=False)
        self.register_buffer("deviation", None, persistent=False)

    @property
    def first(self) -> nn.Linear:
        """The layer that reads the feature."""
        raise NotImplementedError

    @property
    def soft_prompts(self) -> int:
        """How many soft prompts a picture becomes."""
        return self.prompt_tokens or 1

    def standardize(self, mean: Tensor, deviation: Tensor) -> None:
        """From now on features are brought to mean 0 and deviation 1: both `[dim]`, of the training set."""
        self.mean, self.deviation = mean.to(self.first.weight), deviation.to(self.first.weight)

    def fold(self) -> None:
        """`W (x - m) / s + b` is `(W / s) x + (b - (W / s) m)`; computed in float64."""
        if self.mean is None or self.deviation is None:
            return
        weight = self.first.weight.detach().double() / self.deviation.double()
        bias = self.first.bias.detach().double() - weight @ self.mean.double()
        with torch.no_grad():
            self.first.weight.copy_(weight)
            self.first.bias.copy_(bias)
        self.mean = self.deviation = None

    def pooled(self, features: Tensor) -> Tensor:
        """The features `[b, dim]` as the first layer reads them.

        Raises:
            ShapeError: features of another width, or several tokens where one pooled feature is wanted.
        """
        self.check(features)
        if self.mean is not None and self.deviation is not None:
            features = (features - self.mean) / self.deviation
        return features[:, 0]
