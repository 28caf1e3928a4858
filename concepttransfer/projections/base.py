"""What every projection shares: its shape, its dropout, and how it is brought to the scale of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import ShapeError


class Projection(nn.Module):
    """Maps features `[b, tokens, dim]` to soft prompts `[b, k, d_model]`.

    Attributes:
        kind: the name under which it is saved.
        dim: width of a feature token.
        d_model: width of the language model's word vectors.
        prompt_tokens: k soft prompts from one pooled feature; None: one soft prompt a token.
        dropout: share of the soft prompt's entries that training sets to zero.
    """

    kind: ClassVar[str]

    def __init__(self, dim: int, d_model: int, prompt_tokens: int | None, dropout: float) -> None:
        super().__init__()
        self.dim, self.d_model, self.prompt_tokens, self.dropout = dim, d_model, prompt_tokens, dropout

    def shape(self) -> dict[str, Any]:
        """The widths and the number of soft prompts."""
        return {"dim": self.dim, "d_model": self.d_model, "prompt_tokens": self.prompt_tokens}

    def options(self) -> dict[str, Any]:
        """What besides shape and dropout makes this projection again: the kind's own arguments, as JSON holds them."""
        return {}

    def check(self, features: Tensor) -> None:
        """See that `features` can go in.

        Raises:
            ShapeError: they are not `[b, tokens, dim]`, or more than one token is to become k prompts.
        """
        tokens = "tokens" if self.prompt_tokens is None else 1
        fits = features.ndim == 3 and features.shape[2] == self.dim
        if not fits or (self.prompt_tokens is not None and features.shape[1] != 1):
            wanted = f"[pictures, {tokens}, {self.dim}]"
            raise ShapeError(f"This projection takes features {wanted}; these are {list(features.shape)}.")

    def drop(self, prompt: Tensor, draws: Sequence[int] | None) -> Tensor:
        """Dropout of `prompt [b, k, d_model]` with a mask drawn for each sample from its own integer.

        Training draws the integers by seed, step and sample, so that a mask depends neither on the micro-batch nor on
        the process in which its sample lands, as one stream of random numbers (`nn.Dropout`) would make it. Without
        `draws`, or in evaluation, nothing is dropped.
        """
        if draws is None or not self.training or self.dropout == 0:
            return prompt
        generator = torch.Generator(device=prompt.device)
        masks = torch.empty(prompt.shape, device=prompt.device)
        for mask, draw in zip(masks, draws, strict=True):
            mask.bernoulli_(1 - self.dropout, generator=generator.manual_seed(draw))
        return prompt * (masks / (1 - self.dropout)).to(prompt.dtype)

    def forward(self, features: Tensor, draws: Sequence[int] | None = None) -> Tensor:
        """Soft prompts `[b, k, d_model]` of features `[b, tokens, dim]`; `draws`: see `drop`."""
        raise NotImplementedError

    def start(self, deviation: float, scale: float, seed: int) -> None:
        """Draw the first weights from `seed`, so that soft prompts start as large as words.

        Features whose root mean square is `scale` become prompts whose entries have the standard deviation `deviation`.
        """
        raise NotImplementedError

    def standardize(self, mean: Tensor, deviation: Tensor) -> None:
        """From now on features are brought to mean 0 and deviation 1: both `[dim]`, of the training set."""
        raise NotImplementedError

    def fold(self) -> None:
        """Put the standardisation into the weights: the same prompts from plain weights."""
        raise NotImplementedError
