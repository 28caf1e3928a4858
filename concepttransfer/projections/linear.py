"""LiMBeR's projection: one linear layer with bias (Merullo et al. 2022, section 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from .base import Projection


class Linear(Projection):
    """`dim -> d_model` for each token, or `dim -> k * d_model` from one pooled feature, read as `b (k d) -> b k d`.

    It saves `torch.nn.Linear`'s tensors, `weight [d_model, dim]` (or `[k * d_model, dim]`) and `bias`: the keys
    and shapes of the released `proj.ckpt` files. With `layer_norm` the prompt is normalised after dropout, as MAGMA's
    is (Eichenberg et al. 2021), and `norm.weight` and `norm.bias`, both `[d_model]`, are saved too.
    """

    kind: ClassVar[str] = "linear"
    mean: Tensor | None
    deviation: Tensor | None

    def __init__(
        self,
        dim: int,
        d_model: int,
        prompt_tokens: int | None = None,
        dropout: float = 0.0,
        *,
        layer_norm: bool = False,
    ) -> None:
        """Zeros, until `start` or `load_state_dict` fills them."""
        super().__init__(dim, d_model, prompt_tokens, dropout)
        width = d_model * (prompt_tokens or 1)
        self.weight = nn.Parameter(torch.zeros(width, dim))
        self.bias = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(d_model) if layer_norm else None
        self.register_buffer("mean", None, persistent=False)
        self.register_buffer("deviation", None, persistent=False)

    def options(self) -> dict[str, Any]:
        """Whether the prompt is normalised; nothing where it is not, as before there was a choice."""
        return {} if self.norm is None else {"layer_norm": True}

    def extra_repr(self) -> str:
        """What `print` shows: the widths and the number of soft prompts of one feature."""
        return f"{self.dim} -> {self.d_model}" + (f" x {self.prompt_tokens}" if self.prompt_tokens else "")

    def start(self, deviation: float, scale: float, seed: int) -> None:
        """Normal weights of deviation `deviation / (scale * sqrt(dim))`, bias 0.

        Soft prompts then start as large as words, whatever the encoder's features are scaled to. LiMBeR's code starts
        from torch's default, uniform within 1 / sqrt(dim), whose prompts are as large as the features happen to be.
        Before a layer norm they start with deviation 1, and the norm's weight makes them as large as words; MAGMA's
        weight starts at 1, whatever the words' size.
        """
        drawn = torch.randn(self.weight.shape, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            self.weight.copy_(drawn * ((deviation if self.norm is None else 1.0) / (scale * math.sqrt(self.dim))))
            self.bias.zero_()
            if self.norm is not None:
                self.norm.weight.fill_(deviation)
                self.norm.bias.zero_()

    def standardize(self, mean: Tensor, deviation: Tensor) -> None:
        """From now on features are brought to mean 0 and deviation 1: both `[dim]`, of the training set."""
        self.mean, self.deviation = mean.to(self.weight), deviation.to(self.weight)

    def fold(self) -> None:
        """`W (x - m) / s + b` is `(W / s) x + (b - (W / s) m)`; computed in float64."""
        if self.mean is None or self.deviation is None:
            return
        weight = self.weight.detach().double() / self.deviation.double()
        bias = self.bias.detach().double() - weight @ self.mean.double()
        with torch.no_grad():
            self.weight.copy_(weight)
            self.bias.copy_(bias)
        self.mean = self.deviation = None

    def forward(self, features: Tensor, draws: Sequence[int] | None = None) -> Tensor:
        """Soft prompts `[b, k, d_model]` of features `[b, tokens, dim]`; k is `tokens`, or `prompt_tokens`.

        Args:
            features: of b pictures.
            draws: an integer for each picture, from which its dropout mask is drawn in training; None: no dropout.

        Raises:
            ShapeError: features of another width, or several tokens where one pooled feature is wanted.
        """
        self.check(features)
        if self.mean is not None and self.deviation is not None:
            features = (features - self.mean) / self.deviation
        prompt = nn.functional.linear(features, self.weight, self.bias)
        prompt = self.drop(prompt.reshape(len(features), -1, self.d_model), draws)
        return prompt if self.norm is None else cast(Tensor, self.norm(prompt))
